// test · the policy table: what it keeps of the requests that name its policies, and how many of those it lists.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { newcomer } from '../health/health.ts';
import { Upstream } from '../servers/upstream.ts';
import { PolicyTable, Route } from './policy-table.ts';

const POLICIES = 500;
const PACKET_CHARACTERS = 100_000;

test('a policy that is expected keeps nothing of the packet that named it', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const table = new PolicyTable();
  const expectOne = (number: number): void => {
    // A piece of a longer text holds on to it, so the text is not one that is shared.
    const packet = Buffer.alloc(PACKET_CHARACTERS, `${number} is a policy with a long name `).toString(
      'latin1',
    );
    table.expect(packet.slice(0, 30), 0);
  };
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let number = 100_000; number < 100_000 + POLICIES; number += 1) expectOne(number);
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / POLICIES;
  assert.ok(bytes < 5_000, `${Math.round(bytes)} bytes a policy`);
  assert.equal(table.route('100007 is a policy with a long')?.policy, '100007 is a policy with a long');
});

test('a policy of any characters is found again', () => {
  const table = new PolicyTable();
  for (const policy of ['1', 'é', '漢🙂', '\ud800', '\0']) {
    const route = table.expect(policy, 0);
    assert.equal(route?.policy, policy);
    assert.equal(table.route(policy), route);
  }
});

test('only policies without a server count against the limit of those that are expected', () => {
  const limit = 1000;
  const table = new PolicyTable();
  const add = (policy: string): Upstream => {
    const port = table.takeOrder();
    const registration = { id: port, policy, host: '10.0.0.1', port, keepsAlive: true, incarnation: null };
    const upstream = new Upstream(registration, 64, port, newcomer(0, ''), 0);
    table.add(upstream);
    return upstream;
  };
  const served = Array.from({ length: limit + 5 }, (_, index) => add(`served ${index}`));
  for (let index = 0; index < limit; index += 1)
    assert.ok(table.expect(`expected ${index}`, 1), String(index));
  assert.equal(table.expect('one too many', 1), undefined);
  // One of them gets two servers, and then there is room for one.
  const [first, second] = [add('expected 0'), add('expected 0')];
  assert.ok(table.expect('one more', 1));
  assert.equal(table.expect('one too many', 1), undefined);
  // It loses them, and another one gets one.
  table.remove(first, 1);
  table.remove(second, 1);
  table.remove(second, 1);
  add('expected 1');
  assert.equal(table.expect('one too many', 1), undefined);
  table.prune(60_002);
  for (let index = 0; index < limit; index += 1) assert.ok(table.expect(`later ${index}`, 3), String(index));
  assert.equal(table.expect('one too many', 3), undefined);
  assert.equal(table.size, served.length + 1);
});

// A route whose one server has given so many answers, and so many of them slowly.
function routeOf() {
  const route = new Route('1');
  const registration = { id: 1, policy: '1', host: '10.0.0.1', port: 1, keepsAlive: true, incarnation: null };
  const upstream = new Upstream(registration, 1, 1, newcomer(0, ''), 0);
  route.upstreams.push(upstream);
  const isSlow = (answers: number, slowAnswers: number, nowMs: number): boolean => {
    Object.assign(upstream, { answers, slowAnswers });
    return route.isSlow(nowMs);
  };
  return { isSlow };
}

test('half of the answers being slow makes a policy slow, from five answers on', () => {
  assert.equal(routeOf().isSlow(4, 4, 0), false);
  assert.equal(routeOf().isSlow(5, 2, 0), false);
  assert.equal(routeOf().isSlow(6, 3, 0), true);
});

test('only the answers of the last seconds make a policy slow', () => {
  const { isSlow } = routeOf();
  assert.equal(isSlow(100, 100, 0), true);
  assert.equal(isSlow(104, 100, 4999), true);
  assert.equal(isSlow(200, 100, 5000), false);
  assert.equal(isSlow(300, 199, 10_000), true);
});

test('servers that have left with their counters make nothing slow', () => {
  const { isSlow } = routeOf();
  isSlow(1000, 1000, 0);
  isSlow(1000, 1000, 5000);
  assert.equal(isSlow(10, 10, 6000), false);
});

test("an id is another server's also where that server has answered under a different one", () => {
  const table = new PolicyTable();
  const [mine, other] = [1, 2].map((id) => {
    const registration = {
      id,
      policy: `${id}`,
      host: '10.0.0.1',
      port: id,
      keepsAlive: true,
      incarnation: null,
    };
    const upstream = new Upstream(registration, 64, id, newcomer(0, ''), 0);
    table.add(upstream);
    return upstream;
  }) as [Upstream, Upstream];
  assert.ok(table.isOthers(mine, '2'));
  // It has taken the address of the first, and the first its own.
  other.answersAs = '1';
  assert.ok(table.isOthers(mine, '2'));
  assert.ok(!table.isOthers(mine, '3'), 'a worker behind the same port');
});
