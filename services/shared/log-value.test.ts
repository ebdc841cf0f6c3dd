// test · values of log lines: one word, or in quotes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonText, textValue } from './log-value.ts';

const CASES: [value: unknown, text: string][] = [
  ['word', 'word'],
  ['10.0.0.1:80', '10.0.0.1:80'],
  ['Müller', 'Müller'],
  ['two words', '"two words"'],
  ['', '""'],
  ['a=b', '"a=b"'],
  ['say "yes"', String.raw`"say \"yes\""`],
  ['a\\nb', String.raw`"a\\nb"`],
  ['a\nb', String.raw`"a\nb"`],
  ['\u202eb', String.raw`"\u202eb"`],
  ['\ud800', String.raw`"\ud800"`],
  [7, '7'],
  [['a b', 7], '["a b",7]'],
];

for (const [value, text] of CASES) {
  test(`${JSON.stringify(value)} is written ${text}`, () => {
    assert.equal(textValue(value), text);
    if (typeof value === 'string') assert.equal(JSON.parse(jsonText(value)), value);
  });
}
