// pure · how long detection and readmission took: one point per hit, by kind of fault.
// Must never show a median without how many hits it rests on.

import { nearestRank } from '../../kit/percentile.ts';
import { coordinate } from '../../kit/report/format.ts';
import { CHART_WIDTH, svg } from '../../kit/report/frame.ts';
import { duration } from '../../kit/words.ts';
import type { Recording } from '../journal.ts';
import { decades, decadesAround, type LogScale, logScale } from './log-scale.ts';
import { detectionLimits, detections, readmissionLimits, readmissions, type Timings } from './timings.ts';

const ROW = 34;
const HEAD = 40;
const PANEL = 580;
const PLOT_FROM = 84;
const PLOT_TO = 352;
const COLUMNS = { n: 388, none: 430, median: 500, max: 574 };
/** At least from and to here, in ms. */
const RANGE = [10, 10_000];
/** Points are set off against each other so that equal ones are seen; not at random, for the same bytes each time. */
const OFFSETS = [0, -6, 6, -3, 3, -8, 8];

export function stripChart(recording: Recording): string {
  const [out, back] = [detections(recording), readmissions(recording)];
  const rows = Math.max(out.length, back.length, 1);
  const range = decadesAround([...RANGE, ...[...out, ...back].flatMap(({ times }) => times)]);
  const scale = logScale(range, PLOT_FROM, PLOT_TO);
  const left = panel('Detection', 'hit → out of rotation', out, scale, detectionLimits);
  const right = panel('Readmission', 'there again → back in rotation', back, scale, readmissionLimits);
  const body = `<g>${left}</g><g transform="translate(${CHART_WIDTH - PANEL} 0)">${right}</g>`;
  return svg('strips', 'Detection and readmission times by kind of fault', HEAD + rows * ROW + 24, body);
}

function panel(
  title: string,
  about: string,
  timings: readonly Timings[],
  scale: LogScale,
  limitsOf: (kind: Timings['kind']) => readonly number[],
): string {
  const heads = Object.entries(COLUMNS).map(
    ([name, x]) => `<text class="note end" x="${x}" y="30">${name}</text>`,
  );
  const head = `<text x="0" y="12"><tspan class="strong">${title}</tspan><tspan class="note" dx="10">${about}</tspan></text>${heads.join('')}`;
  if (timings.length === 0) return `${head}<text class="note" x="0" y="${HEAD + 20}">None.</text>`;
  const bottom = HEAD + timings.length * ROW;
  const rows = timings.map((each, index) => row(each, HEAD + index * ROW, scale, limitsOf(each.kind)));
  return [head, grid(scale, bottom), ...rows].join('\n');
}

function grid(scale: LogScale, bottom: number): string {
  return decades(scale)
    .map((ms) => {
      const x = coordinate(scale.position(ms));
      return `<path class="grid" d="M${x} ${HEAD}V${bottom}"/><text class="tick" x="${x}" y="${bottom + 15}">${ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`}</text>`;
    })
    .join('');
}

function row(
  { kind, times, none }: Timings,
  top: number,
  scale: LogScale,
  limits: readonly number[],
): string {
  const middle = top + ROW / 2;
  const points = times.map((ms, index) => {
    const y = middle + (OFFSETS[index % OFFSETS.length] ?? 0);
    return `<circle class="hit-point" cx="${coordinate(scale.position(ms))}" cy="${y}" r="3.2"><title>${duration(ms)}</title></circle>`;
  });
  const lines = limits.map((ms) => {
    const x = coordinate(scale.position(ms));
    const at = Number(x) + 3;
    return `<path class="limit" d="M${x} ${top + 2}V${top + ROW - 2}"/><text class="limit-name" x="${coordinate(at)}" y="${top + 12}">≤ ${duration(ms)}</text>`;
  });
  const sorted = Float64Array.from(times).sort();
  const figures = {
    n: String(times.length),
    none: none === 0 ? '0' : String(none),
    median: times.length === 0 ? '–' : duration(nearestRank(sorted, 50)),
    max: times.length === 0 ? '–' : duration(nearestRank(sorted, 100)),
  };
  const cells = Object.entries(figures).map(
    ([name, text]) =>
      `<text class="name number end" x="${COLUMNS[name as keyof typeof COLUMNS]}" y="${middle}" dy=".35em">${text}</text>`,
  );
  const rule = `<path class="rule" d="M0 ${top}H${PANEL - 6}"/>`;
  return `${rule}<text class="name" x="0" y="${middle}" dy=".35em">${kind}</text>${lines.join('')}${points.join('')}${cells.join('')}`;
}
