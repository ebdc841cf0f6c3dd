// The cluster at one moment, as the live page shows it: each server with why, since when, and what changes it next.
import { JOIN_WITHIN_MS, type Thresholds } from '../health/health.ts';
import type { ClusterState, Next, Policy, Server, State } from '../page/browser/model/contract.ts';
import type { PolicyTable, Route } from '../routing/policy-table.ts';
import { noRecentCounts, quantileOf } from '../servers/durations.ts';
import type { ProbeRecord, Upstream } from '../servers/upstream.ts';
import type { History } from './history.ts';
import type { Names } from './names.ts';
import { sortedRoutes } from './snapshot.ts';

export type RowSources = {
  table: PolicyTable;
  openRequests: () => number;
  connections: () => number;
  thresholds: Thresholds;
  history: Pick<History, 'rateOf' | 'now'>;
  names: Pick<Names, 'of'>;
  /** Monotonic ms. */
  now: () => number;
  /** Ms since the epoch. */
  wallNow: () => number;
};

/** A probe of up to so many ms is drawn lowest, and each doubling a step higher. */
const LOWEST_BAR_MS = 0.25;
const HIGHEST_BAR = 9;

/** Policies are in the order of their names, with numbers by their size. */
export function stateOf(sources: RowSources): ClusterState {
  const { table, history, openRequests, connections } = sources;
  const routes = sortedRoutes(table);
  return {
    atMs: sources.wallNow(),
    proxy: {
      ...history.now,
      inFlight: openRequests(),
      waiting: routes.reduce((sum, { waitingCount }) => sum + waitingCount, 0),
      connections: connections(),
    },
    policies: routes.map((route) => describeRoute(route, sources)),
  };
}

function describeRoute(route: Route, sources: RowSources): Policy {
  const { policy, upstreams, rotation } = route;
  const recent = noRecentCounts();
  for (const { durations } of upstreams) durations.addRecentTo(recent);
  return {
    policy,
    nextId: rotation.next?.id ?? null,
    waiting: route.waitingCount,
    budgetRatio: route.budgetLeft(sources.now()),
    p50Ms: quantileOf(recent, 0.5),
    p99Ms: quantileOf(recent, 0.99),
    servers: upstreams.map((upstream) => rowOf(upstream, sources)),
  };
}

/** One server's row. */
export function rowOf(upstream: Upstream, sources: RowSources): Server {
  const { id, policy, host, address, health, drainOrder, durations, lastProbe, probes } = upstream;
  const { history, names } = sources;
  return {
    id,
    policy,
    address,
    name: names.of(host),
    // What is forgotten is in no table.
    state: health.state as State,
    sinceMs: upstream.stateSinceWallMs,
    why: health.why,
    ordered: drainOrder === null ? 'none' : 'drained',
    orderedBy: drainOrder?.by ?? null,
    orderedReason: drainOrder?.reason ?? null,
    orderedSinceMs: drainOrder?.sinceWallMs ?? null,
    next: nextOf(upstream, sources),
    ejections: health.ejections,
    lastProbe,
    bars: probes.map(barOf).join(''),
    requestsPerS: history.rateOf(upstream),
    inFlight: upstream.tally.inFlight,
    served: upstream.tally.served,
    failed: upstream.tally.failed,
    p50Ms: durations.quantile(0.5),
    p99Ms: durations.quantile(0.99),
    session: upstream.hasSession,
    keepAlive: upstream.keepsAlive,
  };
}

// What would change its state, and when.
function nextOf(
  { health, nextProbeMs, stateSinceWallMs, tally }: Upstream,
  sources: RowSources,
): Next | null {
  const { thresholds, now, wallNow } = sources;
  const onTheClock = (monotonicMs: number): number => wallNow() + monotonicMs - now();
  const nextProbe = nextProbeMs === 0 ? null : onTheClock(nextProbeMs);
  switch (health.state) {
    case 'joining':
      return {
        kind: 'first-probe',
        nextProbeMs: nextProbe,
        givenUpMs: stateSinceWallMs + JOIN_WITHIN_MS,
      };
    case 'evicted':
      return {
        kind: 'good-probes',
        have: health.passes,
        need: thresholds.rise,
        nextProbeMs: nextProbe,
        forgottenMs: stateSinceWallMs + thresholds.forgetAfterMs,
      };
    case 'ejected':
      return { kind: 'penalty', endsMs: onTheClock(health.penaltyEndsMs) };
    case 'suspect':
      return { kind: 'deciding-probe', byMs: nextProbe };
    case 'trial':
      return { kind: 'trial' };
    case 'ready':
      return {
        kind: 'would-leave',
        failed: health.failures,
        fall: thresholds.fall,
        nextProbeMs: nextProbe,
      };
    case 'leaving':
      return { kind: 'drain', open: tally.inFlight };
    case 'standby':
    case 'forgotten':
      return null;
    default:
      return health.state satisfies never;
  }
}

function barOf({ outcome, roundTripMs }: ProbeRecord): string {
  if (outcome === 'local') return '-';
  if (outcome !== 'pass') return '!';
  const height = Math.round(Math.log2(Math.max(LOWEST_BAR_MS, roundTripMs) / LOWEST_BAR_MS));
  return String.fromCharCode('a'.charCodeAt(0) + Math.min(HIGHEST_BAR, height));
}
