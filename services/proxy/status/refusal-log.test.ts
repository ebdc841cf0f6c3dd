import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Line } from '../../shared/log.ts';
import { RefusalLog } from './refusal-log.ts';

test('a flood is ten lines a second, and how many were left out', () => {
  const lines: Line[] = [];
  const log = new RefusalLog((line) => lines.push(line));
  for (let told = 0; told < 500; told += 1) log.tell({ level: 'warn', message: 'refused' });
  assert.equal(lines.length, 10);
  log.nextSecond();
  assert.deepEqual(lines[10], { level: 'warn', message: 'more of the like were left out', leftOut: 490 });
  log.tell({ level: 'warn', message: 'refused' });
  log.nextSecond();
  assert.deepEqual([lines.length, lines[11]?.message], [12, 'refused']);
});
