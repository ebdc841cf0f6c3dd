// test · names → proxies: what an answer changes, and what no answer leaves as it was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KnownProxy } from './known-proxies.ts';
import { ProxyFinder } from './proxy-finder.ts';

const NAMES = [
  { host: 'one', port: 1 },
  { host: 'two', port: 2 },
];

/** The finder for both names; what stands behind them is what `answers` says at the time. */
function finderOf(answers: Record<string, readonly string[] | null>): {
  finder: ProxyFinder;
  known: () => string[];
} {
  const finder = new ProxyFinder(NAMES, async (host) => answers[host] ?? null);
  return { finder, known: () => finder.proxies.all.map(({ host, port }) => `${host}:${port}`).sort() };
}

test('each name stands for every address behind it, at its own port', async () => {
  const { finder, known } = finderOf({ one: ['10.0.0.1', '10.0.0.2'], two: ['10.0.0.1'] });
  assert.deepEqual(await finder.lookUp(), []);
  assert.deepEqual(known(), ['10.0.0.1:1', '10.0.0.1:2', '10.0.0.2:1']);
});

test('a name without an answer is reported, and keeps what stood behind it', async () => {
  const answers: Record<string, readonly string[] | null> = { one: ['10.0.0.1'], two: null };
  const { finder, known } = finderOf(answers);
  assert.deepEqual(await finder.lookUp(), [NAMES[1]]);
  Object.assign(answers, { one: [], two: ['10.0.0.2'] });
  assert.deepEqual(await finder.lookUp(), [NAMES[0]]);
  assert.deepEqual(known(), ['10.0.0.1:1', '10.0.0.2:2']);
});

test('look-ups that are wanted at once are one', async () => {
  let asked = 0;
  const finder = new ProxyFinder(NAMES, async () => {
    asked += 1;
    return ['10.0.0.1'];
  });
  await Promise.all([finder.lookUp(), finder.lookUp()]);
  assert.equal(asked, 2, 'one for each name');
  await finder.lookUp();
  assert.equal(asked, 4);
});

test('what a proxy names may be anything that JSON can say', async () => {
  const { finder, known } = finderOf({ one: ['10.0.0.1'] });
  await finder.lookUp();
  const depth = 20_000;
  const deep = JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown;
  finder.hear(finder.proxies.all[0] as KnownProxy, [{ toString: 1 }, ['10.0.0.3:3'], deep, '10.0.0.4:4']);
  assert.deepEqual(known(), ['10.0.0.1:1', '10.0.0.4:4']);
});

test('of what a proxy names, only addresses with a port count', async () => {
  const { finder, known } = finderOf({ one: ['10.0.0.1'] });
  await finder.lookUp();
  const named = ['10.0.0.3:3', '[::1]:4', 'name:5', '10.0.0.3', '10.0.0.3:0', '10.0.0.3:65536', 7, null, {}];
  finder.hear(finder.proxies.all[0] as KnownProxy, named);
  assert.deepEqual(known(), ['10.0.0.1:1', '10.0.0.3:3', '::1:4']);
});
