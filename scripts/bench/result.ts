// pure · what a benchmark has found out: the shape of results.json.
// Must never hold a figure without what it takes to doubt it: every run is kept, with who was busy meanwhile.
import type { GrowthResult } from './growth/index.ts';
import type { LoadResult } from './native.ts';
import type { Cell, Part, TargetName } from './plan.ts';
import type { CellFigures } from './statistics.ts';

/** One run of the generator against one target. */
export type RunRecord = {
  cell: string;
  target: TargetName;
  repetition: number;
  /** Right answers in the counted time. */
  requests: number;
  seconds: number;
  errors: LoadResult['errors'];
  latencyUs: LoadResult['latencyUs'];
  /** User and system time of the proxy's processes per right answer; null for `direct`, and when nothing was answered. */
  cpuUs: number | null;
  /** Of the proxy's processes, at the end of the run; null for `direct`. */
  residentBytes: number | null;
  /** CPU time by time passed: 1 is one processor, busy all the time. */
  cores: { proxy: number | null; servers: number; busiestServer: number; generator: number };
  /** Part of the machine that was idle, from 0 to 1. */
  idleShare: number | null;
  /** Part of the machine that was busy with something else, from 0 to 1. */
  othersShare: number | null;
  /** How full the kernel's table of tracked connections was at the end, from 0 to 1. When it is full, connections fail. */
  trackedShare: number;
};

export type BenchResult = {
  version: 1;
  startedAt: string;
  endedAt: string;
  /** The command line that measures the same again. */
  command: string;
  wasInterrupted: boolean;
  /** Why not everything could be measured; null when all was. */
  problem: string | null;
  parts: readonly Part[];
  repetitions: number;
  seconds: number;
  /** The machine and every program that took part, with its version. */
  machine: Readonly<Record<string, string>>;
  cells: readonly Cell[];
  runs: readonly RunRecord[];
  figures: readonly CellFigures[];
  growth: GrowthResult | null;
  /** Part of the machine that was idle before anything was started, from 0 to 1; null when that was not to be seen. */
  idleBefore: number | null;
};

/** Requests of a run that were not answered right. */
export function errorsOf({ errors }: Pick<RunRecord, 'errors'>): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0);
}

/** Requests of the growth's runs that were not answered right. */
export function growthErrors(growth: GrowthResult | null): number {
  const rows = growth === null ? [] : [...growth.servers, ...growth.policies];
  return rows
    .flatMap((row) => ('skipped' in row ? [] : Object.values(row.costs)))
    .reduce((sum, { failed, sixServersFailed }) => sum + failed + sixServersFailed, 0);
}

/** Everything was measured, and nothing was lost, wrong or refused. */
export function isClean({
  problem,
  runs,
  growth,
}: Pick<BenchResult, 'problem' | 'runs' | 'growth'>): boolean {
  return (
    problem === null &&
    runs.every((run) => run.requests > 0 && errorsOf(run) === 0) &&
    growthErrors(growth) === 0 &&
    isGrowthWhole(growth)
  );
}

// What a machine has not enough files for is no failure: the row says so.
function isGrowthWhole(growth: GrowthResult | null): boolean {
  if (growth === null) return true;
  const rows = [...growth.servers, ...growth.policies];
  const areRowsMeasured = rows.every((row) => !('skipped' in row && row.hasFailed));
  return areRowsMeasured && growth.clients.every(({ clients, connected }) => connected === clients);
}
