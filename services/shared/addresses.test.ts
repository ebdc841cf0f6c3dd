// test · look-ups: literals, names, and names that nobody knows, within the deadline.
import assert from 'node:assert/strict';
import dns from 'node:dns/promises';
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

test('a name that is not known is "unknown", again and again', async () => {
  const resolve = createResolver(300);
  for (let i = 0; i < 3; i += 1) assert.equal(await resolve('no-such-host.invalid'), null);
});

test('two names at once: each gets its own addresses', async (t) => {
  const lookup = async (host: string) => [
    { address: host === 'one.example' ? '10.0.0.1' : '10.0.0.2', family: 4 },
  ];
  t.mock.method(dns, 'lookup', lookup as never);
  t.mock.method(dns.Resolver.prototype, 'resolve4', () => Promise.reject(new Error('no name server')));
  const resolve = createResolver();
  const found = await Promise.all(['one.example', 'two.example'].map(resolve));
  assert.deepEqual(found, [['10.0.0.1'], ['10.0.0.2']]);
});

test('a look-up that never ends is "unknown" at the deadline, and no second one hangs beside it', async (t) => {
  const never = (): Promise<never> => new Promise(() => {});
  const lookup = t.mock.method(dns, 'lookup', never);
  t.mock.method(dns.Resolver.prototype, 'resolve4', never);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const resolve = createResolver(300);
  for (let i = 0; i < 2; i += 1) {
    let isSettled = false;
    const found = resolve('slow.example').finally(() => {
      isSettled = true;
    });
    t.mock.timers.tick(299);
    await new Promise(setImmediate);
    assert.equal(isSettled, false);
    t.mock.timers.tick(1);
    assert.equal(await found, null);
  }
  assert.equal(lookup.mock.callCount(), 1);
});
