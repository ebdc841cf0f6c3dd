import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Background } from './background.ts';

test('it ends when it is told, and what it throws then is no error', async () => {
  const log: string[] = [];
  const loop = new Background(new AbortController().signal, async (signal) => {
    try {
      await sleep(60_000, undefined, { signal });
    } finally {
      log.push('cleaned up');
    }
  });
  await loop.end();
  await loop.end();
  assert.deepEqual([log, loop.error], [['cleaned up'], null]);
});

test('it ends with the run', async () => {
  const run = new AbortController();
  const loop = new Background(run.signal, (signal) => sleep(60_000, undefined, { signal }));
  run.abort();
  await loop.end();
  assert.equal(loop.error, null);
});

test('what goes wrong before is kept, and takes nothing down', async () => {
  const trouble = new Error('no');
  const loop = new Background(new AbortController().signal, () => Promise.reject(trouble));
  await new Promise((resolve) => setImmediate(resolve));
  await loop.end();
  assert.equal(loop.error, trouble);
});
