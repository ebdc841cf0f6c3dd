// The proxy on a real network: the core, and the status listener beside it.
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { isWildcard } from '../shared/addresses.ts';
import { systemClock } from '../shared/clock.ts';
import type { Log, LogLevel } from '../shared/log.ts';
import { ownVersion } from '../shared/version.ts';
import { type Core, createCore } from './core/core.ts';
import { openSystemWorld, type SystemWorld } from './core/system-world.ts';
import { metricsReply } from './metrics/exposition.ts';
import type { MetricSources } from './metrics/families.ts';
import { otherProxies } from './network/peers.ts';
import type { ProxyHeaders } from './network/proxy-protocol/proxy-protocol.ts';
import type { ProxyOptions } from './options.ts';
import type { Hello } from './page/browser/model/contract.ts';
import { findPage } from './page/files.ts';
import { SHARE_OF_REQUESTS } from './routing/retry-budget.ts';
import type { ActSources } from './status/acts.ts';
import type { EventLog } from './status/events.ts';
import { Faults } from './status/faults.ts';
import { History } from './status/history.ts';
import { Live } from './status/live.ts';
import { Names } from './status/names.ts';
import { type RowSources, stateOf } from './status/rows.ts';
import { openStatus, type PageSources } from './status/status.ts';
import { createKeeper } from './workers/keeper.ts';
import { launchThreads } from './workers/thread.ts';

const SECOND_MS = 1000;
const LOOPBACK = '127.0.0.1';

export type RunningProxy = {
  port: number;
  adminPort: number;
  /** What happens to the servers, as the status listener shows it. */
  events: EventLog;
  /** Serves on for `lameDuckMs`, refuses what is new, finishes what is in flight, at most `drainTimeoutMs`; then closes everything. */
  stop: () => Promise<void>;
};

/**
 * Starts a proxy; rejects with the system's error when one of its ports can't be had.
 * @param setLogLevel changes the least important level that `log` writes, by an operator's order
 */
export async function startProxy(
  options: ProxyOptions,
  log: Log,
  setLogLevel: (level: LogLevel) => void = () => {},
): Promise<RunningProxy> {
  const { workers } = options;
  // With workers, theirs are the requests to be traced.
  const system = await openSystemWorld(
    workers === 1 ? options : { ...options, traceEndpoint: null },
    log,
    bootId(),
  );
  const { core, beside } = createProxy(options, log, system);
  const pageSources = pageSourcesOf(
    options,
    system.headers,
    { ...core.sources, ...beside },
    (level, { by, reason }) => {
      // Before the change: a log that is about to fall silent says so.
      log({ level: 'warn', message: 'the log level is changed by order', to: level, by, why: reason });
      setLogLevel(level);
    },
  );
  const status = await openStatus(options, { ...core.sources, ...pageSources }, system.failures);
  const everySecond = setInterval(() => {
    system.nextSecond();
    void core.sources.refresh().then(() => pageSources.history.nextSecond(systemClock.wallNow()));
    pageSources.faults.nextSecond();
  }, SECOND_MS).unref();
  const closeStatus = (): void => {
    clearInterval(everySecond);
    status.closeAllConnections();
    status.close();
  };
  const port = await core.open().catch((error: unknown) => {
    closeStatus();
    throw error;
  });
  return {
    port,
    adminPort: (status.address() as AddressInfo).port,
    events: core.sources.events,
    stop: async () => {
      await core.stop(await whoTakesOver(options, port));
      closeStatus();
      await system.close();
    },
  };
}

/** What a scrape gets beside the sources of the core. */
type Beside = Pick<MetricSources, 'accessLogDropped' | 'otherThreads'>;

function createProxy(
  options: ProxyOptions,
  log: Log,
  { world, tickets, accessLogDropped }: SystemWorld,
): { core: Core; beside: Beside } {
  if (options.workers === 1) return { core: createCore(options, log, world), beside: { accessLogDropped } };
  const keeper = createKeeper(options, log, world, launchThreads(options, tickets));
  const { totals } = keeper;
  return {
    core: keeper,
    beside: {
      accessLogDropped: () => accessLogDropped() + totals.counts.accessLogDropped,
      otherThreads: () => ({ heapBytes: totals.heapBytes, activeMs: totals.counts.activeMs }),
    },
  };
}

// The time, so that ids of later starts are greater; and chance, since proxies may start together.
function bootId(): string {
  return Date.now().toString(36) + randomBytes(2).toString('hex');
}

// Without --peers nobody is known here, but a load balancer may know others.
async function whoTakesOver(
  { lameDuckMs, peers, host }: ProxyOptions,
  port: number,
): Promise<string[] | null> {
  if (lameDuckMs === 0) return null;
  if (peers.length === 0) return [];
  const others = await otherProxies(peers, host, port);
  return others.length === 0 ? null : others;
}

function pageSourcesOf(
  options: ProxyOptions,
  headers: ProxyHeaders | null,
  sources: Core['sources'] & Beside,
  setLogLevel: ActSources['setLogLevel'],
): PageSources {
  const { now, wallNow } = systemClock;
  const { events, traffic, registry, table } = sources;
  const history = new History(sources);
  const faults = new Faults(wallNow);
  const names = new Names();
  events.listen(({ type, policy, id }) => {
    const upstream = type === 'registered' ? table.findById(policy, id) : undefined;
    if (upstream !== undefined) names.ask(upstream.host);
  });
  const rows: RowSources = { ...sources, thresholds: options, history, names, now, wallNow };
  const startedMs = wallNow();
  const { workers, healthTimeoutMs, holdMs } = options;
  const hello = (): Hello => ({
    boot: events.boot,
    version: ownVersion(),
    startedMs,
    host: options.host,
    wellKnownPort: sources.port(),
    workers,
    thresholds: { healthTimeoutMs, holdMs, retryBudget: SHARE_OF_REQUESTS },
  });
  const live = new Live({ events, faults, traffic, hello, state: () => stateOf(rows) });
  const host = isWildcard(options.host) ? LOOPBACK : options.host;
  const preface = headers?.isAwaitedOn({ remoteAddress: host }) ? 'PROXY UNKNOWN\r\n' : '';
  const target = () => {
    const port = sources.port();
    return port === 0 ? null : { host, port, isTls: options.tls !== null, preface, traffic };
  };
  const acts = { table, registry, token: options.registerToken, setLogLevel };
  const metrics = metricsReply({ ...sources, now, version: ownVersion() });
  return { page: findPage(), metrics, live, history, rows, acts, faults, target, workers };
}
