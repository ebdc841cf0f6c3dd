import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Case,
  nameOf,
  planCases,
  policyNames,
  proxyArguments,
  sessionsThatFit,
  smallerFlood,
} from './cases.ts';
import { DEFAULT_GROWTH } from './result.ts';

const short = (options: Partial<typeof DEFAULT_GROWTH>) =>
  planCases({ ...DEFAULT_GROWTH, ...options }).map((one) => {
    return [one.part, one.servers, one.policies, one.healthIntervalMs, one.pairs, one.arrangement];
  });

test('every row of the defaults, the flood of probes last and with fewer pairs', () => {
  assert.deepEqual(short({}), [
    ['servers', 10, 3, 1000, 5, 'in turn'],
    ['servers', 100, 3, 1000, 5, 'in turn'],
    ['servers', 1000, 3, 1000, 5, 'in turn'],
    ['servers', 10_000, 3, 10_000, 5, 'in turn'],
    ['policies', 2, 1, 1000, 5, 'in turn'],
    ['policies', 200, 100, 1000, 5, 'in turn'],
    ['policies', 2000, 1000, 1000, 5, 'in turn'],
    ['servers', 10_000, 3, 1000, 3, 'around'],
  ]);
});

test('only the parts that are asked for', () => {
  assert.deepEqual(short({ parts: ['clients'] }), []);
  assert.deepEqual(short({ parts: ['policies'], policyCounts: [5], pairs: 2 }), [
    ['policies', 10, 5, 1000, 2, 'in turn'],
  ]);
});

test('a flood that is too much is halved for as long as it is a flood', () => {
  const cases = planCases({ ...DEFAULT_GROWTH, parts: ['servers'] });
  const tried: number[] = [];
  for (let one: Case | null = cases.at(-1) ?? null; one !== null; one = smallerFlood(one))
    tried.push(one.servers);
  assert.deepEqual(tried, [10_000, 5000, 2500]);
  assert.ok(cases.slice(0, -1).every((one) => smallerFlood(one) === null));
});

test('a row is named by what is unusual about it', () => {
  const row = { servers: 10_000, policies: 3, healthIntervalMs: 10_000 };
  assert.equal(nameOf(row), '10000 servers under 3 policies, probed every 10 s');
  assert.equal(nameOf({ servers: 2, policies: 1, healthIntervalMs: 1000 }), '2 servers under one policy');
});

const limits: [string, number, number, number | null][] = [
  ['all, where there are files enough', 10_000, 65_536, 10_000],
  ['all, where nothing limits them', 10_000, Number.POSITIVE_INFINITY, 10_000],
  ['as many as are left', 10_000, 20_000, 7500],
  ['none, where it just fits', 10_000, 12_500, 0],
  ['no row at all, where it does not', 10_000, 12_499, null],
];
for (const [what, servers, openFiles, expected] of limits) {
  test(`sessions that fit: ${what}`, () => assert.equal(sessionsThatFit(servers, openFiles), expected));
}

test('the proxy runs with its defaults, but for limits that are too low', () => {
  assert.deepEqual(proxyArguments(1000, 1000), []);
  assert.deepEqual(proxyArguments(2000, 1000), ['--max-servers', '2000']);
  assert.deepEqual(proxyArguments(6, 1000, 10_000), [
    ...['--max-connections', '11006', '--idle-timeout', '3600000'],
  ]);
  assert.deepEqual(proxyArguments(10_000, 10_000), [
    ...['--health-interval', '10000', '--max-servers', '10000', '--max-connections', '11000'],
  ]);
});

test('policies are named from 1 on', () => assert.deepEqual(policyNames(3), ['1', '2', '3']));
