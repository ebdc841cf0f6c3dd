// pure · what the growth measurements are asked for and what they say: plain data, fit for JSON.
// Must never hold a formatted number: tables.ts makes the texts.
import type { Spread } from '../statistics.ts';

export type GrowthPart = 'servers' | 'policies' | 'clients';

export type GrowthOptions = {
  parts: readonly GrowthPart[];
  /** How many registered servers, under three policies. */
  serverCounts: readonly number[];
  /** How many policies, with two servers each. */
  policyCounts: readonly number[];
  /** How many idle client connections; the others are compared with the fewest. */
  clientCounts: readonly number[];
  /** How often each measurement is made, each time beside its baseline. */
  pairs: number;
  /** Counted seconds of each measurement. */
  seconds: number;
};

/** Everything, from ten to ten thousand. */
export const DEFAULT_GROWTH: GrowthOptions = {
  parts: ['servers', 'policies', 'clients'],
  serverCounts: [10, 100, 1_000, 10_000],
  policyCounts: [1, 100, 1_000],
  clientCounts: [10, 1_000, 10_000],
  pairs: 5,
  seconds: 1,
};

/** `keep`: 64 connections with one request at a time on each; `oneshot`: a connection per request, 64 at once. */
export type CostMode = 'keep' | 'oneshot';
export const COST_MODES: readonly CostMode[] = ['keep', 'oneshot'];

/**
 * Cost of a request, beside a proxy with six servers in the same run: CPU of the proxy process, user and system. A spread
 * is null when no request was answered.
 */
export type CostResult = {
  sixServersUs: Spread | null;
  /** µs per request, with everything that the proxy did meanwhile. */
  costUs: Spread | null;
  /** The same less what the proxy spends without any request, as measured right before: probes, heartbeats, sweeps. */
  netCostUs: Spread | null;
  /** `costUs` and `netCostUs` as multiples of the six servers' own, pair by pair. */
  ratio: Spread | null;
  netRatio: Spread | null;
  requestsPerSecond: Spread | null;
  sixServersRequestsPerSecond: Spread | null;
  /** Shares of one core that the stub servers and the generator took meanwhile: they must not be the bottleneck. */
  serversCpuShare: Spread | null;
  generatorCpuShare: Spread | null;
  /** Runs in which not one request was answered. */
  runsWithoutAnswer: number;
  /** Requests that were not answered right, of all pairs; the baseline's apart. */
  failed: number;
  sixServersFailed: number;
};

/** What the proxy does while no request comes. Shares are of one core. */
export type IdleResult = {
  /** Probes, heartbeats and its own looking round. */
  cpuShare: Spread | null;
  /** The same with no probes at all: heartbeats and looking round. */
  withoutProbesCpuShare: number;
  probesPerSecond: Spread | null;
  /** CPU µs of the proxy for each probe; null when there were too few to tell. */
  cpuUsPerProbe: Spread | null;
  serversCpuShare: Spread | null;
};

/** What is seen of a proxy while it runs. */
export type Observed = {
  /** Files that the proxy may have open at a time; null where nothing limits them. */
  openFiles: number | null;
  /** Servers that keep a session; fewer than all only where the limit of open files allows no more. */
  sessions: number;
  /** What the proxy was started with besides its ports. */
  proxyArguments: readonly string[];
  /** From the first setup packet to the last reply. */
  registeredSeconds: number;
  /** Until the last server was in rotation. */
  readySeconds: number;
  residentBytes: number;
  /** In rotation at the end. */
  readyServers: number;
  /** How often a server has left the rotation. */
  departures: number;
  /** How full the kernel's table of tracked connections was at the end, from 0 to 1. */
  trackedShare: number;
};

/** One row: so many servers under so many policies. */
export type CaseResult = Observed & {
  servers: number;
  policies: number;
  healthIntervalMs: number;
  /** `in turn`: beside the baseline, pair by pair; `around`: the baseline ran alone, before and after. */
  arrangement: 'in turn' | 'around';
  idle: IdleResult;
  costs: Record<CostMode, CostResult>;
  /** What a reader has to know before believing the row. */
  notes: readonly string[];
};

/** A row that this machine could not be asked for, or that failed. */
export type SkippedCase = {
  servers: number;
  policies: number;
  healthIntervalMs: number;
  /** Why, as a clause. */
  skipped: string;
  /** Something has failed; otherwise the machine has not enough of something. */
  hasFailed: boolean;
};

export type ClientsResult = {
  clients: number;
  /** Clients that had all their answers and were connected still, in the worst repetition. */
  connected: number;
  residentBytes: Spread | null;
  /** Over the row with the fewest clients, repetition by repetition; null for that row. */
  bytesPerClient: Spread | null;
  notes: readonly string[];
};

export type GrowthResult = {
  options: GrowthOptions;
  servers: readonly (CaseResult | SkippedCase)[];
  policies: readonly (CaseResult | SkippedCase)[];
  clients: readonly ClientsResult[];
};
