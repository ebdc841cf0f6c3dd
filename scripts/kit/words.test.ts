import assert from 'node:assert/strict';
import { test } from 'node:test';
import { styleText } from 'node:util';
import { clock, count, decimal, duration, percent, plural, seconds, textTable } from './words.ts';

const TEXTS: [text: string, wanted: string][] = [
  [count(1234567.4), '1,234,567'],
  [count(Number.NaN), '–'],
  [plural(1, 'eviction'), '1 eviction'],
  [plural(2000, 'eviction'), '2,000 evictions'],
  [decimal(0.4219), '0.42'],
  [decimal(12.44), '12.4'],
  [decimal(1204.4), '1,204'],
  [percent(0.25), '25.0 %'],
  [percent(-0.25), '-25.0 %'],
  [percent(1, 60_000), '0.002 %'],
  [percent(1, 100_000_000), '0.000001 %'],
  [percent(0, 5), '0 %'],
  [percent(0, 0), '–'],
  [percent(3, 0), '–'],
  [seconds(12_041), '12.04'],
  [seconds(null), '–'],
  [duration(16.4), '16 ms'],
  [duration(999.6), '1.00 s'],
  [duration(1750), '1.75 s'],
  [duration(Number.NaN), '–'],
  [clock(200_900), '3:20'],
  [clock(0), '0:00'],
];

test('numbers and lengths of time as a person reads them', () => {
  for (const [text, wanted] of TEXTS) assert.equal(text, wanted);
});

test('a table is as wide as its widest cells, whatever their colours, and no line ends in blanks', () => {
  const red = styleText('red', '9', { validateStream: false });
  const rows = [
    ['name', 'n', 'why'],
    ['a', red, ''],
    ['longer', '1234', 'so'],
  ];
  assert.deepEqual(textTable(rows, 'lrl', '  '), [
    '  name       n  why',
    `  a          ${red}`,
    '  longer  1234  so',
  ]);
  assert.deepEqual(textTable([]), []);
});
