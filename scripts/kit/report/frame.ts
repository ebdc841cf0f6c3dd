// pure · the frame that all charts over time share: one axis, the phases, the faults as shaded bands.
// Must never give two charts a different scale: they are read from top to bottom along one moment.
import type { FaultRecord, Phase, Recording } from '../../chaos/journal.ts';
import { phasesSeen } from '../../chaos/report/figures.ts';
import { coordinate } from './format.ts';
import { escapeText } from './html.ts';

/** All charts are drawn in this width, in CSS pixels at scale 1, and scale with the page. */
export const CHART_WIDTH = 1200;
/** Names and legends stand left of this. */
export const LEFT = 204;
export const RIGHT = 1186;
const PHASE_ROW = 18;
const AXIS_ROW = 24;
const MAX_TICKS = 14;
const TICK_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];

// Where there is no room for all of it.
const SHORT_NAMES: Partial<Record<Phase['name'], string>> = { 'warm-up': 'warm' };

/** What lies at which x; times in ms after the load has started. */
export type TimeAxis = {
  endMs: number;
  phases: readonly Phase[];
  bands: readonly { fromMs: number; toMs: number }[];
  x(ms: number): number;
};

export function timeAxis(recording: Recording): TimeAxis {
  const lastMs = Math.max(recording.endedMs, ...recording.phases.map(({ fromMs }) => fromMs));
  const endMs = Number.isFinite(lastMs) && lastMs > 0 ? lastMs : 1000;
  const x = (ms: number) => LEFT + (Math.min(Math.max(ms, 0), endMs) / endMs) * (RIGHT - LEFT);
  const bands = recording.faults.map((fault) => ({ fromMs: fault.injectMs, toMs: faultEndMs(fault, endMs) }));
  return { endMs, phases: phasesSeen(recording), bands: merge(bands), x };
}

/** When a fault was over: healed, or the end of the recording while it lasted. */
export function faultEndMs({ healedMs, healMs, injectMs }: FaultRecord, endMs: number): number {
  return Math.max(healedMs ?? healMs ?? endMs, injectMs);
}

// Many faults at once would darken the ground under the points: where there is any, it has one tone.
function merge(bands: readonly { fromMs: number; toMs: number }[]): { fromMs: number; toMs: number }[] {
  const merged: { fromMs: number; toMs: number }[] = [];
  for (const band of bands.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = merged.at(-1);
    if (last !== undefined && band.fromMs <= last.toMs) last.toMs = Math.max(last.toMs, band.toMs);
    else merged.push({ ...band });
  }
  return merged;
}

export type Plot = {
  /** What it shows, for those who can't see it. */
  label: string;
  /** The height of what is drawn, without the phases above and the axis below. */
  height: number;
  /** Draws from y = `top` to `top + height`. */
  draw(top: number): string;
  /** A legend under the axis, from y = `top` on. */
  legend?: { height: number; draw(top: number): string };
};

/** A chart over time as an SVG. */
export function timeChart(axis: TimeAxis, { label, height, draw, legend }: Plot): string {
  const bottom = PHASE_ROW + height;
  const body = [
    axis.bands.map((band) => bandOf(axis, band, height)).join(''),
    gridOf(axis, bottom),
    phasesOf(axis, bottom),
    draw(PHASE_ROW),
    `<path class="base" d="M${LEFT} ${bottom}H${RIGHT}"/>`,
    legend?.draw(bottom + AXIS_ROW) ?? '',
  ];
  const attributes = `data-left="${LEFT}" data-right="${RIGHT}" data-end="${coordinate(axis.endMs)}"`;
  return svg('time', label, bottom + AXIS_ROW + (legend?.height ?? 0), body.join('\n'), attributes);
}

/** An SVG whose colours are those of the page around it. */
export function svg(className: string, label: string, height: number, body: string, attributes = ''): string {
  const size = `viewBox="0 0 ${CHART_WIDTH} ${coordinate(height)}"`;
  return `<svg class="chart ${className}" ${size} role="img" aria-label="${escapeText(label)}" ${attributes}>\n${body}\n</svg>`;
}

function bandOf(axis: TimeAxis, band: { fromMs: number; toMs: number }, height: number): string {
  const x = axis.x(band.fromMs);
  const width = Math.max(axis.x(band.toMs) - x, 1);
  return `<rect class="band" x="${coordinate(x)}" y="${PHASE_ROW}" width="${coordinate(width)}" height="${height}"/>`;
}

function gridOf(axis: TimeAxis, bottom: number): string {
  const endS = axis.endMs / 1000;
  const step =
    TICK_STEPS_S.find((each) => endS / each <= MAX_TICKS) ?? Math.ceil(endS / MAX_TICKS / 3600) * 3600;
  const ticks = Array.from({ length: Math.floor(endS / step) + 1 }, (_, index) => index * step);
  return ticks
    .map((tick) => {
      const x = coordinate(axis.x(tick * 1000));
      const text = tick === 0 ? '0 s' : String(tick);
      return `<path class="grid" d="M${x} ${PHASE_ROW}V${bottom}"/><text class="tick" x="${x}" y="${bottom + 15}">${text}</text>`;
    })
    .join('');
}

function phasesOf(axis: TimeAxis, bottom: number): string {
  return axis.phases
    .map(({ name, fromMs, toMs }) => {
      const [from, to] = [axis.x(fromMs), axis.x(toMs)];
      const line = fromMs <= 0 ? '' : `<path class="phase" d="M${coordinate(from)} 3V${bottom}"/>`;
      const shown = [name, SHORT_NAMES[name] ?? ''].find((text) => to - from > text.length * 7 + 6) ?? '';
      return `${line}<text class="phase-name" x="${coordinate(from + 5)}" y="12">${escapeText(shown)}</text>`;
    })
    .join('');
}
