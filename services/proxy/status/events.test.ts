import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Because } from '../health/cause.ts';
import { newcomer } from '../health/health.ts';
import { Upstream } from '../servers/upstream.ts';
import { type ClusterEvent, EventLog, type EventType } from './events.ts';

const LIMIT = 40;

function because(why: string): Because {
  return { cause: 'session-lost', why, evidence: { session: why } };
}

function logOf(): {
  events: EventLog;
  told: ClusterEvent[];
  at: (ms: number) => void;
  add: (id: number, ...types: EventType[]) => void;
} {
  let wallMs = 1_000_000;
  const events = new EventLog(() => wallMs);
  const told: ClusterEvent[] = [];
  events.listen((event) => told.push(event));
  const upstreams = new Map<number, Upstream>();
  return {
    events,
    told,
    at: (ms) => {
      wallMs = 1_000_000 + ms;
    },
    add: (id, ...types) => {
      const registration = {
        id,
        policy: '1',
        host: '10.0.0.1',
        port: id,
        keepsAlive: true,
        incarnation: null,
      };
      const upstream = upstreams.get(id) ?? new Upstream(registration, 1, 1, newcomer(0, ''), 0);
      upstreams.set(id, upstream);
      for (const type of types) events.add(type, upstream, because(`because of ${type}`));
    },
  };
}

const times = (count: number, ...types: EventType[]): EventType[] =>
  Array.from({ length: count }, () => types).flat();

describe('events about one server', () => {
  test('are all told when it is sound, or fails now and then', () => {
    const { told, add, at } = logOf();
    for (let round = 0; round < 100; round += 1) {
      at(round * 1500);
      add(1, 'suspect', 'evicted', 'registered', 'admitted');
    }
    assert.equal(told.length, 400);
  });

  test('are left out when it flaps, but for a few, and summed up', () => {
    const { events, told, add, at } = logOf();
    add(1, 'registered', 'admitted', ...times(500, 'suspect', 'admitted'));
    assert.equal(told.length, LIMIT);
    add(2, 'registered', 'admitted');
    assert.equal(told.length, LIMIT + 2);
    at(9_999);
    events.nextSecond();
    assert.equal(told.length, LIMIT + 2);
    at(10_000);
    events.nextSecond();
    events.nextSecond();
    assert.equal(told.length, LIMIT + 3);
    assert.partialDeepStrictEqual(told.at(-1), {
      type: 'admitted',
      id: 1,
      atMs: 1_010_000,
      cause: 'session-lost',
      why: 'because of admitted; 961 events about it before this one were left out',
      evidence: { session: 'because of admitted' },
    });
    assert.deepEqual(
      told.map(({ seq }) => seq),
      told.map((_, at) => at + 1),
    );
  });

  test('are told when they end it, or begin an outage that lasts, however many there were', () => {
    const { told, add } = logOf();
    add(1, ...times(50, 'suspect', 'admitted'));
    for (const type of ['evicted', 'ejected', 'leaving', 'left', 'forgotten'] as const) {
      add(1, 'suspect', type);
      assert.equal(told.at(-1)?.type, type);
    }
  });

  test('are told when they end an outage that was told', () => {
    const { told, add } = logOf();
    add(1, ...times(50, 'suspect', 'admitted'), 'suspect', 'evicted', 'admitted');
    assert.deepEqual(
      told.slice(-2).map(({ type }) => type),
      ['evicted', 'admitted'],
    );
    add(1, 'ejected', 'trial', 'suspect', 'admitted');
    assert.deepEqual(
      told.slice(-2).map(({ type }) => type),
      ['ejected', 'trial'],
    );
    add(1, 'suspect', 'evicted', 'registered', 'admitted');
    assert.deepEqual(
      told.slice(-2).map(({ type }) => type),
      ['evicted', 'admitted'],
    );
  });

  test('say in the end how it is, also when the last was left out', () => {
    const { events, told, add, at } = logOf();
    add(1, ...times(50, 'suspect', 'admitted'), 'suspect');
    assert.equal(told.at(-1)?.type, 'admitted');
    at(10_000);
    events.nextSecond();
    assert.equal(told.at(-1)?.type, 'suspect');
    add(1, 'admitted');
    assert.equal(told.at(-1)?.type, 'admitted');
  });

  test('are bounded too when it registers again and again', () => {
    const { told, add } = logOf();
    add(1, ...times(1000, 'replaced', 'registered', 'admitted'));
    assert.ok(told.length <= LIMIT + 1, String(told.length));
    assert.equal(told.at(-1)?.type, 'admitted');
  });
});

test('an event is known again only within one start of the proxy', () => {
  let wallMs = 1_000;
  const [one, other] = [new EventLog(() => wallMs), new EventLog(() => (wallMs += 1))];
  const registration = { id: 1, policy: '1', host: '10.0.0.1', port: 1, keepsAlive: true, incarnation: null };
  one.add('registered', new Upstream(registration, 1, 1, newcomer(0, ''), 0), because(''));
  const id = one.idOf(one.since(0)[0] as ClusterEvent);
  assert.deepEqual([one.seqOf(id), other.seqOf(id)], [1, 0]);
});
