// pure · what a benchmark measures: the runs, the figures of each cell and target, and the shape of results.json.
import type { LoadResult } from './native.ts';
import type { Cell, PlannedRun } from './plan.ts';
import type { Size } from './targets/target.ts';

const PROXY = 'policy-proxy';
const DIRECT = 'direct';

/** One run of the generator against one target. */
export type RunRecord = {
  cell: string;
  target: string;
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
};

export type BenchResult = {
  version: 2;
  startedAt: string;
  endedAt: string;
  /** The command line, in which a branch or HEAD means what it meant then: `machine` has its commit. */
  command: string;
  wasInterrupted: boolean;
  /** What went wrong, a sentence each. */
  problems: readonly string[];
  /** What was planned and not measured: `nginx in oneshot 64 B × 64 (2 of 5 repetitions)`. */
  missing: readonly string[];
  repetitions: number;
  seconds: number;
  size: Size;
  /** The machine and every program that took part, with its version. */
  machine: Readonly<Record<string, string>>;
  cells: readonly Cell[];
  runs: readonly RunRecord[];
  figures: readonly CellFigures[];
};

/** Of the repetitions: the median, and how far they lie apart. */
export type Spread = { median: number; min: number; max: number; count: number };

type Value = (run: RunRecord) => number | null;

// Of no answers there is no latency.
const latency =
  (name: keyof RunRecord['latencyUs']): Value =>
  (run) =>
    run.requests > 0 ? run.latencyUs[name] : null;

const FIGURES = {
  perSecond: ({ requests, seconds }) => requests / seconds,
  cpuUs: (run) => run.cpuUs,
  p50Us: latency('p50'),
  p99Us: latency('p99'),
  p999Us: latency('p999'),
  residentBytes: (run) => run.residentBytes,
  serverCores: ({ cores }) => cores.servers,
  generatorCores: ({ cores }) => cores.generator,
  idleShare: (run) => run.idleShare,
} satisfies Record<string, Value>;

/** Of the runs of one target in a cell. */
export type TargetFigures = Record<keyof typeof FIGURES, Spread | null> & {
  target: string;
  /** policy-proxy's figure divided by this target's, repetition by repetition; null where one of them is missing. */
  ratios: { throughput: Spread | null; cpu: Spread | null };
  /** This target's latency less that of `direct`, in µs; null for `direct` itself. */
  addedUs: { p50: Spread | null; p99: Spread | null };
  /** Requests that were not answered right. */
  errors: number;
};

export type CellFigures = { cell: Cell; targets: readonly TargetFigures[] };

/** Requests of a run that were not answered right. */
export function errorsOf({ errors }: Pick<RunRecord, 'errors'>): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0);
}

/** Whether everything was measured, and nothing was lost, wrong or refused. */
export function isClean({ problems, missing, runs }: BenchResult): boolean {
  const areRight = runs.every((run) => run.requests > 0 && errorsOf(run) === 0);
  return problems.length === 0 && missing.length === 0 && areRight;
}

/** What was planned and has no run, for each target and cell. */
export function missingRuns(plan: readonly PlannedRun[], runs: readonly RunRecord[]): string[] {
  const planned = Map.groupBy(plan, ({ cell, target }) => `${target} in ${cell.id}`);
  const measured = Map.groupBy(runs, ({ cell, target }) => `${target} in ${cell}`);
  return [...planned].flatMap(([name, all]) => {
    const missing = all.length - (measured.get(name)?.length ?? 0);
    if (missing === 0) return [];
    return missing === all.length ? [name] : [`${name} (${missing} of ${all.length} repetitions)`];
  });
}

/** The figures of each cell that was run at all, with its targets in the plan's order. */
export function figuresOf(cells: readonly Cell[], runs: readonly RunRecord[]): CellFigures[] {
  return cells.flatMap((cell) => {
    const own = runs.filter((run) => run.cell === cell.id);
    const targets = cell.targets.filter((target) => own.some((run) => run.target === target));
    if (targets.length === 0) return [];
    return [{ cell, targets: targets.map((target) => targetFigures(target, own)) }];
  });
}

/** Median, smallest and largest; null when there is no finite value. */
export function spreadOf(values: readonly (number | null)[]): Spread | null {
  const sorted = values.filter((value) => value !== null && Number.isFinite(value)) as number[];
  sorted.sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return null;
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]] as [number, number];
  return { median: (low + high) / 2, min, max, count: sorted.length };
}

function targetFigures(target: string, runs: readonly RunRecord[]): TargetFigures {
  const own = runs.filter((run) => run.target === target);
  const entries = Object.entries(FIGURES).map(([name, value]) => [name, spreadOf(own.map(value))]);
  const ratio = (value: Value) =>
    target === PROXY ? null : paired(runs, PROXY, target, value, (proxy, other) => proxy / other);
  const added = (value: Value) =>
    target === DIRECT ? null : paired(runs, target, DIRECT, value, (one, directly) => one - directly);
  return {
    ...(Object.fromEntries(entries) as Record<keyof typeof FIGURES, Spread | null>),
    target,
    ratios: { throughput: ratio(FIGURES.perSecond), cpu: ratio(FIGURES.cpuUs) },
    addedUs: { p50: added(FIGURES.p50Us), p99: added(FIGURES.p99Us) },
    errors: own.reduce((sum, run) => sum + errorsOf(run), 0),
  };
}

// One value for each repetition in which both targets have run: they lay within the same minute.
function paired(
  runs: readonly RunRecord[],
  first: string,
  second: string,
  value: Value,
  combine: (first: number, second: number) => number,
): Spread | null {
  const of = (target: string) =>
    new Map(runs.filter((run) => run.target === target).map((run) => [run.repetition, value(run)]));
  const seconds = of(second);
  return spreadOf(
    [...of(first)].map(([repetition, one]) => {
      const other = seconds.get(repetition) ?? null;
      return one === null || other === null ? null : combine(one, other);
    }),
  );
}
