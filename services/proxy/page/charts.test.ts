// What the charts are made of: the names of faults, none on another one and none lost; and no bar where there was no error.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as echarts from 'echarts';
import { clusterOf, historyOf, stateOf } from '../../../test-support/page/scenes.ts';
import { frameOf, type Palette } from './browser/charts/frame.ts';
import { faultLabels } from './browser/charts/marks.ts';
import { chartOption } from './browser/charts/option.ts';
import type { Fault, Totals } from './browser/model/contract.ts';

const UNTIL_MS = 600_000;
const frame = frameOf(800, 0, UNTIL_MS, 0);

function fault(kind: string, fromS: number): Fault {
  return { id: kind, kind, target: 'server-p1-1', detail: '', fromMs: fromS * 1000, untilMs: null };
}

function drawn(faults: readonly Fault[]): string[] {
  return faultLabels(faults, frame).map(({ content, row }) => `${row}: ${content}`);
}

describe('the names of faults', () => {
  test('far from each other are in one line', () => {
    assert.deepEqual(drawn([fault('kill', 10), fault('pause', 300)]), ['0: kill', '0: pause']);
  });

  test('close to each other are in two lines, and the next one is on top again', () => {
    const faults = [fault('pause', 100), fault('kill', 101), fault('garble', 200)];
    assert.deepEqual(drawn(faults), ['0: pause', '1: kill', '0: garble']);
  });

  test('are counted where all lines are taken', () => {
    const faults = ['pause', 'kill', 'slow', 'garble', 'flap'].map((kind, at) => fault(kind, 100 + at / 10));
    assert.deepEqual(drawn(faults), ['0: pause', '1: kill +1', '2: slow +1']);
  });

  test('that begin now stay within the canvas', () => {
    const [label] = faultLabels([fault('corrupt-answers', 599)], frame);
    assert.ok((label?.x ?? 0) + 'corrupt-answers'.length * 6.6 < frame.width);
  });
});

test('five seconds without an error have no bar, not even its border', () => {
  const errors = { NO_SERVER: [0, 2, ...Array.from({ length: 18 }, () => 0)] };
  const none = errors.NO_SERVER.map(() => null);
  const values = { rate: none, p50Ms: none, p90Ms: none, p99Ms: none, retries: none };
  const history = { stepMs: 1000, fromMs: 0, ...values, policyRates: {}, faults: [] };
  const state = { atMs: 20_000, policies: [], proxy: {} as Totals };
  const size = { width: 800, untilMs: 20_000, hatch: null, budget: undefined };
  const { option } = chartOption({ ...history, errors, outs: [] }, state, [], {} as Palette, size);
  const { series } = option as { series: { name?: string; data: unknown }[] };
  assert.deepEqual(series.find(({ name }) => name === 'NO_SERVER')?.data, [
    [2500, 2],
    [7500, null],
    [12_500, null],
    [17_500, null],
  ]);
});

test('what is drawn after an update is what is drawn at once: no mark takes over what another one had', (t) => {
  const policies = clusterOf(UNTIL_MS);
  const colours = new Proxy({}, { get: () => '#123456' }) as Palette;
  const all = historyOf(policies, UNTIL_MS);
  const optionOf = (outs: typeof all.outs): echarts.EChartsOption => {
    const size = { width: 900, untilMs: UNTIL_MS, hatch: '#eee', budget: 0.2 };
    return chartOption({ ...all, outs }, stateOf(policies, UNTIL_MS), [], colours, size)
      .option as echarts.EChartsOption;
  };
  const drawnAfter = (...options: echarts.EChartsOption[]): string[] => {
    const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 900, height: 1000 });
    t.after(() => chart.dispose());
    for (const option of options) chart.setOption(option, { notMerge: true, lazyUpdate: false });
    // Names of classes are numbered through all charts.
    return chart
      .renderToSVGString()
      .replaceAll(/zr[-\w]+/g, '')
      .split('\n')
      .toSorted();
  };
  const [none, some] = [optionOf([]), optionOf(all.outs)];
  assert.deepEqual(drawnAfter(none, some), drawnAfter(some));
});
