// What the proxy shows of itself: the table and the counters at one moment.
import type { ListenerCounters } from '../clients/listener.ts';
import type { ForwarderCounters } from '../routing/forwarder.ts';
import type { PolicyTable, Route } from '../routing/policy-table.ts';
import type { DrainOrder, ProbeRecord, Upstream } from '../servers/upstream.ts';

export type SnapshotSources = {
  table: PolicyTable;
  counters: ForwarderCounters;
  listenerCounters: ListenerCounters;
  openRequests: () => number;
  connections: () => number;
};

export type Snapshot = ReturnType<typeof snapshotOf>;

/** The policies in the order of their names, with numbers by their size. */
export function sortedRoutes({ routes }: PolicyTable): Route[] {
  return [...routes].sort((a, b) => a.policy.localeCompare(b.policy, undefined, { numeric: true }));
}

/** All of it, with the policies in their order. */
export function snapshotOf(sources: SnapshotSources) {
  const { table, counters, listenerCounters } = sources;
  const openRequests = sources.openRequests();
  return Object.freeze({
    at: new Date().toISOString(),
    policies: sortedRoutes(table).map((route) => ({
      policy: route.policy,
      nextIndex: route.rotation.nextIndex,
      nextId: route.rotation.next?.id ?? null,
      waiting: route.waitingCount,
      servers: route.upstreams.map(describe),
    })),
    proxy: {
      ...counters,
      errors: { ...counters.errors },
      refusals: { ...counters.refusals },
      retryReasons: { ...counters.retryReasons },
      abandoned: abandonedOf(counters, openRequests),
      ...listenerCounters,
      openRequests,
      connections: sources.connections(),
    },
  });
}

// What has ended neither with an answer nor with a refusal: its client has left.
function abandonedOf({ requests, answered, errors }: ForwarderCounters, open: number): number {
  return requests - answered - Object.values(errors).reduce((sum, count) => sum + count, 0) - open;
}

function describe(upstream: Upstream) {
  const { id, policy, address, health, lastProbe, drainOrder } = upstream;
  return {
    id,
    policy,
    address,
    state: health.state,
    since: new Date(upstream.stateSinceWallMs).toISOString(),
    why: health.why,
    drained: drainOrder === null ? null : describeOrder(drainOrder),
    lastProbe: lastProbe === null ? null : describeProbe(lastProbe),
    sent: upstream.tally.sent,
    served: upstream.tally.served,
    failed: upstream.tally.failed,
    inFlight: upstream.tally.inFlight,
    session: upstream.hasSession,
    keepAlive: upstream.keepsAlive,
  };
}

function describeOrder({ by, reason, sinceWallMs }: DrainOrder) {
  return { by, reason, since: new Date(sinceWallMs).toISOString() };
}

function describeProbe({ atMs, ...probe }: ProbeRecord) {
  return { at: new Date(atMs).toISOString(), ...probe };
}
