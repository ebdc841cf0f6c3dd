// pure · runs → figures of each cell: how each target did, and how the proxy compares with it.
// Must never divide a run by one of another repetition: what is compared ran within the same minute.
import type { Cell, TargetName } from './plan.ts';
import { errorsOf, type RunRecord } from './result.ts';

const PROXY: TargetName = 'policy-proxy';
const BARE: TargetName = 'direct';

/** Of the repetitions: the median, and how far they lie apart. */
export type Spread = { median: number; min: number; max: number; count: number };

export type TargetFigures = {
  target: TargetName;
  perSecond: Spread | null;
  /** µs of CPU time of the proxy's processes per request; null where there is no proxy. */
  cpuUs: Spread | null;
  p50Us: Spread | null;
  p99Us: Spread | null;
  p999Us: Spread | null;
  residentBytes: Spread | null;
  /** policy-proxy's figure divided by this target's; null for policy-proxy itself, and where one of them is missing. */
  ratios: { throughput: Spread | null; cpu: Spread | null; memory: Spread | null };
  /** This target's latency less that of `direct`, in µs; null for `direct` itself. */
  addedUs: { p50: Spread | null; p99: Spread | null; p999: Spread | null };
  cores: {
    proxy: Spread | null;
    servers: Spread | null;
    busiestServer: Spread | null;
    generator: Spread | null;
  };
  idleShare: Spread | null;
  /** Requests of all runs that were not answered right. */
  errors: number;
};

export type CellFigures = { cell: Cell; targets: readonly TargetFigures[] };

/** The figures of each cell that was run at all, with its targets in the plan's order. */
export function figuresOf(cells: readonly Cell[], runs: readonly RunRecord[]): CellFigures[] {
  return cells.flatMap((cell) => {
    const own = runs.filter((run) => run.cell === cell.id);
    if (own.length === 0) return [];
    const targets = cell.targets.filter((target) => own.some((run) => run.target === target));
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

type Value = (run: RunRecord) => number | null;

const perSecond: Value = ({ requests, seconds }) => requests / seconds;
const cpuUs: Value = (run) => run.cpuUs;
const residentBytes: Value = (run) => run.residentBytes;
// Of no answers there is no latency.
const latency =
  (name: 'p50' | 'p99' | 'p999'): Value =>
  (run) =>
    run.requests > 0 ? run.latencyUs[name] : null;

function targetFigures(target: TargetName, runs: readonly RunRecord[]): TargetFigures {
  const own = runs.filter((run) => run.target === target);
  const of = (value: Value) => spreadOf(own.map(value));
  const ratio = (value: Value) =>
    target === PROXY ? null : paired(runs, PROXY, target, value, (proxy, other) => proxy / other);
  const added = (value: Value) =>
    target === BARE ? null : paired(runs, target, BARE, value, (own, bare) => own - bare);
  return {
    target,
    perSecond: of(perSecond),
    cpuUs: of(cpuUs),
    p50Us: of(latency('p50')),
    p99Us: of(latency('p99')),
    p999Us: of(latency('p999')),
    residentBytes: of(residentBytes),
    ratios: { throughput: ratio(perSecond), cpu: ratio(cpuUs), memory: ratio(residentBytes) },
    addedUs: { p50: added(latency('p50')), p99: added(latency('p99')), p999: added(latency('p999')) },
    cores: {
      proxy: of(({ cores }) => cores.proxy),
      servers: of(({ cores }) => cores.servers),
      busiestServer: of(({ cores }) => cores.busiestServer),
      generator: of(({ cores }) => cores.generator),
    },
    idleShare: of(({ idleShare }) => idleShare),
    errors: own.reduce((sum, run) => sum + errorsOf(run), 0),
  };
}

/** One value for each repetition in which both targets have run. */
function paired(
  runs: readonly RunRecord[],
  first: TargetName,
  second: TargetName,
  value: Value,
  combine: (first: number, second: number) => number,
): Spread | null {
  const of = (target: TargetName) =>
    new Map(runs.filter((run) => run.target === target).map((run) => [run.repetition, value(run)]));
  const [firsts, seconds] = [of(first), of(second)];
  return spreadOf(
    [...firsts].map(([repetition, one]) => {
      const other = seconds.get(repetition) ?? null;
      return one === null || other === null ? null : combine(one, other);
    }),
  );
}
