// When a benchmark counts as clean.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleResult, sampleRun } from '../../test-support/bench-sample.ts';
import type { GrowthResult } from './growth/index.ts';
import { type BenchResult, growthErrors, isClean } from './result.ts';

const errors = { errorReply: 0, reset: 1, timeout: 0, wrongDigest: 0, refused: 0 };
const growth = {
  servers: [{ skipped: 'too few files' }, { costs: { keep: { failed: 2, sixServersFailed: 1 } } }],
  policies: [{ costs: { oneshot: { failed: 0, sixServersFailed: 4 } } }],
  clients: [],
} as unknown as GrowthResult;

const skipped = (hasFailed: boolean): object => ({ skipped: 'why', hasFailed });
const growthWith = (parts: object): GrowthResult =>
  ({ servers: [], policies: [], clients: [], ...parts }) as unknown as GrowthResult;

const cases: [string, Partial<BenchResult>, boolean][] = [
  ['everything as it should be', {}, true],
  ['a part that could not be measured', { problem: 'The load generator has failed.' }, false],
  ['one request lost', { runs: [sampleRun('x', 'nginx', 1, { errors })] }, false],
  ['a run without an answer', { runs: [sampleRun('x', 'nginx', 1, { requests: 0 })] }, false],
  ['requests that failed among many servers', { growth }, false],
  ['too few open files for a row', { growth: growthWith({ servers: [skipped(false)] }) }, true],
  ['a row that failed', { growth: growthWith({ policies: [skipped(true)] }) }, false],
  [
    'clients that could not connect',
    { growth: growthWith({ clients: [{ clients: 10, connected: 9 }] }) },
    false,
  ],
  ['clients that all could', { growth: growthWith({ clients: [{ clients: 10, connected: 10 }] }) }, true],
];
for (const [name, changes, expected] of cases) {
  test(`clean or not: ${name}`, () => assert.equal(isClean(sampleResult(changes)), expected));
}

test("the growth's failures are counted over all rows that were measured", () => {
  assert.equal(growthErrors(growth), 7);
  assert.equal(growthErrors(null), 0);
});
