// test · what is known of proxies, along any history of look-ups, failures and time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KnownProxies, type KnownProxy } from './known-proxies.ts';

const NAME = { host: 'proxy', port: 10_000 };
const FIRST_WAIT_MS = 500 * 0.8;
const LONGEST_WAIT_MS = 10_000 * 1.2;

function known(
  random: () => number,
  ...addresses: string[]
): { proxies: KnownProxies; pass: (ms: number) => void } {
  let nowMs = 1000;
  const proxies = new KnownProxies(() => nowMs, random);
  proxies.list(NAME, addresses);
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { proxies, pass };
}

const hosts = (proxies: Iterable<KnownProxy | null>): (string | undefined)[] =>
  [...proxies].map((proxy) => proxy?.host);

const picks = (proxies: KnownProxies, count: number): (string | undefined)[] =>
  hosts(Array.from({ length: count }, () => proxies.pick()));

/** The one of them with this address. */
function at(proxies: KnownProxies, host: string): KnownProxy {
  return proxies.all.find((proxy) => proxy.host === host) as KnownProxy;
}

test('the good ones take turns, evenly also round one that is not', () => {
  const { proxies } = known(() => 0, 'a', 'b', 'c');
  assert.deepEqual(picks(proxies, 4), ['a', 'b', 'c', 'a'], 'none has been tried yet');
  proxies.reached(at(proxies, 'b'));
  proxies.reached(at(proxies, 'c'));
  assert.deepEqual(picks(proxies, 4), ['b', 'c', 'b', 'c']);
});

test('what is not wanted is left out, good or not', () => {
  const { proxies } = known(() => 0, 'a', 'b');
  const [a, b] = proxies.all as [KnownProxy, KnownProxy];
  proxies.reached(a);
  assert.equal(proxies.pick(new Set([a])), b);
  assert.equal(proxies.pick(new Set([a, b])), null);
  assert.equal(known(() => 0).proxies.pick(), null);
});

test('not every client begins with the first', () => {
  const firsts = [0, 0.3, 0.6, 0.9].map((start) => picks(known(() => start, 'a', 'b', 'c').proxies, 1)[0]);
  assert.equal(new Set(firsts).size, 3, String(firsts));
});

