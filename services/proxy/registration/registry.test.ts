import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SetupPacket } from '../../shared/packet.ts';
import { isInRotation, type State } from '../health/health.ts';
import type { HealthChecker } from '../health/health-checker.ts';
import { readProxyOptions } from '../options.ts';
import { PolicyTable } from '../routing/policy-table.ts';
import { type LeaseConnection, Upstream, type UpstreamPool } from '../servers/upstream.ts';
import { EventLog } from '../status/events.ts';
import { Registry, type RegistryWorld } from './registry.ts';

const ORDER = { by: 'a test', reason: '' };
const PACKET = {
  kind: 'setup',
  id: 1,
  policy: '1',
  policyAsWritten: '1',
  listenPort: 9000,
  keepsAlive: true,
  hasSession: false,
  incarnation: null,
} as unknown as SetupPacket;

// A registry whose `did` notes what becomes of servers, and of the connections to them.
class Scene {
  readonly did: string[] = [];
  readonly table: PolicyTable;
  readonly events = new EventLog(() => 0, 'boot');
  readonly registry: Registry;

  constructor(table = new PolicyTable(), maxServers = 10) {
    const note =
      (what: string) =>
      ({ id }: Upstream): void =>
        void this.did.push(`${id} ${what}`);
    const checker: Partial<HealthChecker> = {
      watch: () => {},
      unwatch: () => {},
      onNeeded: note('needed'),
      probeNow: note('probed'),
    };
    const world: RegistryWorld = {
      table,
      events: this.events,
      now: () => 0,
      wallNow: () => 0,
      makePool: (upstream) => {
        const pool = { destroy: () => note('cut off')(upstream), retire: () => note('retired')(upstream) };
        return pool as Partial<UpstreamPool> as UpstreamPool;
      },
      onRouteChanged: () => {},
      onLeaving: () => {},
      onRemoved: (upstream, lastWords) => note(lastWords === null ? 'removed' : 'removed and told')(upstream),
    };
    const options = { ...readProxyOptions([], {}), maxServers };
    this.table = table;
    this.registry = new Registry(options, world, checker as HealthChecker);
  }

  register(packet: Partial<SetupPacket> = {}, host = '10.0.0.1'): Upstream {
    const upstream = this.registry.register({ ...PACKET, ...packet }, host);
    assert.ok(upstream instanceof Upstream);
    return upstream;
  }

  set(upstream: Upstream, state: State, sinceMs = 0): void {
    upstream.health = { ...upstream.health, state, sinceMs };
    this.registry.onFlip(upstream);
  }
}

/** Another thread hands a server a request as soon as that has come in, and one just before it goes out. */
class BusyTable extends PolicyTable {
  override place(upstream: Upstream, nowMs: number): void {
    super.place(upstream, nowMs);
    upstream.tally.sent += 1;
  }
}

test('an event has what was handed over before the server came in, and all until it went out', () => {
  const scene = new Scene(new BusyTable());
  const upstream = scene.register();
  scene.set(upstream, 'ready');
  scene.set(upstream, 'suspect');
  scene.set(upstream, 'ready');
  scene.registry.drain(upstream, ORDER);
  scene.registry.resume(upstream, ORDER);
  scene.set(upstream, 'evicted');
  assert.ok(!isInRotation(upstream.health.state));
  assert.deepEqual(
    scene.events.since(0).map(({ type, sent }) => [type, sent]),
    [
      ['registered', 0],
      ['admitted', 0],
      ['suspect', 2],
      ['admitted', 2],
      ['drained', 4],
      ['resumed', 4],
      ['evicted', 6],
    ],
  );
});

test('the connections to a server end when it is evicted, and when it is forgotten', () => {
  const scene = new Scene();
  const [one, other] = [scene.register(), scene.register({ id: 2 }, '10.0.0.2')];
  for (const upstream of [one, other]) scene.set(upstream, 'ready');
  scene.set(one, 'evicted');
  assert.deepEqual(scene.did.splice(0), ['1 cut off']);
  scene.set(one, 'forgotten');
  assert.deepEqual(scene.did, ['1 cut off', '1 removed']);
});

test('one whose id has moved finishes what it has, until another one registers its address', () => {
  const scene = new Scene();
  scene.register();
  scene.register({}, '10.0.0.2');
  assert.deepEqual(scene.did.splice(0), ['1 retired', '1 removed and told']);
  scene.register({ id: 2 });
  assert.deepEqual(scene.did, ['1 cut off']);
});

test('when the last server of a policy goes, those are called back that are out for what can wait', () => {
  const scene = new Scene();
  const [one, two, three] = [1, 2, 3].map((id) => scene.register({ id }, `10.0.0.${id}`));
  scene.set(one as Upstream, 'ready');
  scene.set(two as Upstream, 'ejected');
  scene.set(three as Upstream, 'suspect');
  scene.did.splice(0);
  scene.set(one as Upstream, 'evicted');
  assert.deepEqual(scene.did, ['1 cut off', '2 needed', '3 needed']);
});

test('a server that has started again keeps its place in the order, unless it was evicted', () => {
  const scene = new Scene();
  const first = scene.register({ incarnation: 'a' });
  const again = scene.register({ incarnation: 'b' });
  assert.notEqual(again, first);
  assert.equal(again.order, first.order);
  scene.set(again, 'evicted');
  const { order } = again;
  assert.ok(scene.register({ incarnation: 'c' }).order > order);
});

test('one that registers again as it is, is probed at once where it is not ready', () => {
  const scene = new Scene();
  const upstream = scene.register({ incarnation: 'a' });
  scene.set(upstream, 'ready');
  assert.equal(scene.register({ incarnation: 'a' }), upstream);
  scene.set(upstream, 'suspect');
  scene.did.splice(0);
  assert.equal(scene.register({ incarnation: 'a' }), upstream);
  assert.deepEqual(scene.did, ['1 probed']);
  scene.set(upstream, 'leaving');
  assert.notEqual(scene.register({ incarnation: 'a' }), upstream);
});

test('of a full table that goes which was evicted first, and none that has not been probed yet', () => {
  const scene = new Scene(new PolicyTable(), 3);
  const [one, two] = [1, 2, 3].map((id) => scene.register({ id }, `10.0.0.${id}`)) as [Upstream, Upstream];
  assert.match(String(scene.registry.register({ ...PACKET, id: 4 }, '10.0.0.4')), /^The table is full/);
  scene.set(one, 'evicted', 20);
  scene.set(two, 'evicted', 10);
  scene.register({ id: 4 }, '10.0.0.4');
  assert.deepEqual([...scene.table.upstreams].map(({ id }) => id).sort(), [1, 3, 4]);
});

test('a session is that of one start of a server', () => {
  const scene = new Scene();
  const upstream = scene.register({ incarnation: 'a' });
  upstream.lease = {} as LeaseConnection;
  assert.equal(scene.registry.hasSession({ ...PACKET, incarnation: 'a' }), true);
  for (const incarnation of ['b', null])
    assert.equal(scene.registry.hasSession({ ...PACKET, incarnation }), false);
});
