// test · the waits between tries.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jittered } from '../shared/backoff.ts';
import { backoffMs } from './backoff.ts';

test('50 ms, doubling to 100 ms', () => {
  const waits = [1, 2, 3, 4, 5, 6, 1_000, Infinity].map((failures) => backoffMs(failures, 0.5));
  assert.deepEqual(waits, [50, 100, 100, 100, 100, 100, 100, 100]);
});

test('a proxy that hangs up after its reply is asked once a second in the end', () => {
  const waits = [1, 2, 3, 4, 5, 6, Infinity].map((failures) => backoffMs(failures, 0.5, true));
  assert.deepEqual(waits, [50, 100, 200, 400, 800, 1000, 1000]);
});

test('a fifth of jitter to either side', () => {
  assert.deepEqual([backoffMs(9, 0), backoffMs(9, 1)], [80, 120]);
  assert.deepEqual(
    [0, 0.25, 0.5, 1].map((random) => Math.round(jittered(1_000, random))),
    [800, 900, 1_000, 1_200],
  );
});
