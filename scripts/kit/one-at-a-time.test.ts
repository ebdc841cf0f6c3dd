import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from './failure.ts';
import { oneAtATime } from './one-at-a-time.ts';

const NAME = `test-${process.pid}`;
const { signal } = new AbortController();

test('a second one waits for the first, also for one that fails', async () => {
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = oneAtATime(NAME, 5_000, signal, async () => {
    log.push('first begins');
    await gate.promise;
    log.push('first ends');
    throw new Error('it failed');
  });
  const rejected = assert.rejects(first, /it failed/);
  while (log.length === 0) await new Promise(setImmediate);
  const second = oneAtATime(NAME, 5_000, signal, async () => log.push('second'));
  await assert.rejects(
    oneAtATime(NAME, 0, signal, async () => log.push('third')),
    Failure,
  );
  gate.resolve();
  await Promise.all([rejected, second]);
  assert.deepEqual(log, ['first begins', 'first ends', 'second']);
});
