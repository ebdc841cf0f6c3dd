// pure · the charts of a report as SVG: the axis over time that they share, shapes, labels, and curves by ECharts.
import * as echarts from 'echarts';
import { escapeText, figure, type Heading } from './html.ts';

/** All charts are drawn in this width, in CSS pixels at scale 1, and scale with the page. */
export const CHART_WIDTH = 1200;
/** Names and legends stand left of this. */
export const LEFT = 204;
export const RIGHT = 1186;
const PHASE_ROW = 18;
const AXIS_ROW = 24;
const LEGEND_ROW = 18;
const PADDING = 8;
const MAX_TICKS = 14;
const TICK_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];

export type Span = { fromMs: number; toMs: number };
/** Where a moment lies in all charts of a page; times in ms. */
export type TimeAxis = {
  endMs: number;
  phases: readonly (Span & { name: string })[];
  /** What is shaded, without overlaps. */
  bands: readonly Span[];
  x(ms: number): number;
};

export function timeAxis(endMs: number, bands: readonly Span[], phases: TimeAxis['phases'] = []): TimeAxis {
  const x = (ms: number) => LEFT + (Math.min(Math.max(ms, 0), endMs) / endMs) * (RIGHT - LEFT);
  return { endMs, phases, bands: merge(bands), x };
}

// Overlapping bands would be darker than others.
function merge(bands: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const band of bands.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = merged.at(-1);
    if (last !== undefined && band.fromMs <= last.toMs) last.toMs = Math.max(last.toMs, band.toMs);
    else merged.push({ ...band });
  }
  return merged;
}

export type Plot = Heading & {
  /** Without the phases above and the axis below. */
  height: number;
  /** Draws from y = `top` to `top + height`. */
  draw(top: number): string;
  /** A legend under the axis, from y = `top` on. */
  legend?: { height: number; draw(top: number): string };
};

/** A chart over time with its heading, as HTML. */
export function timeChart(axis: TimeAxis, { height, draw, legend, ...heading }: Plot): string {
  const bottom = PHASE_ROW + height;
  const body = [
    ...axis.bands.map(({ fromMs, toMs }) => bar('band', axis, [fromMs, toMs], [PHASE_ROW, height])),
    timeGrid(axis, bottom),
    ...axis.phases.map((phase) => phaseMark(axis, phase, bottom)),
    draw(PHASE_ROW),
    path('base', `M${LEFT} ${bottom}H${RIGHT}`),
    legend?.draw(bottom + AXIS_ROW) ?? '',
  ];
  const attributes = `data-left="${LEFT}" data-right="${RIGHT}" data-end="${coordinate(axis.endMs)}"`;
  const whole = bottom + AXIS_ROW + (legend?.height ?? 0);
  return figure(
    heading,
    svg('time', `${heading.title}. ${heading.note}`, whole, body.join('\n'), attributes),
  );
}

function timeGrid({ endMs, x }: TimeAxis, bottom: number): string {
  const endS = endMs / 1000;
  const step =
    TICK_STEPS_S.find((each) => endS / each <= MAX_TICKS) ?? Math.ceil(endS / MAX_TICKS / 3600) * 3600;
  const ticks = Array.from({ length: Math.floor(endS / step) + 1 }, (_, index) => index * step);
  return ticks
    .map((tick) => {
      const at = x(tick * 1000);
      const text = tick === 0 ? '0 s' : String(tick);
      return path('grid', `M${at} ${PHASE_ROW}V${bottom}`) + label('tick', at, bottom + 11, text);
    })
    .join('');
}

function phaseMark(
  axis: TimeAxis,
  { name, fromMs, toMs }: TimeAxis['phases'][number],
  bottom: number,
): string {
  const [from, to] = [axis.x(fromMs), axis.x(toMs)];
  const line = fromMs <= 0 ? '' : path('phase', `M${from} 3V${bottom}`);
  // Where there is no room for the whole name, its first word.
  const shown = [name, name.split('-')[0] ?? ''].find((text) => to - from > text.length * 7 + 6) ?? '';
  return line + label('phase-name', from + 5, 8, shown);
}

/** An SVG whose colours are those of the page around it. */
export function svg(className: string, name: string, height: number, body: string, attributes = ''): string {
  const size = `viewBox="0 0 ${CHART_WIDTH} ${coordinate(height)}"`;
  return `<svg class="chart ${className}" ${size} role="img" aria-label="${escapeText(name)}" ${attributes}>\n${body}\n</svg>`;
}

/** A shape; its title is shown under the mouse. Numbers in `d` are rounded. */
export function path(className: string, d: string, title = ''): string {
  const short = d.replace(/-?(?:\d+\.\d+(?:e-?\d+)?|NaN|Infinity)/g, (number) => coordinate(Number(number)));
  return `<path class="${className}" d="${short}">${titleOf(title)}</path>`;
}

export function rect(
  className: string,
  x: number,
  y: number,
  width: number,
  height: number,
  title = '',
): string {
  return path(className, `M${x} ${y}h${width}v${height}h${-width}z`, title);
}

/** A rectangle from one moment to another, at least `least` pixels wide. */
export function bar(
  className: string,
  axis: TimeAxis,
  [fromMs, toMs]: readonly [fromMs: number, toMs: number],
  [y, height]: readonly [y: number, height: number],
  { least = 1, title = '' } = {},
): string {
  const x = axis.x(fromMs);
  return rect(className, x, y, Math.max(axis.x(toMs) - x, least), height, title);
}

/** A text whose middle is at `y`. */
export function label(className: string, x: number, y: number, text: string, title = ''): string {
  const place = `x="${coordinate(x)}" y="${coordinate(y)}" dy=".35em"`;
  return `<text class="${className}" ${place}>${titleOf(title)}${escapeText(text)}</text>`;
}

