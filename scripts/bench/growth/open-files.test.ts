import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOpenFiles } from './open-files.ts';

const limits: [string, number][] = [
  [
    'Max file size             unlimited            unlimited            bytes\nMax open files            20000                65536                files',
    20_000,
  ],
  ['Max open files            unlimited            unlimited            files', Number.POSITIVE_INFINITY],
];
for (const [text, expected] of limits) {
  test(`${expected} open files`, () => assert.equal(parseOpenFiles(text), expected));
}
