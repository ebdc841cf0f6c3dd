import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bytesPerClient,
  costResults,
  costUs,
  idleResult,
  netCostUs,
  type Round,
  type RunSample,
} from './arithmetic.ts';

const run = (changes: Partial<RunSample> = {}): RunSample => ({
  requests: 10_000,
  failed: 0,
  seconds: 1,
  proxyCpuUs: 400_000,
  serversCpuShare: 0.3,
  generatorCpuShare: 0.2,
  probesPerSecond: 100,
  ...changes,
});
const idle = { cpuShare: 0.1, serversCpuShare: 0.05, probesPerSecond: 100 };
const round = (keep: Partial<RunSample>, oneshot: Partial<RunSample> = {}): Round => {
  return { idle, runs: { keep: run(keep), oneshot: run(oneshot) } };
};

test('a request costs what the proxy has spent, shared by all of them', () => {
  assert.equal(costUs(run()), 40);
  assert.equal(Number.isFinite(costUs(run({ requests: 0 }))), false);
});

const nets: [string, Partial<RunSample>, Partial<typeof idle>, number][] = [
  ['all of the idle share, when as many probes were made', {}, {}, 30],
  ['for as long as the run took', { seconds: 2 }, {}, 20],
  ['half of it, when half of the probes were made', { probesPerSecond: 50 }, {}, 35],
  ['no more than all of it, when more probes fell into the run', { probesPerSecond: 130 }, {}, 30],
  ['all of it, when there were no probes at all', { probesPerSecond: 0 }, { probesPerSecond: 0 }, 30],
];
for (const [what, changes, idleChanges, expected] of nets) {
  test(`the net cost takes off ${what}`, () => {
    assert.equal(Math.round(netCostUs(run(changes), { ...idle, ...idleChanges }) * 1e6) / 1e6, expected);
  });
}

test('a run that took less than the idling before it says nothing about its requests', () => {
  assert.ok(Number.isNaN(netCostUs(run({ proxyCpuUs: 90_000 }), idle)));
});

test('ratios are taken pair by pair, not from the medians', () => {
  const own = [
    round({ proxyCpuUs: 400_000 }),
    round({ proxyCpuUs: 900_000 }),
    round({ proxyCpuUs: 600_000 }),
  ];
  const six = [
    round({ proxyCpuUs: 200_000 }),
    round({ proxyCpuUs: 300_000 }),
    round({ proxyCpuUs: 600_000 }),
  ];
  const { keep } = costResults(own, six);
  assert.equal(keep.costUs?.median, 60);
  assert.equal(keep.sixServersUs?.median, 30);
  const { median, min, max } = keep.ratio ?? { median: 0, min: 0, max: 0 };
  assert.deepEqual([median, min, max], [2, 1, 3]);
  assert.equal(keep.netRatio?.max, 4);
});

test('failures are added up, and a round without an answer has no cost', () => {
  const own = [round({ requests: 0, failed: 7 }), round({ failed: 2 })];
  const six = [round({}), round({ failed: 1 })];
  const { keep, oneshot } = costResults(own, six);
  assert.deepEqual([keep.failed, keep.sixServersFailed, oneshot.failed], [9, 1, 0]);
  assert.equal(keep.costUs?.count, 1);
  assert.equal(keep.runsWithoutAnswer, 1);
  const none = costResults([round({ requests: 0 })], [round({})]);
  assert.equal(none.keep.costUs, null);
  assert.equal(none.keep.ratio, null);
});

test('a probe costs what its making adds to the rest, shared by the probes', () => {
  const samples = [0.3, 0.5, 0.4].map((cpuShare) => ({ ...idle, cpuShare, probesPerSecond: 1000 }));
  const result = idleResult(samples, 0.1);
  assert.equal(Math.round(result.cpuUsPerProbe?.median ?? 0), 300);
  assert.equal(result.cpuShare?.median, 0.4);
});

test('of a few probes a second nothing is said', () => {
  assert.equal(idleResult([{ ...idle, probesPerSecond: 10 }], 0.01).cpuUsPerProbe, null);
});

test('each client costs what its repetition has more than the fewest, shared by those that came to them', () => {
  const spread = bytesPerClient([1_990_000, 2_980_000], 1000, [1_000_000, 1_000_000], 10);
  assert.deepEqual([spread?.min, spread?.max], [1000, 2000]);
  assert.equal(bytesPerClient([5], 1000, [], 10), null);
});
