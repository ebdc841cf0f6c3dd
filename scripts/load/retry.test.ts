import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AttemptEnding, dropped, type Exchange, type FirstAttempt, lost } from './exchange.ts';
import { type Retry, RetryQueue, retryAtMs } from './retry.ts';

const LOST = lost('reset');
const ON_AVERAGE = () => 0.5;
const AS_EARLY_AS_CAN_BE = () => 0;

test('the wait doubles from 50 to 200 ms, up to a fifth more or less', () => {
  const waits = [1, 2, 3, 4, 2000].map((attempt) => [
    retryAtMs(LOST, attempt, 1000, 9000, ON_AVERAGE),
    retryAtMs(LOST, attempt, 1000, 9000, AS_EARLY_AS_CAN_BE),
  ]);
  assert.deepEqual(waits, [
    [1050, 1040],
    [1100, 1080],
    [1200, 1160],
    [1200, 1160],
    [1200, 1160],
  ]);
});

test('the last attempt is made at the limit, and none after one that ended there', () => {
  assert.equal(retryAtMs(LOST, 3, 1000, 1010, ON_AVERAGE), 1010);
  assert.equal(retryAtMs(LOST, 3, 1010, 1010, ON_AVERAGE), null);
  assert.equal(retryAtMs(LOST, 3, 1011, 1010, ON_AVERAGE), null);
});

const endings: [AttemptEnding, boolean][] = [
  [lost('refused'), true],
  [lost('timeout'), true],
  [dropped('no-local-resources'), false],
  [{ outcome: 'error', detail: 'NO_SERVER', isRetryable: true }, true],
  [{ outcome: 'wrong', detail: 'a', isRetryable: false }, false],
];
for (const [ending, isRetried] of endings) {
  test(`${JSON.stringify(ending)} is ${isRetried ? '' : 'not '}tried again`, () => {
    assert.equal(retryAtMs(ending, 1, 0, 1000, ON_AVERAGE), isRetried ? 50 : null);
  });
}

test('what waits comes out by its time, and not before', () => {
  const queue = new RetryQueue();
  const rest = { exchange: {} as Exchange, first: {} as FirstAttempt };
  for (const dueMs of [30, 10, 20, 10, 40, 5]) queue.push({ dueMs, ...rest });
  assert.equal(queue.takeDue(4), undefined);
  const taken: number[] = [];
  for (let next = queue.takeDue(20); next !== undefined; next = queue.takeDue(20)) taken.push(next.dueMs);
  assert.deepEqual(taken, [5, 10, 10, 20]);
  const left = queue.takeAll().map(({ dueMs }: Retry) => dueMs);
  assert.deepEqual(left.sort(), [30, 40]);
  assert.equal(queue.takeDue(1000), undefined);
});
