// pure · ratios as dots with the range of their runs, in rows: drawn by ECharts as SVG.
// Must never tell two targets apart by colour alone.
import { CHART_WIDTH, drawChart, LEFT, RIGHT, svg } from '../../kit/report/charts.ts';
import type { TargetName } from '../plan.ts';
import type { Spread } from '../statistics.ts';
import { markOf, symbolShape } from './marks.ts';

export type RangeRow = { label: string; values: readonly { target: TargetName; spread: Spread }[] };

export type RangeChart = {
  /** Sets the ids inside apart from those of other charts on the page. */
  id: string;
  /** What it shows, for those who can't see it. */
  label: string;
  /** `ratio`: a logarithmic axis with a line at 1. `micros`: a plain one, from 0. */
  axis: 'ratio' | 'micros';
  rows: readonly RangeRow[];
};

const TOP = 6;
const AXIS_ROW = 26;
const MARK_ROW = 11;
const ROW_SPACE = 12;

/** The chart as an SVG whose colours are those of the page around it; '' when there is nothing to draw. */
export function drawRanges(chart: RangeChart): string {
  const spreads = chart.rows.flatMap(({ values }) => values.map(({ spread }) => spread));
  if (spreads.length === 0) return '';
  const perRow = Math.max(...chart.rows.map(({ values }) => values.length));
  const plotHeight = chart.rows.length * (perRow * MARK_ROW + ROW_SPACE);
  const height = TOP + plotHeight + AXIS_ROW;
  const drawing = drawChart(chart.id, height, {
    grid: { left: LEFT, right: CHART_WIDTH - RIGHT, top: TOP, height: plotHeight, outerBoundsMode: 'none' },
    yAxis: rowAxis(chart.rows.map(({ label }) => label)),
    xAxis: valueAxis(chart.axis, spreads),
    series: chart.rows.flatMap((row, at) => row.values.map((_, index) => rangeSeries(row, at, index))),
  });
  return svg('ranges', chart.label, height, `<g class="plot">${drawing}</g>`);
}

function rowAxis(labels: readonly string[]): object {
  return {
    type: 'category',
    data: labels,
    inverse: true,
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: 'var(--ink)', fontSize: 12.5, margin: 12, interval: 0 },
    splitLine: { show: true, lineStyle: { color: 'var(--grid)' } },
  };
}

function valueAxis(kind: RangeChart['axis'], spreads: readonly Spread[]): object {
  const look = {
    axisLabel: { color: 'var(--ink-2)', fontSize: 12, hideOverlap: true },
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: 'var(--grid)' } },
  };
  const [min, max] = [Math.min(...spreads.map((s) => s.min)), Math.max(...spreads.map((s) => s.max))];
  if (kind === 'micros') return { ...look, type: 'value', min: Math.min(min, 0), max: 'dataMax' };
  return { ...look, type: 'log', logBase: 2, ...ratioLimits(min, max) };
}

/** Powers of two that hold every ratio, and 1 with some room on both sides. */
export function ratioLimits(min: number, max: number): { min: number; max: number } {
  const low = Math.floor(Math.log2(Math.max(min, 1 / 64)));
  const high = Math.ceil(Math.log2(Math.max(max, 1 / 64)));
  return { min: 2 ** Math.min(low, -1), max: 2 ** Math.max(high, 1) };
}

function rangeSeries({ values }: RangeRow, row: number, index: number): object {
  const value = values[index];
  if (value === undefined) return {};
  const { spread, target } = value;
  const dy = (index - (values.length - 1) / 2) * MARK_ROW;
  const { color, symbol } = markOf(target);
  return {
    type: 'custom',
    silent: true,
    data: [[spread.median, row, spread.min, spread.max]],
    encode: { x: [0, 2, 3], y: 1 },
    ...(row === 0 && index === 0 ? { markLine: LINE_AT_ONE } : {}),
    renderItem: (_params: unknown, api: { coord(point: readonly number[]): number[] }) => {
      const xs = [spread.min, spread.median, spread.max].map((at) => api.coord([at, row])[0] ?? 0);
      const [from = 0, x = 0, to = 0] = xs;
      const y = (api.coord([spread.median, row])[1] ?? 0) + dy;
      const stroke = `var(--${color})`;
      return {
        type: 'group',
        children: [
          { type: 'line', shape: { x1: from, y1: y, x2: to, y2: y }, style: { stroke, lineWidth: 2 } },
          {
            type: 'path',
            shape: { pathData: symbolShape(symbol.shape, x, y) },
            style: { stroke, lineWidth: 1.8, fill: symbol.isFilled ? stroke : 'var(--paper)' },
          },
        ],
      };
    },
  };
}

const LINE_AT_ONE = {
  silent: true,
  symbol: 'none',
  label: { show: false },
  lineStyle: { color: 'var(--ink-2)', type: [4, 3], width: 1.2 },
  data: [{ xAxis: 1 }],
};
