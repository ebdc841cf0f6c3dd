// A recording is dated from the start of the load, whatever came first, and leaves nothing out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Replica } from '../../cluster/docker.ts';
import type { ProxyEvent } from '../../kit/proxy-events.ts';
import type { RequestRecord } from '../../load/exchange.ts';
import type { PlannedFault } from '../plan.ts';
import { makePlan } from '../plans.ts';
import { scenarioOf } from '../scenarios/index.ts';
import { Recorder } from './recorder.ts';

const PLAN = makePlan(scenarioOf({ scenario: 'kill' }), {
  seed: 1,
  rate: 500,
  services: { 'server-p1': '1' },
  serversPerPolicy: 2,
  faultsMs: 6_000,
  onlyPolicy: null,
});
const FAULT: PlannedFault = { id: 1, kind: 'kill', targets: ['server-p1-1'], atMs: 5, forMs: 9, params: {} };
const REPLICA: Replica = {
  name: 'server-p1-1',
  service: 'server-p1',
  containerId: 'abc'.padEnd(64, '0'),
  serverId: 'abc',
  policy: '1',
  state: 'running',
  address: '172.18.0.3',
};

const event = (atMs: number): ProxyEvent => {
  const entry = { policy: '1', id: 'abc', address: '172.18.0.3:9000', sent: 0 };
  const because = { cause: 'probe-passed', why: 'so', evidence: {} } as const;
  return { atMs, boot: 0, seq: 1, type: 'admitted', ...entry, ...because };
};
const request = (more: Partial<RequestRecord>): RequestRecord => {
  const ok = { outcome: 'ok' as const, detail: 'abc' };
  return { dueEpochMs: 0, latencyMs: 1, policy: '1', attempts: 1, first: null, ...ok, ...more };
};

function recorder(startMs = 1_000_000): { recorder: Recorder; at: (ms: number) => void } {
  let nowMs = startMs;
  const made = new Recorder(PLAN, () => nowMs);
  return {
    recorder: made,
    at: (ms) => {
      nowMs = ms;
    },
  };
}

test('the first attempt of a request that ended before time 0 was known is dated like all else', () => {
  const { recorder: made } = recorder(1_000_000);
  const first = {
    outcome: 'lost' as const,
    detail: 'reset',
    sentEpochMs: 1_005_001,
    endedMs: 4,
    openedEpochMs: 1_004_990,
  };
  made.request(request({ dueEpochMs: 1_005_000, attempts: 2, first }));
  made.start(1_005_000);
  const row = made.finish(null, [], null).requests[0];
  assert.equal(row?.dueMs, 0);
  assert.deepEqual(row?.first, { outcome: 'lost', detail: 'reset', sentMs: 1, endMs: 4, openedMs: -10 });
});

test('what was noted before the load is dated anew, what is too old is left out', () => {
  const { recorder: made } = recorder(1_000_000);
  made.views[0]?.events.push(event(1_000_000));
  made.views[0]?.events.push(event(1_004_500));
  made.views[0]?.tables.push({ atMs: 1_004_900, boot: 0, isReady: true, servers: [] });
  made.start(1_005_000);
  made.views[0]?.events.push(event(1_005_250));
  const { events, tables } = made.finish(null, [], null);
  assert.deepEqual(
    events.map(({ atMs }) => atMs),
    [-500, 250],
  );
  assert.equal(tables[0]?.atMs, -100);
});

test('requests are counted by outcome, dated, and put in the order of their intended start', () => {
  const { recorder: made } = recorder();
  made.start(2_000_000);
  made.request(request({ dueEpochMs: 2_000_030.5 }));
  const first = {
    outcome: 'lost' as const,
    detail: 'reset',
    sentEpochMs: 2_000_011,
    endedMs: 4,
    openedEpochMs: 2_000_012,
  };
  made.request(request({ dueEpochMs: 2_000_010, attempts: 2, first }));
  made.request(request({ dueEpochMs: 2_000_020, outcome: 'error', detail: 'NO_SERVER' }));
  assert.deepEqual({ ...made.counts }, { ok: 2, wrong: 0, error: 1, lost: 0, dropped: 0 });
  const { requests } = made.finish(null, [], null);
  assert.deepEqual(
    requests.map(({ dueMs }) => dueMs),
    [10, 20, 30.5],
  );
  assert.deepEqual(requests[0]?.first, {
    outcome: 'lost',
    detail: 'reset',
    sentMs: 11,
    endMs: 14,
    openedMs: 12,
  });
  assert.equal(made.requestsDue(10, 30).length, 2);
});

test('a fault is noted with its hits; a second healing changes nothing', () => {
  const { recorder: made, at } = recorder(0);
  at(100);
  const record = made.fault(FAULT, 42);
  at(110);
  const hit = made.hit(record, REPLICA);
  at(120);
  hit.struck(115);
  hit.struck();
  assert.equal(made.activeFaults.length, 1);
  at(200);
  hit.healing();
  at(230);
  hit.healed();
  record.healedMs = 230;
  at(300);
  hit.healed();
  const [fault] = made.finish(null, ['server-p1-2 is paused.'], 'it was interrupted').faults;
  assert.deepEqual(fault, {
    id: 1,
    kind: 'kill',
    targets: ['server-p1-1'],
    params: {},
    injectMs: 100,
    injectedMs: 100,
    healMs: null,
    healedMs: 230,
    hits: [
      {
        target: 'server-p1-1',
        serverId: 'abc',
        policy: '1',
        fromMs: 110,
        struckMs: 115,
        healMs: 200,
        healedMs: 230,
      },
    ],
    isProven: false,
    proof: 'not looked at',
    conntrack: 42,
  });
  assert.equal(made.activeFaults.length, 0);
});

test('the proxy has no server id, and what was not proven says so', () => {
  const { recorder: made } = recorder(0);
  made.hit(made.fault(FAULT, null), { ...REPLICA, name: 'proxy-1', service: 'proxy', policy: null });
  const { faults, leftovers, cutShort } = made.finish(null, ['left'], 'why');
  assert.equal(faults[0]?.hits[0]?.serverId, null);
  assert.deepEqual([faults[0]?.isProven, leftovers, cutShort], [false, ['left'], 'why']);
});

test('the calibration, and the proxy that closes and listens again, are dated from the start of the load', () => {
  const { recorder: made } = recorder(1_000_000);
  made.views[0]?.listens.push(1_000_500);
  made.machine.push({ atMs: 1_000_900, loadLagMs: 3, waitMs: {}, conntrack: null });
  made.start(1_001_000);
  made.views[0]?.closes.push(1_002_000);
  made.views[0]?.listens.push(1_003_000);
  const { machine, listens, closes } = made.finish(null, [], null);
  assert.deepEqual([listens, closes], [[-500, 2_000], [1_000]]);
  assert.equal(machine[0]?.atMs, -100);
});

test('an engine with another clock can not say that a fault struck before it was tried, or will strike', () => {
  const { recorder: made, at } = recorder(0);
  at(100);
  const record = made.fault(FAULT, null);
  made.hit(record, REPLICA).struck(50);
  made.hit(record, REPLICA).struck(5_000);
  const [fault] = made.finish(null, [], null).faults;
  assert.deepEqual(
    fault?.hits.map(({ struckMs }) => struckMs),
    [100, 100],
  );
});
