import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeadlineQueue } from './deadline-queue.ts';

test('the deadline queue gives what is not done, in order, however long it gets', () => {
  const queue = new DeadlineQueue<{ deadlineMs: number; isDone: boolean }>();
  const items = Array.from({ length: 5000 }, (_, i) => ({ deadlineMs: i, isDone: i % 2 === 0 }));
  for (const item of items) queue.push(item);
  const seen: number[] = [];
  while (queue.hasExpired(4000)) {
    const item = queue.peek();
    assert.ok(item !== undefined);
    seen.push(item.deadlineMs);
    item.isDone = true;
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 2000 }, (_, i) => 2 * i + 1),
  );
  assert.equal(queue.peek()?.deadlineMs, 4001);
  for (const item of items) item.isDone = true;
  assert.equal(queue.peek(), undefined);
  assert.equal(queue.hasExpired(Number.POSITIVE_INFINITY), false);
});

test('what is done does not pile up behind one that waits', () => {
  const queue = new DeadlineQueue<{ deadlineMs: number; isDone: boolean }>();
  const first = { deadlineMs: 10_000, isDone: false };
  queue.push(first);
  for (let pushed = 0; pushed < 100_000; pushed += 1) queue.push({ deadlineMs: 10_000, isDone: true });
  assert.equal(queue.length < 10_000, true);
  assert.equal(queue.peek(), first);
});
