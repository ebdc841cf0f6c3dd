import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryBudget } from './retry-budget.ts';

function grant(budget: RetryBudget, nowMs: number, tries: number): number {
  let granted = 0;
  for (let tried = 0; tried < tries; tried += 1) {
    if (!budget.canRetry(nowMs)) continue;
    budget.charge(nowMs);
    granted += 1;
  }
  return granted;
}

test('after a burst there are still 10 retries in any second', () => {
  const budget = new RetryBudget();
  assert.equal(grant(budget, 0, 500), 100);
  for (let second = 1; second < 10; second += 1) assert.equal(grant(budget, second * 1000, 500), 10);
});

test('a quiet policy may retry 10 a second: 100 in the window', () => {
  assert.equal(grant(new RetryBudget(), 0, 500), 100);
});

test('under load a fifth of the requests of the last 10 s may be retried', () => {
  const budget = new RetryBudget();
  for (let second = 0; second < 10; second += 1) {
    for (let sent = 0; sent < 1000; sent += 1) budget.feed(second * 1000);
  }
  assert.equal(grant(budget, 9_999, 5000), 2000);
});

test('what is older than 10 s no longer counts, requests and retries alike', () => {
  const budget = new RetryBudget();
  for (let sent = 0; sent < 10_000; sent += 1) budget.feed(0);
  assert.equal(grant(budget, 500, 5000), 2000);
  assert.equal(grant(budget, 9_999, 5000), 10);
  assert.equal(grant(budget, 10_000, 5000), 90, 'the 10 of the second before are still in the window');
});

test('a long silence empties the window', () => {
  const budget = new RetryBudget();
  for (let sent = 0; sent < 10_000; sent += 1) budget.feed(0);
  assert.equal(grant(budget, 1e9, 5000), 100);
});