/** A word in place of a drawing, so that an empty chart is not taken for a broken one. */
export function nothingHere(y: number, text: string): string {
  return label('note', LEFT + 12, y, text);
}

function titleOf(title: string): string {
  return title === '' ? '' : `<title>${escapeText(title)}</title>`;
}

/** A coordinate of an SVG: one decimal, no trailing zero. */
function coordinate(value: number): string {
  return Number.isFinite(value) ? String(Math.round(value * 10) / 10) : '0';
}

export type LogScale = { decades: readonly number[]; at(value: number): number };

/** A logarithmic scale from `from` to `to` in pixels over whole decades around values above 0, two decades at least. */
export function logScale(values: readonly number[], from: number, to: number): LogScale {
  const logs = values.filter((value) => value > 0 && Number.isFinite(value)).map(Math.log10);
  const isEmpty = logs.length === 0;
  const low = isEmpty ? -1 : Math.max(Math.floor(logs.reduce((a, b) => Math.min(a, b))), -2);
  const high = isEmpty ? 3 : Math.max(Math.ceil(logs.reduce((a, b) => Math.max(a, b))), low + 2);
  return {
    decades: Array.from({ length: high - low + 1 }, (_, at) => Number((10 ** (low + at)).toPrecision(1))),
    // What lies outside is drawn at the edge.
    at: (value) => {
      const share = value > 0 ? (Math.log10(value) - low) / (high - low) : 0;
      return from + Math.min(Math.max(share, 0), 1) * (to - from);
    },
  };
}

/** `50 ms`, `10 s`: a whole number on an axis. */
export function tickOf(ms: number): string {
  return ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`;
}

export type Curve = {
  name: string;
  /** The CSS variable of its colour. */
  color: string;
  /** Of the line; 0 fills the area below instead. */
  width: number;
  /** null where nothing was measured: there is a gap. */
  points: readonly (readonly [atMs: number, value: number | null])[];
};

export type CurvesChart = Heading & {
  height: number;
  /** What stands there when there is nothing to draw. */
  empty: string;
  curves: readonly Curve[];
  /** What differs from the usual axis of values, as ECharts names it. */
  values?: object;
  tick?: (value: number) => string;
  /** Each value holds until the next. */
  isStepped?: boolean;
};

/** Curves over time with their names beside them, as HTML. */
export function curvesChart(axis: TimeAxis, chart: CurvesChart): string {
  const { height, empty, curves, values, tick, isStepped = false, ...heading } = chart;
  const isEmpty = curves.every(({ points }) => points.every(([, value]) => (value ?? 0) === 0));
  const drawing = (top: number) =>
    `<g class="plot" transform="translate(0 ${top})">${drawChart(heading.title, height, {
      grid: { left: LEFT, right: CHART_WIDTH - RIGHT, top: PADDING, bottom: 0, outerBoundsMode: 'none' },
      xAxis: { type: 'value', min: 0, max: axis.endMs / 1000, show: false },
      yAxis: { ...VALUES, ...values, axisLabel: { ...VALUES.axisLabel, formatter: tick } },
      series: curves.map((curve) => seriesOf(curve, isStepped ? axis.endMs : null)),
    })}</g>`;
  return timeChart(axis, {
    ...heading,
    height,
    draw: (top) => curveNames(curves, top) + (isEmpty ? nothingHere(top + height / 2, empty) : drawing(top)),
  });
}

const VALUES = {
  type: 'value',
  splitNumber: 3,
  axisLine: { show: false },
  axisTick: { show: false },
  axisLabel: { color: 'var(--ink-2)', fontSize: 12, margin: 7 },
  splitLine: { lineStyle: { color: 'var(--grid)' } },
};

function seriesOf({ color, width, points }: Curve, stepsEndMs: number | null): object {
  // The last value of a stepped curve holds to the end.
  const last = stepsEndMs === null ? [] : points.slice(-1).map(([, value]) => [stepsEndMs, value] as const);
  return {
    type: 'line',
    silent: true,
    symbol: 'none',
    step: stepsEndMs !== null && 'end',
    data: [...points, ...last].map(([atMs, value]) => [atMs / 1000, value ?? '-']),
    lineStyle: { color: `var(--${color})`, width },
    ...(width === 0 && { areaStyle: { color: `var(--${color})`, opacity: 1, origin: 'start' } }),
  };
}

function curveNames(curves: readonly Curve[], top: number): string {
  return curves
    .map(({ name, color, width }, index) => {
      const y = top + 14 + index * LEGEND_ROW;
      const shape =
        width === 0
          ? `<path d="M2 ${y - 5}h12v10h-12z" style="fill:var(--${color})"/>`
          : `<path d="M0 ${y}H16" style="stroke:var(--${color});stroke-width:${width}"/>`;
      return shape + label('name', 22, y, name);
    })
    .join('');
}

/**
 * What is inside an SVG that ECharts draws in the width of all charts.
 * @param name   sets the ids inside apart from those of other charts on the page
 * @param height in pixels
 * @param option of ECharts; colours are CSS variables of the page around it
 */
export function drawChart(name: string, height: number, option: object): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: CHART_WIDTH, height });
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: 'inherit' }, ...option });
    return innerOf(chart.renderToSVGString(), name.replaceAll(/\W+/g, '-'));
  } finally {
    // Its timer would keep the process alive.
    chart.dispose();
  }
}

// The ids that ECharts counts up would differ from render to render.
function innerOf(drawing: string, id: string): string {
  return drawing
    .replace(/^[\s\S]*?<svg[^>]*>|<\/svg>\s*$/g, '')
    .replace(/<style[\s\S]*?<\/style>| class="[^"]*"/g, '')
    .replace(/\bzr\d+-/g, `${id}-`);
}
