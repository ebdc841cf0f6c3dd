// pure · figures → the charts of the page: for each target in each cell the median of the runs and their range.
import { CHART_WIDTH, drawChart, RIGHT, svg } from '../../kit/report/charts.ts';
import { figure, type Heading } from '../../kit/report/html.ts';
import type { CellFigures, Spread, TargetFigures } from '../result.ts';

/** A row of a chart: a target, with the cell's name at the first one of each cell. */
type Row = { label: string; isFirst: boolean; spread: Spread };

const THROUGHPUT: Heading = {
  title: 'Throughput: policy-proxy ÷ each',
  note: 'Right of 1: policy-proxy serves more requests a second. Mark: median of the paired runs, line: from the least to the most.',
};
const CPU: Heading = {
  title: 'CPU per request: policy-proxy ÷ each',
  note: 'Left of 1: policy-proxy takes less processor time for a request.',
};
const LATENCY: Heading = {
  title: 'Latency added to a request, µs',
  note: 'At 1,000 requests a second on a connection each: the more to the left, the less is added to the way straight to a server.',
};
const LEFT = 330;
const TOP = 6;
const AXIS_ROW = 26;
const ROW = 17;

/** Charts with their headings as HTML, of what there is to draw. */
export function chartsOf(figures: readonly CellFigures[]): string[] {
  const closedLoop = figures.filter(({ cell }) => cell.mode !== 'open');
  const openLoop = figures.filter(({ cell }) => cell.mode === 'open');
  const throughput = rowsOf(closedLoop, ({ ratios }) => ratios.throughput);
  const cpu = rowsOf(figures, ({ ratios }) => ratios.cpu);
  const p50 = rowsOf(openLoop, ({ addedUs }) => addedUs.p50, 'p50');
  const p99 = rowsOf(openLoop, ({ addedUs }) => addedUs.p99, 'p99');
  return [...draw(THROUGHPUT, throughput, true), ...draw(CPU, cpu, true), ...draw(LATENCY, [...p50, ...p99])];
}

function rowsOf(
  figures: readonly CellFigures[],
  value: (of: TargetFigures) => Spread | null,
  heading?: string,
): Row[] {
  return figures.flatMap(({ cell, targets }) =>
    targets
      .map((each) => ({ target: each.target, spread: value(each) }))
      .filter((each): each is { target: string; spread: Spread } => each.spread !== null)
      .map(({ target, spread }, at) => {
        return { label: at === 0 ? `${heading ?? cell.id}   ${target}` : target, isFirst: at === 0, spread };
      }),
  );
}

function draw(heading: Heading, all: readonly Row[], isRatio = false): string[] {
  // A run without any answer has the ratio 0, which has no place on a logarithmic axis.
  const rows = all.filter(({ spread }) => !isRatio || spread.min > 0);
  if (rows.length === 0) return [];
  const plotHeight = rows.length * ROW;
  const height = TOP + plotHeight + AXIS_ROW;
  const least = Math.min(...rows.map(({ spread }) => spread.min));
  const most = Math.max(...rows.map(({ spread }) => spread.max));
  const scale = isRatio
    ? { type: 'log', logBase: 2, ...ratioLimits(least, most) }
    : { type: 'value', min: Math.min(least, 0), max: 'dataMax' };
  const noLines = { axisLine: { show: false }, axisTick: { show: false } };
  const drawing = drawChart(heading.title, height, {
    grid: { left: LEFT, right: CHART_WIDTH - RIGHT, top: TOP, height: plotHeight, outerBoundsMode: 'none' },
    yAxis: {
      ...noLines,
      type: 'category',
      data: rows.map(({ label }) => label),
      inverse: true,
      axisLabel: { color: 'var(--ink)', fontSize: 12.5, margin: 12, interval: 0 },
      splitLine: {
        show: true,
        interval: (at: number) => rows[at + 1]?.isFirst === true,
        showMinLine: false,
        showMaxLine: false,
        lineStyle: { color: 'var(--rule)' },
      },
    },
    xAxis: {
      ...noLines,
      ...scale,
      axisLabel: { color: 'var(--ink-2)', fontSize: 12, hideOverlap: true },
      splitLine: { lineStyle: { color: 'var(--grid)' } },
    },
    series: {
      type: 'boxplot',
      silent: true,
      boxWidth: [7, 7],
      itemStyle: { color: 'var(--k-wrong)', borderColor: 'var(--k-wrong)', borderWidth: 2 },
      data: rows.map(({ spread: { min, median, max } }) => [min, median, median, median, max]),
      ...(isRatio ? { markLine: LINE_AT_ONE } : {}),
    },
  });
  const name = `${heading.title}. ${heading.note}`;
  return [figure(heading, svg('', name, height, `<g class="plot">${drawing}</g>`))];
}

const LINE_AT_ONE = {
  silent: true,
  symbol: 'none',
  label: { show: false },
  lineStyle: { color: 'var(--ink-2)', type: [4, 3], width: 1.2 },
  data: [{ xAxis: 1 }],
};

/** Powers of two that hold every ratio, and 1 with some room on both sides. */
export function ratioLimits(min: number, max: number): { min: number; max: number } {
  const low = Math.floor(Math.log2(Math.max(min, 1 / 64)));
  const high = Math.ceil(Math.log2(Math.max(max, 1 / 64)));
  return { min: 2 ** Math.min(low, -1), max: 2 ** Math.max(high, 1) };
}
