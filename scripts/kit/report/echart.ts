// pure · what ECharts draws, as a part of our own SVG.
// Must never leave a chart undisposed (its timer keeps the process alive), or an id that another chart has too.
import * as echarts from 'echarts';
import { CHART_WIDTH, LEFT, RIGHT, type TimeAxis } from './frame.ts';

/** One line or area over time: points in seconds and a value, null where there is none. */
export type TimeSeries = {
  /** Its colours are those of the CSS variable `--name`. */
  color: string;
  points: readonly (readonly [seconds: number, value: number | null])[];
  kind: 'line' | 'area';
  width?: number;
  dash?: number[];
};
/** `id` sets the ids inside apart from those of other charts on the page. */
export type ValueAxis = {
  id: string;
  logarithmic?: { min: number; max: number };
  max?: number;
  splits: number;
};

const PADDING = 8;

/** The series inside the frame of all charts; ECharts does the values' axis, its lines and the curves. */
export function drawSeries(
  axis: TimeAxis,
  top: number,
  height: number,
  value: ValueAxis,
  series: readonly TimeSeries[],
): string {
  const drawing = drawChart(value.id, height, {
    grid: { left: LEFT, right: CHART_WIDTH - RIGHT, top: PADDING, bottom: 0, outerBoundsMode: 'none' },
    xAxis: { type: 'value', min: 0, max: axis.endMs / 1000, show: false },
    yAxis: valueAxis(value),
    series: series.map(optionsOf),
  });
  return `<g class="plot" transform="translate(0 ${top})">${drawing}</g>`;
}

/**
 * What is inside the SVG of a chart that is as wide as all are.
 * @param id     sets the ids inside apart from those of other charts on the page
 * @param height in pixels
 * @param option of ECharts; colours are CSS variables of the page around it
 */
export function drawChart(id: string, height: number, option: object): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: CHART_WIDTH, height });
  try {
    chart.setOption({ animation: false, ...option });
    return innerOf(chart.renderToSVGString(), id);
  } finally {
    chart.dispose();
  }
}

function valueAxis({ logarithmic, max, splits }: ValueAxis): object {
  const formatter = logarithmic
    ? (ms: number) => (ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`)
    : (rate: number) => String(rate);
  return {
    type: logarithmic ? 'log' : 'value',
    min: logarithmic?.min ?? 0,
    ...(logarithmic || max !== undefined ? { max: logarithmic?.max ?? max } : {}),
    splitNumber: splits,
    minInterval: logarithmic ? 0 : 1,
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: 'var(--ink-2)', fontSize: 12, margin: 7, formatter },
    splitLine: { lineStyle: { color: 'var(--grid)' } },
  };
}

function optionsOf({ color, points, kind, width = 1.5, dash }: TimeSeries): object {
  const isArea = kind === 'area';
  return {
    type: 'line',
    silent: true,
    symbol: 'none',
    step: 'end',
    connectNulls: false,
    data: points.map(([at, value]) => [at, value ?? '-']),
    lineStyle: { color: `var(--${color})`, width: isArea ? 0 : width, type: dash ?? 'solid' },
    ...(isArea ? { areaStyle: { color: `var(--${color})`, opacity: 1, origin: 'start' } } : {}),
  };
}

// The ids that ECharts counts up would differ from render to render; its style sheet is for hovering only.
function innerOf(svg: string, id: string): string {
  return svg
    .replace(/^[\s\S]*?<svg[^>]*>/, '')
    .replace(/<\/svg>\s*$/, '')
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/<rect [^>]*fill="none"[^>]*><\/rect>/, '')
    .replace(/\bzr\d+-c/g, `${id}-`)
    .replace(/ class="[^"]*"/g, '')
    .replace(/ pointer-events="[^"]*"/g, '')
    .replace(/font-family:[^;"]*;?/g, '');
}
