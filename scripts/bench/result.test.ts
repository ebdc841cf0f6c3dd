// Spreads and pairs: what is compared and what is left out of a comparison, what is missing, when a benchmark is clean.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleResult, sampleRun, TARGET_NAMES } from '../../test-support/bench-sample.ts';
import { cellsOf, planRuns } from './plan.ts';
import {
  type BenchResult,
  figuresOf,
  isClean,
  missingRuns,
  type RunRecord,
  spreadOf,
  type TargetFigures,
} from './result.ts';

const [CELL] = cellsOf({
  parts: ['throughput'],
  targets: TARGET_NAMES,
  modes: ['oneshot'],
  payloads: [64],
  connections: [64],
});
assert.ok(CELL);
const ID = CELL.id;

const spreads: [string, (number | null)[], ReturnType<typeof spreadOf>][] = [
  ['nothing', [], null],
  ['nothing that counts', [null, Number.NaN, Number.POSITIVE_INFINITY], null],
  ['one', [3], { median: 3, min: 3, max: 3, count: 1 }],
  ['an odd number', [30, 4, 5], { median: 5, min: 4, max: 30, count: 3 }],
  ['an even number', [10, null, 2, 4, 3], { median: 3.5, min: 2, max: 10, count: 4 }],
];
for (const [name, values, expected] of spreads) {
  test(`spread of ${name}`, () => assert.deepEqual(spreadOf(values), expected));
}

function figures(runs: readonly RunRecord[], target: string): TargetFigures {
  const [only] = figuresOf([CELL as NonNullable<typeof CELL>], runs);
  const found = only?.targets.find((each) => each.target === target);
  assert.ok(found, target);
  return found;
}

test('runs are divided by the run of the same repetition only', () => {
  const runs = [1, 2, 3].flatMap((n) => [
    sampleRun(ID, 'haproxy', n, { requests: 1000 * n, seconds: 1 }),
    sampleRun(ID, 'policy-proxy', n, {
      requests: [1500, 4000, 3000][n - 1] as number,
      seconds: 1,
      cpuUs: 50 + n,
    }),
  ]);
  const { ratios, perSecond } = figures(runs, 'haproxy');
  assert.deepEqual(ratios.throughput, { median: 1.5, min: 1, max: 2, count: 3 });
  assert.deepEqual(ratios.cpu, { median: 0.52, min: 0.51, max: 0.53, count: 3 });
  assert.deepEqual(perSecond, { median: 2000, min: 1000, max: 3000, count: 3 });
});

test('a repetition that only one of the two has run is no pair', () => {
  const runs = [
    sampleRun(ID, 'haproxy', 1),
    sampleRun(ID, 'haproxy', 2),
    sampleRun(ID, 'policy-proxy', 2),
    sampleRun(ID, 'policy-proxy', 3),
  ];
  assert.equal(figures(runs, 'haproxy').ratios.throughput?.count, 1);
});

test('what is added is counted from the bare server, and may be less than nothing', () => {
  const latencyUs = { p50: 100, p90: 100, p99: 300, p999: 400, max: 500 };
  const runs = [
    sampleRun(ID, 'direct', 1, { latencyUs }),
    sampleRun(ID, 'nginx', 1, { latencyUs: { ...latencyUs, p50: 160, p99: 290 } }),
  ];
  const { addedUs } = figures(runs, 'nginx');
  assert.equal(addedUs.p50?.median, 60);
  assert.equal(addedUs.p99?.median, -10);
  assert.equal(figures(runs, 'direct').addedUs.p50, null);
});

test('no target is compared with itself, and a server has no proxy whose CPU could be', () => {
  const { figures: all } = sampleResult();
  for (const { targets } of all) {
    for (const { target, ratios, cpuUs } of targets) {
      if (target === 'policy-proxy') assert.deepEqual(ratios, { throughput: null, cpu: null });
      if (target === 'direct') assert.deepEqual([ratios.cpu, cpuUs], [null, null]);
    }
  }
});

test('a run without answers has a throughput, and neither latency nor CPU per request', () => {
  const runs = [
    sampleRun(ID, 'nginx', 1, {
      requests: 0,
      cpuUs: null,
      errors: { ...sampleRun(ID, 'nginx', 1).errors, refused: 9 },
    }),
    sampleRun(ID, 'policy-proxy', 1),
  ];
  const nginx = figures(runs, 'nginx');
  assert.equal(nginx.perSecond?.median, 0);
  assert.deepEqual([nginx.p50Us, nginx.cpuUs, nginx.ratios.throughput], [null, null, null]);
  assert.equal(nginx.errors, 9);
});

test('cells that were never run are left out', () => {
  const { cells } = sampleResult();
  assert.deepEqual(figuresOf(cells, []), []);
});

const errors = { errorReply: 0, reset: 1, timeout: 0, wrongDigest: 0, refused: 0 };
const cases: [string, Partial<BenchResult>, boolean][] = [
  ['everything as it should be', {}, true],
  ['a target that failed', { problems: ['The load generator has failed.'] }, false],
  ['a run that is missing', { missing: ['nginx in x'] }, false],
  ['one request lost', { runs: [sampleRun('x', 'nginx', 1, { errors })] }, false],
  ['a run without an answer', { runs: [sampleRun('x', 'nginx', 1, { requests: 0 })] }, false],
];
for (const [name, changes, expected] of cases) {
  test(`clean or not: ${name}`, () => assert.equal(isClean(sampleResult(changes)), expected));
}

test('what was planned and not measured is named', () => {
  const plan = planRuns([{ ...CELL, targets: ['direct', 'nginx', 'policy-proxy'] }], 3);
  const runs = [1, 2, 3].map((n) => sampleRun(ID, 'direct', n));
  assert.deepEqual(missingRuns(plan, [...runs, sampleRun(ID, 'nginx', 2)]).sort(), [
    `nginx in ${ID} (2 of 3 repetitions)`,
    `policy-proxy in ${ID}`,
  ]);
  assert.deepEqual(missingRuns([], runs), []);
});
