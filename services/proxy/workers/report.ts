// What the workers have counted: each reports what has come since its last report, the keeper adds it up.
import type { ListenerCounters } from '../clients/listener.ts';
import type { ControlCounts } from '../metrics/control.ts';
import type { Traffic } from '../metrics/traffic.ts';
import type { Forwarder } from '../routing/forwarder.ts';
import type { Route } from '../routing/policy-table.ts';
import type { Request } from '../routing/request.ts';
import type { Upstream } from '../servers/upstream.ts';
import type { Gauges, Ref, Report, WorkerCounts } from './messages.ts';

type Counts = { [name: string]: number | Counts };

export type ReporterSources = {
  forwarder: Pick<Forwarder, 'counters' | 'traffic' | 'openRequests'>;
  listenerCounters: ListenerCounters;
  loopDelay: ControlCounts['loopDelay'];
  accessLogDropped: () => number;
  servers: () => Iterable<[Ref, Upstream]>;
  routes: () => Iterable<Route>;
  /** Monotonic ms. */
  now: () => number;
};

/** Of a worker. */
export class Reporter {
  readonly #sources: ReporterSources;
  #before: Counts = {};

  constructor(sources: ReporterSources) {
    this.#sources = sources;
  }

  /** All that has been counted since the last time. */
  next(): Report {
    const { forwarder, listenerCounters, loopDelay, accessLogDropped, servers, routes, now } = this.#sources;
    const counts = structuredClone({
      forwarder: forwarder.counters,
      listener: listenerCounters,
      accessLogDropped: accessLogDropped(),
      activeMs: performance.eventLoopUtilization().active,
    });
    const since = difference(counts, this.#before) as WorkerCounts;
    this.#before = counts;
    const nowMs = now();
    return {
      counts: since,
      traffic: [...forwarder.traffic.policies].map((policy) => policy.take()),
      loopDelay: loopDelay.take(),
      durations: [...servers()].flatMap(([ref, { durations }]) => {
        const taken = durations.take();
        return taken === null ? [] : [{ ref, counts: taken }];
      }),
      gauges: {
        openRequests: forwarder.openRequests,
        heapBytes: process.memoryUsage().heapUsed,
        routes: new Map(
          Iterator.from(routes()).map((route) => {
            return [route.policy, { waiting: route.waitingCount, budgetLeft: route.budgetLeft(nowMs) }];
          }),
        ),
      },
    };
  }
}

/** Of the keeper: what all workers have reported. */
export class Totals {
  readonly counts: WorkerCounts;
  readonly traffic: Traffic<Request>;
  readonly #gauges: (Gauges | null)[];
  readonly #loopDelay: ControlCounts['loopDelay'];
  readonly #findServer: (ref: Ref) => Upstream | undefined;

  /** @param refusals those of the keeper itself, which are added to those of the workers */
  constructor(
    workers: number,
    traffic: Traffic<Request>,
    refusals: { ofRequests: Record<string, number>; ofOthers: Record<string, number> },
    loopDelay: ControlCounts['loopDelay'],
    findServer: (ref: Ref) => Upstream | undefined,
  ) {
    this.#gauges = Array<Gauges | null>(workers).fill(null);
    this.#loopDelay = loopDelay;
    this.#findServer = findServer;
    this.traffic = traffic;
    const none = { requests: 0, answered: 0, retries: 0, moves: 0, lateAnswers: 0, slippedAnswers: 0 };
    this.counts = {
      forwarder: {
        ...none,
        retryReasons: {},
        localFailures: 0,
        errors: refusals.ofRequests,
        refusals: refusals.ofOthers,
      },
      listener: { refusedConnections: 0, acceptFailures: 0 },
      accessLogDropped: 0,
      activeMs: 0,
    };
  }

  add(worker: number, { counts, traffic, loopDelay, durations, gauges }: Report): void {
    addCounts(this.counts, counts);
    for (const taken of traffic) this.traffic.of(taken.policy).add(taken);
    this.#loopDelay.add(loopDelay);
    for (const taken of durations) this.#findServer(taken.ref)?.durations.addAll(taken.counts);
    this.#gauges[worker] = gauges;
  }

  /** A worker is gone; what it has counted stays. */
  forget(worker: number): void {
    this.#gauges[worker] = null;
  }

  get openRequests(): number {
    return this.#sum(({ openRequests }) => openRequests);
  }

  get heapBytes(): number {
    return this.#sum(({ heapBytes }) => heapBytes);
  }

  waitingOf(policy: string): number {
    return this.#sum(({ routes }) => routes.get(policy)?.waiting ?? 0);
  }

  /** Of the worker that has least left of it. */
  budgetLeftOf(policy: string): number {
    return Math.min(...this.#gauges.map((gauges) => gauges?.routes.get(policy)?.budgetLeft ?? 1));
  }

  #sum(of: (gauges: Gauges) => number): number {
    return this.#gauges.reduce((sum, gauges) => sum + (gauges === null ? 0 : of(gauges)), 0);
  }
}

function difference(now: Counts, before: Counts): Counts {
  return Object.fromEntries(
    Object.entries(now).map(([name, value]) => {
      const earlier = before[name];
      if (typeof value === 'number') return [name, value - (typeof earlier === 'number' ? earlier : 0)];
      return [name, difference(value, typeof earlier === 'object' ? earlier : {})];
    }),
  );
}

function addCounts(total: Counts, part: Counts): void {
  for (const [name, value] of Object.entries(part)) {
    const before = total[name];
    if (typeof value === 'number') total[name] = (typeof before === 'number' ? before : 0) + value;
    else if (typeof before === 'object') addCounts(before, value);
  }
}
