// pure · the charts over time of a soak's report: curves, counts and deeds along one axis.
// Must never draw what was not measured: a gap stays a gap.
import { drawChart } from '../kit/report/echart.ts';
import { coordinate } from '../kit/report/format.ts';
import { CHART_WIDTH, LEFT, RIGHT, type TimeAxis, timeChart } from '../kit/report/frame.ts';
import { escapeText } from '../kit/report/html.ts';
import { nothingHere } from '../kit/report/symbols.ts';
import type { Soak } from './journal.ts';
import { DEED_KINDS, describeDeed } from './plan.ts';

export type Curve = {
  name: string;
  /** A colour of the page: `l-p50`, `l-p99` or `l-max`. */
  color: string;
  width: number;
  points: readonly (readonly [atMs: number, value: number | null])[];
};

const HEIGHT = 150;
const PADDING = 8;
const LEGEND_ROW = 18;
const LANE_ROW = 18;

/** Shaded: the half in which memory is judged. */
export function axisOf({ churnMs, endedMs }: Soak): TimeAxis {
  const endMs = Math.max(endedMs, 1_000);
  return {
    endMs,
    phases: [],
    bands: churnMs > 0 ? [{ fromMs: churnMs / 2, toMs: churnMs }] : [],
    x: (ms) => LEFT + (Math.min(Math.max(ms, 0), endMs) / endMs) * (RIGHT - LEFT),
  };
}

/** @param id sets the ids inside apart from those of other charts on the page */
export function curvesChart(axis: TimeAxis, id: string, label: string, curves: readonly Curve[]): string {
  const isEmpty = curves.every(({ points }) => points.every(([, value]) => value === null));
  return timeChart(axis, {
    label,
    height: HEIGHT,
    draw: (top) =>
      legend(curves, top) +
      (isEmpty
        ? nothingHere(top + HEIGHT / 2, 'Nothing was measured.')
        : `<g class="plot" transform="translate(0 ${top})">${drawChart(id, HEIGHT, optionOf(axis, curves))}</g>`),
  });
}

function optionOf(axis: TimeAxis, curves: readonly Curve[]): object {
  return {
    grid: { left: LEFT, right: CHART_WIDTH - RIGHT, top: PADDING, bottom: 0, outerBoundsMode: 'none' },
    xAxis: { type: 'value', min: 0, max: axis.endMs / 1000, show: false },
    yAxis: {
      type: 'value',
      splitNumber: 3,
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: 'var(--ink-2)', fontSize: 12, margin: 7 },
      splitLine: { lineStyle: { color: 'var(--grid)' } },
      // Growth has to be seen beside what is there anyway.
      scale: true,
    },
    series: curves.map(({ color, width, points }) => ({
      type: 'line',
      silent: true,
      symbol: 'none',
      connectNulls: false,
      data: points.map(([atMs, value]) => [atMs / 1000, value ?? '-']),
      lineStyle: { color: `var(--${color})`, width },
    })),
  };
}

function legend(curves: readonly Curve[], top: number): string {
  return curves
    .map(({ name, color, width }, index) => {
      const y = top + 14 + index * LEGEND_ROW;
      return `<path class="stroke-${color}" style="stroke-width:${width}" d="M0 ${y}H16"/><text class="name" x="22" y="${y}" dy=".35em">${escapeText(name)}</text>`;
    })
    .join('');
}

/** A row for each kind of deed, and in it each deed from its beginning to its end. */
export function deedsChart(axis: TimeAxis, { deeds }: Soak): string {
  return timeChart(axis, {
    label: 'What was done, by kind',
    height: DEED_KINDS.length * LANE_ROW + PADDING,
    draw: (top) =>
      DEED_KINDS.map((kind, row) => {
        const y = top + PADDING / 2 + row * LANE_ROW;
        const done = deeds.filter(({ deed, isSkipped }) => deed.kind === kind && !isSkipped);
        const bars = done.map(({ deed, atMs, endedMs }) => {
          const x = axis.x(atMs);
          const width = Math.max(axis.x(endedMs ?? axis.endMs) - x, 2);
          return `<g><title>${escapeText(describeDeed(deed))} at ${(atMs / 1000).toFixed(1)} s</title><rect class="fault-hit" x="${coordinate(x)}" y="${y + 3}" width="${coordinate(width)}" height="${LANE_ROW - 6}" fill-opacity="0.65"/></g>`;
        });
        const name = `<text class="name" x="22" y="${y + LANE_ROW / 2}" dy=".35em">${kind} <tspan class="dim">× ${done.length}</tspan></text>`;
        return `${name}${bars.join('')}`;
      }).join('\n'),
  });
}
