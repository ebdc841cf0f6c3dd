// pure · a made-up benchmark, for the tests of the statistics and the report.
// Must never be used outside tests.
import { type Cell, cellsOf, planRuns } from '../scripts/bench/plan.ts';
import { type BenchResult, figuresOf, type RunRecord } from '../scripts/bench/result.ts';

/** Requests a second, and CPU µs per request, of each target. */
const SAMPLES: Readonly<Record<string, readonly [rate: number, cpuUs: number | null]>> = {
  direct: [14_000, null],
  'bare-node': [13_000, 40],
  haproxy: [9_000, 100],
  'haproxy-1': [8_000, 80],
  nginx: [7_000, 130],
  'thread-per-request': [2_500, 380],
  'six-servers': [12_500, 48],
  baseline: [10_000, 60],
  'policy-proxy': [12_000, 50],
};
/** The names of all targets. */
export const TARGET_NAMES = Object.keys(SAMPLES);
const NO_ERRORS = { errorReply: 0, reset: 0, timeout: 0, wrongDigest: 0, refused: 0 };

/** A run in which everything went as usual, but for `changes`. */
export function sampleRun(
  cell: string,
  target: string,
  repetition: number,
  changes: Partial<RunRecord> = {},
): RunRecord {
  // Later repetitions are faster for everybody: pairs must not mix them.
  const speed = 1 + repetition / 10;
  const [rate, cpuUs] = SAMPLES[target] ?? [1, 1];
  const requests = Math.round(rate * 2 * speed);
  const p50 = Math.round(640_000 / rate);
  return {
    cell,
    target,
    repetition,
    requests,
    seconds: 2,
    errors: NO_ERRORS,
    latencyUs: { p50, p90: p50 * 2, p99: p50 * 3, p999: p50 * 4, max: p50 * 9 },
    cpuUs,
    residentBytes: cpuUs === null ? null : 50 * 2 ** 20,
    cores: { proxy: cpuUs === null ? null : 0.9, servers: 0.3, busiestServer: 0.1, generator: 0.5 },
    idleShare: 0.05,
    othersShare: 0.02,
    ...changes,
  };
}

/** Every part that runs side by side, three times. */
export function sampleResult(changes: Partial<BenchResult> = {}): BenchResult {
  const cells: Cell[] = cellsOf({
    parts: ['throughput', 'latency', 'pipeline'],
    targets: TARGET_NAMES,
    modes: ['oneshot', 'keep'],
    payloads: [64, 1000],
    connections: [1, 64],
  });
  const runs = planRuns(cells, 3).map(({ cell, target, repetition }) =>
    sampleRun(cell.id, target, repetition),
  );
  return {
    version: 2,
    startedAt: '2026-11-24T13:05:09.000Z',
    endedAt: '2026-11-24T13:15:09.000Z',
    command: 'npm run bench -- --part throughput',
    wasInterrupted: false,
    problems: [],
    missing: [],
    repetitions: 3,
    seconds: 2,
    size: { servers: 6, policies: 3 },
    machine: { Processor: '2 × Sample & Sons <CPU>', Node: '24.1.0' },
    cells,
    runs,
    figures: figuresOf(cells, runs),
    ...changes,
  };
}
