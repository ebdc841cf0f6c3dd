// test · look-ups: literals, names, and names that nobody knows, within the deadline.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResolver } from './addresses.ts';

test('an address stands for itself', async () => {
  const resolve = createResolver();
  assert.deepEqual(await resolve('127.0.0.1'), ['127.0.0.1']);
  assert.deepEqual(await resolve('::1'), ['::1']);
});

test('a name of this machine, in one family only', async () => {
  assert.deepEqual(await createResolver()('localhost'), ['127.0.0.1']);
});

test('a name that is not known is "unknown" within the deadline, again and again', async () => {
  const resolve = createResolver(300);
  for (let i = 0; i < 3; i += 1) {
    const startMs = performance.now();
    assert.equal(await resolve('no-such-host.invalid'), null);
    assert.ok(performance.now() - startMs < 1_500);
  }
});
