// One worker: it serves requests by its copy of the table, and tells the keeper what they show of the servers.
import { LimitedLog, type Log } from '../../shared/log.ts';
import type { Core } from '../core/core.ts';
import { createDataPath } from '../core/data-path.ts';
import { every } from '../core/timers.ts';
import type { World } from '../core/world.ts';
import { LoopDelay } from '../metrics/control.ts';
import type { ProxyOptions } from '../options.ts';
import type { TrafficJudge } from '../routing/forwarder.ts';
import { PolicyTable, Route } from '../routing/policy-table.ts';
import { RetryBudget } from '../routing/retry-budget.ts';
import { sampleEndings } from './endings.ts';
import type { ToKeeper, ToWorker } from './messages.ts';
import { Relay } from './relay.ts';
import { Reporter } from './report.ts';
import { SharedHand } from './shared/hands.ts';
import { SharedPlaces } from './shared/places.ts';
import { TableCopy } from './table/table-copy.ts';

const SECOND_MS = 1000;

/** What a worker is told when it is made. */
export type WorkerStart = {
  /** From 0. */
  index: number;
  /** Names this start of the worker, in the ids of refusals. */
  boot: string;
  places: SharedArrayBuffer;
  hands: SharedArrayBuffer;
};

export type Worker = {
  receive(message: ToWorker): void;
  /** For what watches it from within. */
  sources: Pick<Core['sources'], 'table' | 'counters' | 'openRequests'>;
};

/**
 * @param options those of the whole proxy
 * @param accessLogDropped lines of its access log that nobody was there to take
 * @param close ends what it has written; called before the last message
 */
export function createWorker(
  options: ProxyOptions,
  { index, boot, places, hands }: WorkerStart,
  world: World,
  post: (message: ToKeeper) => void,
  { accessLogDropped, close }: { accessLogDropped(): number; close(): Promise<void> },
): Worker {
  const { clock } = world;
  const share = shareOf(options);
  const log: Log = (line) => post({ kind: 'log', line });
  const logs = { refusals: new LimitedLog(log), details: new LimitedLog(log, 'debug') };
  const hand = new SharedHand(hands, index);
  const table = new PolicyTable(
    (policy) => new Route(policy, undefined, new RetryBudget(1 / options.workers), hand),
  );
  const relay = new Relay(post);
  const judge: TrafficJudge = {
    onBroke: (upstream, suspect) => post({ kind: 'broke', ref: copy.refOf(upstream), suspect }),
    onFailure: (upstream, failure, request) =>
      post({ kind: 'failure', ref: copy.refOf(upstream), failure, request, atMs: clock.now() }),
    onSilence: (upstream, request) => post({ kind: 'silence', ref: copy.refOf(upstream), request }),
    onTrialPassed: (upstream) => post({ kind: 'trial-passed', ref: copy.refOf(upstream) }),
  };
  const loopDelay = new LoopDelay();
  const dataPath = createDataPath(share, log, world, {
    table,
    judge,
    logs,
    boot,
    loopDelay,
    registrar: relay.registrar,
    sessions: relay.sessions,
    onDrained: (upstream) => post({ kind: 'drained', ref: copy.refOf(upstream) }),
    occupancy: new SharedPlaces(places, index),
  });
  const { forwarder, listener } = dataPath;
  const copy = new TableCopy(index, table, share, forwarder, dataPath.makePool);
  const reporter = new Reporter({
    forwarder,
    listenerCounters: listener.counters,
    loopDelay,
    accessLogDropped,
    now: clock.now,
    servers: () => copy.servers,
    routes: () => table.routes,
  });
  let stopSampling = (): void => {};
  every(clock, SECOND_MS, (asOfMs) => {
    for (const part of Object.values(logs)) part.nextSecond();
    table.prune(asOfMs);
  });

  async function open(port: number): Promise<void> {
    try {
      await dataPath.open(port);
      post({ kind: 'opened' });
    } catch (error) {
      const { code, message, port } = error as NodeJS.ErrnoException & { port?: number };
      post({ kind: 'unopened', code, message, port });
    }
  }

  async function stop(otherProxies: readonly string[] | null): Promise<void> {
    await dataPath.stop(otherProxies);
    await close();
    post({ kind: 'report', report: reporter.next() });
    post({ kind: 'closed' });
  }

  return {
    sources: { table, counters: forwarder.counters, openRequests: () => forwarder.openRequests },
    receive: (message) => {
      switch (message.kind) {
        case 'open':
          void open(message.port);
          return;
        case 'answer':
        case 'send':
        case 'close':
          relay.receive(message);
          return;
        case 'report':
          post({ kind: 'report', report: reporter.next() });
          return;
        case 'watch':
          stopSampling();
          stopSampling = message.isOn
            ? sampleEndings(forwarder.traffic, clock, (ending) => post({ kind: 'ending', ending }))
            : () => {};
          return;
        case 'stop':
          void stop(message.otherProxies);
          return;
        default:
          copy.apply(message);
      }
    },
  };
}

// What is not counted for all workers together, each has a share of.
function shareOf(options: ProxyOptions): ProxyOptions {
  const of = (value: number): number => Math.ceil(value / options.workers);
  return {
    ...options,
    maxWaiting: of(options.maxWaiting),
    upstreamConnections: of(options.upstreamConnections),
    oneRequestConnections: of(options.oneRequestConnections),
  };
}
