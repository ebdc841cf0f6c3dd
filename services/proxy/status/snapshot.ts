// What the proxy shows of itself: the table and the counters at one moment.
import type { Id } from '../../shared/packet.ts';
import type { ListenerCounters } from '../clients/listener.ts';
import type { ForwarderCounters } from '../routing/forwarder.ts';
import type { PolicyTable } from '../routing/policy-table.ts';
import type { Upstream } from '../servers/upstream.ts';

export type SnapshotSources = {
  table: PolicyTable;
  counters: ForwarderCounters;
  listenerCounters: ListenerCounters;
  openRequests: () => number;
  connections: () => number;
};

type ServerSnapshot = Readonly<{
  id: Id;
  policy: string;
  address: string;
  state: string;
  since: string;
  why: string;
  lastProbe: Readonly<{ at: string; outcome: string; roundTripMs: number; detail: string }> | null;
  sent: number;
  served: number;
  failed: number;
  inFlight: number;
  session: boolean;
  keepAlive: boolean;
}>;

export type Snapshot = Readonly<{
  at: string;
  policies: readonly Readonly<{
    policy: string;
    nextIndex: number;
    waiting: number;
    servers: readonly ServerSnapshot[];
  }>[];
  proxy: Readonly<ForwarderCounters & ListenerCounters> &
    Readonly<{ abandoned: number; openRequests: number; connections: number }>;
}>;

/** Policies are in the order of their names, with numbers by their size. */
export function snapshotOf(sources: SnapshotSources): Snapshot {
  const { table, counters, listenerCounters } = sources;
  const routes = [...table.routes].sort((a, b) =>
    a.policy.localeCompare(b.policy, undefined, { numeric: true }),
  );
  const openRequests = sources.openRequests();
  return Object.freeze({
    at: new Date().toISOString(),
    policies: routes.map((route) => ({
      policy: route.policy,
      nextIndex: route.rotation.nextIndex,
      waiting: route.waiting.length,
      servers: route.upstreams.map(describe),
    })),
    proxy: {
      ...counters,
      errors: { ...counters.errors },
      refusals: { ...counters.refusals },
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

function describe(upstream: Upstream): ServerSnapshot {
  const { id, policy, address, health, lastProbe } = upstream;
  return {
    id,
    policy,
    address,
    state: health.state,
    since: new Date(upstream.stateSinceWallMs).toISOString(),
    why: health.why,
    lastProbe:
      lastProbe === null
        ? null
        : {
            at: new Date(lastProbe.atWallMs).toISOString(),
            outcome: lastProbe.outcome,
            roundTripMs: Math.round(lastProbe.roundTripMs * 100) / 100,
            detail: lastProbe.detail,
          },
    sent: upstream.sent,
    served: upstream.served,
    failed: upstream.failed,
    inFlight: upstream.inFlight,
    session: upstream.hasSession,
    keepAlive: upstream.keepsAlive,
  };
}