test('the waits double from 0.5 to 10 s, and a reply ends that', () => {
  const { proxies, pass } = known(() => 0.5, 'a', 'b');
  const [a] = proxies.all as [KnownProxy];
  assert.deepEqual(hosts(proxies.takeDue()), ['a', 'b'], 'new ones are tried at once');
  for (const proxy of proxies.all) {
    proxies.reached(proxy);
    proxies.replied(proxy);
  }
  proxies.failed(a);
  const waits: number[] = [];
  for (let ms = 0; waits.length < 7; ms += 100, pass(100)) {
    if (proxies.takeDue().length === 0) continue;
    waits.push(ms);
    ms = 0;
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  proxies.reached(a);
  proxies.replied(a);
  proxies.failed(a);
  pass(500);
  assert.deepEqual(hosts(proxies.takeDue()), ['a']);
});

test('one that is not behind its name any more is forgotten once it is not good', () => {
  const { proxies } = known(() => 0, 'a', 'b');
  const [a, b] = proxies.all as [KnownProxy, KnownProxy];
  proxies.reached(a);
  proxies.list(NAME, ['c']);
  assert.deepEqual(hosts(proxies.all), ['a', 'c']);
  proxies.failed(a);
  assert.deepEqual(hosts(proxies.all), ['c']);
  proxies.reached(b);
  assert.equal(proxies.goodCount, 0, 'what is forgotten stays so');
});

test('one that another has named stays until it fails, whatever its own name says', () => {
  const { proxies } = known(() => 0, 'a');
  const [a] = proxies.all as [KnownProxy];
  proxies.hear(a, [
    { host: 'b', port: 1 },
    { host: 'a', port: 10_000 },
  ]);
  proxies.list(NAME, ['a']);
  assert.deepEqual(
    proxies.all.map(({ host, port, name }) => [host, port, name]),
    [
      ['a', 10_000, 'proxy'],
      ['b', 1, 'proxy'],
    ],
  );
  proxies.failed(at(proxies, 'b'));
  assert.deepEqual(hosts(proxies.all), ['a']);
});

test('one that another has named is chosen only when it was reached, or none stands behind a name', () => {
  const { proxies } = known(() => 0, 'a', 'b');
  const [a, b] = proxies.all as [KnownProxy, KnownProxy];
  proxies.hear(a, [{ host: 'c', port: 1 }]);
  assert.deepEqual(picks(proxies, 4), ['a', 'b', 'a', 'b']);
  assert.equal(proxies.pick(new Set([a, b]))?.host, 'c');
  proxies.reached(at(proxies, 'c'));
  assert.deepEqual(picks(proxies, 2), ['c', 'c']);
});

test('however many are named, memory has a bound', () => {
  const { proxies } = known(() => 0, 'a');
  const [a] = proxies.all as [KnownProxy];
  proxies.hear(
    a,
    Array.from({ length: 5000 }, (_, i) => ({ host: `10.0.${i >> 8}.${i & 255}`, port: 1 })),
  );
  assert.equal(proxies.all.length, 256);
});

type Step =
  | { kind: 'list'; hosts: string[] }
  | { kind: 'hear'; host: string }
  | { kind: 'reached' | 'replied' | 'failed'; index: number }
  | { kind: 'pass'; ms: number };

const host = fc.constantFrom('a', 'b', 'c', 'd');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('list' as const), hosts: fc.uniqueArray(host, { minLength: 1 }) }),
  fc.record({ kind: fc.constant('hear' as const), host }),
  fc.record({ kind: fc.constantFrom('reached', 'replied', 'failed'), index: fc.nat(3) }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(15_000) }),
);

test('property: a good one is chosen where there is one, and one that failed is tried again in time and not before', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.99, noNaN: true })),
      (steps, chance) => {
        let nowMs = 0;
        let listed: string[] = ['a'];
        const triedMs = new Map<KnownProxy, number>();
        const proxies = new KnownProxies(
          () => nowMs,
          () => chance.next().value as number,
        );
        proxies.list(NAME, listed);
        for (const each of steps) {
          const proxy = 'index' in each ? proxies.all[each.index] : undefined;
          if (each.kind === 'list') {
            listed = each.hosts;
            proxies.list(NAME, listed);
          } else if (each.kind === 'hear') {
            proxies.hear(proxies.all[0] as KnownProxy, [{ host: each.host, port: NAME.port }]);
          } else if (each.kind === 'pass') nowMs += each.ms;
          else if (proxy !== undefined) {
            if (each.kind === 'failed' && proxy.isGood) triedMs.set(proxy, nowMs);
            proxies[each.kind](proxy);
          }
          assert.ok(
            listed.every((one) => at(proxies, one) !== undefined),
            'what is listed is known',
          );
          assert.equal(new Set(hosts(proxies.all)).size, proxies.all.length, 'each once');
          const picked = proxies.pick() as KnownProxy;
          assert.ok(picked.isGood || proxies.goodCount === 0);
          const good = proxies.all.filter(({ isGood }) => isGood);
          const turns = hosts(Array.from({ length: 3 * good.length }, () => proxies.pick()));
          for (const { host } of good) assert.equal(turns.filter((turn) => turn === host).length, 3);
          const due = new Set(proxies.takeDue());
          for (const one of proxies.all) {
            const sinceMs = nowMs - (triedMs.get(one) ?? Number.NEGATIVE_INFINITY);
            if (due.has(one)) {
              assert.ok(!one.isGood && sinceMs >= FIRST_WAIT_MS, `${sinceMs} ms`);
              triedMs.set(one, nowMs);
            } else assert.ok(one.isGood || sinceMs <= LONGEST_WAIT_MS, `${sinceMs} ms`);
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});
