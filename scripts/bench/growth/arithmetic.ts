// pure · readings → costs and ratios.
// Must never average before dividing: each ratio is of two runs that lay side by side.
import { type Spread, spreadOf } from '../statistics.ts';
import { COST_MODES, type CostMode, type CostResult, type IdleResult } from './result.ts';

/** A while without requests. Shares are of one core. */
export type IdleSample = { cpuShare: number; serversCpuShare: number; probesPerSecond: number };

/** A while under load, as read from outside. */
export type RunSample = {
  /** Answered right. */
  requests: number;
  failed: number;
  seconds: number;
  proxyCpuUs: number;
  serversCpuShare: number;
  generatorCpuShare: number;
  probesPerSecond: number;
};

/** One round with one proxy: idle first, then under load in each mode. */
export type Round = { idle: IdleSample; runs: Record<CostMode, RunSample> };

// Below this many probes a second their cost drowns in what else the proxy does.
const TELLING_PROBES_PER_SECOND = 50;

/** CPU µs per request; not finite when there was none. */
export function costUs({ proxyCpuUs, requests }: RunSample): number {
  return proxyCpuUs / requests;
}

/**
 * CPU µs per request without what the proxy spends anyway. Under load it may make fewer probes than before it, and no
 * more is taken off than for those that it made. NaN when nothing would be left: then the difference says nothing.
 */
export function netCostUs(run: RunSample, idle: IdleSample): number {
  const kept = idle.probesPerSecond > 0 ? Math.min(1, run.probesPerSecond / idle.probesPerSecond) : 1;
  const netUs = run.proxyCpuUs - idle.cpuShare * kept * run.seconds * 1e6;
  return netUs > 0 ? netUs / run.requests : Number.NaN;
}

/**
 * What each kind of load cost, round by round beside the baseline.
 * @param six as many rounds as `own`, of the proxy with six servers
 */
export function costResults(own: readonly Round[], six: readonly Round[]): Record<CostMode, CostResult> {
  const results = COST_MODES.map((mode) => [mode, costResult(mode, own, six)] as const);
  return Object.fromEntries(results) as Record<CostMode, CostResult>;
}

function costResult(mode: CostMode, own: readonly Round[], six: readonly Round[]): CostResult {
  const runs = own.map((round) => round.runs[mode]);
  const sixRuns = six.map((round) => round.runs[mode]);
  const net = (round: Round): number => netCostUs(round.runs[mode], round.idle);
  const rate = ({ requests, seconds }: RunSample): number => requests / seconds;
  return {
    sixServersUs: spreadOf(sixRuns.map(costUs)),
    costUs: spreadOf(runs.map(costUs)),
    netCostUs: spreadOf(own.map(net)),
    ratio: ratioOf(runs.map(costUs), sixRuns.map(costUs)),
    netRatio: ratioOf(own.map(net), six.map(net)),
    requestsPerSecond: spreadOf(runs.map(rate)),
    sixServersRequestsPerSecond: spreadOf(sixRuns.map(rate)),
    serversCpuShare: spreadOf(runs.map(({ serversCpuShare }) => serversCpuShare)),
    generatorCpuShare: spreadOf(runs.map(({ generatorCpuShare }) => generatorCpuShare)),
    runsWithoutAnswer: runs.filter(({ requests }) => requests === 0).length,
    failed: sum(runs.map(({ failed }) => failed)),
    sixServersFailed: sum(sixRuns.map(({ failed }) => failed)),
  };
}

/** @param withoutProbesCpuShare share of one core that the same proxy takes while it probes nobody */
export function idleResult(samples: readonly IdleSample[], withoutProbesCpuShare: number): IdleResult {
  const telling = samples.filter(({ probesPerSecond }) => probesPerSecond >= TELLING_PROBES_PER_SECOND);
  const perProbe = telling.map(({ cpuShare, probesPerSecond }) => {
    return ((cpuShare - withoutProbesCpuShare) * 1e6) / probesPerSecond;
  });
  return {
    cpuShare: spreadOf(samples.map(({ cpuShare }) => cpuShare)),
    withoutProbesCpuShare,
    probesPerSecond: spreadOf(samples.map(({ probesPerSecond }) => probesPerSecond)),
    cpuUsPerProbe: spreadOf(perProbe),
    serversCpuShare: spreadOf(samples.map(({ serversCpuShare }) => serversCpuShare)),
  };
}

/**
 * What each open connection takes in bytes, over what the fewest took in the same repetition.
 * @param residentBytes with `clients` connections, one for each repetition; `fewestBytes` with `fewest` of them
 */
export function bytesPerClient(
  residentBytes: readonly number[],
  clients: number,
  fewestBytes: readonly number[],
  fewest: number,
): Spread | null {
  const perClient = residentBytes.map((bytes, at) => {
    return (bytes - (fewestBytes[at] ?? Number.NaN)) / (clients - fewest);
  });
  return spreadOf(perClient);
}

function ratioOf(own: readonly number[], six: readonly number[]): Spread | null {
  return spreadOf(own.map((value, at) => value / (six[at] ?? Number.NaN)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
