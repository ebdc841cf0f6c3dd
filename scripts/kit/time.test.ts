import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './time.ts';

const PATIENCE = { withinMs: 60_000, everyMs: 1 };

test('it looks until there is something, and gives that', async () => {
  let looks = 0;
  const found = await until(() => {
    looks += 1;
    return looks === 3 ? 'there' : null;
  }, PATIENCE);
  assert.deepEqual([found, looks], ['there', 3]);
});

test('what is there at once is not waited for, however short the time is', async () => {
  assert.equal(await until(async () => 'there', { withinMs: -1, everyMs: 60_000 }), 'there');
});

test('when the time is up it gives the last look, which is nothing', async () => {
  assert.equal(await until(() => null, { withinMs: -1, everyMs: 60_000 }), null);
});

test('what a look throws ends the wait, and so does the signal', async () => {
  const problem = new Error('not like this');
  await assert.rejects(
    until(() => Promise.reject(problem), PATIENCE),
    problem,
  );
  const ending = new AbortController();
  const waiting = until(
    () => {
      ending.abort(problem);
      return null;
    },
    { ...PATIENCE, everyMs: 60_000, signal: ending.signal },
  );
  await assert.rejects(waiting, problem);
});
