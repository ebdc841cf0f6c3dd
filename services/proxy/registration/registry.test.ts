// test · what an event says of the requests that a server was handed, where other threads hand it requests at that moment.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SetupPacket } from '../../shared/packet.ts';
import { isInRotation, type State } from '../health/health.ts';
import type { HealthChecker } from '../health/health-checker.ts';
import { readProxyOptions } from '../options.ts';
import { PolicyTable } from '../routing/policy-table.ts';
import type { UpstreamPool } from '../servers/upstream.ts';
import { Upstream } from '../servers/upstream.ts';
import { EventLog } from '../status/events.ts';
import { Registry } from './registry.ts';

const ORDER = { by: 'a test', reason: '' };
const PACKET = {
  ...{ kind: 'setup', id: 1, policy: '1', policyAsWritten: '1', listenPort: 9000 },
  ...{ keepsAlive: true, hasSession: false, incarnation: null },
} as unknown as SetupPacket;

/** Another thread hands a server a request as soon as that has come in, and one just before it goes out. */
class BusyTable extends PolicyTable {
  override place(upstream: Upstream, nowMs: number): void {
    super.place(upstream, nowMs);
    upstream.tally.sent += 1;
  }
}

test('an event has what was handed over before the server came in, and all until it went out', () => {
  const table = new BusyTable();
  const events = new EventLog(() => 0, 'boot');
  const idle = { watch: () => {}, unwatch: () => {}, onNeeded: () => {} } as unknown as HealthChecker;
  const world = {
    ...{ table, events, now: () => 0, wallNow: () => 0 },
    makePool: () => ({ destroy: () => {} }) as UpstreamPool,
    ...{ onRouteChanged: () => {}, onLeaving: () => {}, onRemoved: () => {} },
  };
  const registry = new Registry(readProxyOptions([], {}), world, idle);
  const upstream = registry.register(PACKET, '10.0.0.1');
  assert.ok(upstream instanceof Upstream);
  const set = (state: State): void => {
    upstream.health = { ...upstream.health, state };
    registry.onFlip(upstream);
  };
  set('ready');
  set('suspect');
  set('ready');
  registry.drain(upstream, ORDER);
  registry.resume(upstream, ORDER);
  set('evicted');
  assert.ok(!isInRotation(upstream.health.state));
  assert.deepEqual(
    events.since(0).map(({ type, sent }) => [type, sent]),
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
