// pure · how long it took to take a server out after a hit and to let it back in, as figures and as a chart.
import { nearestRank } from '../../kit/percentile.ts';
import {
  CHART_WIDTH,
  figure,
  type LogScale,
  label,
  logScale,
  path,
  tickOf,
} from '../../kit/report/charts.ts';
import { duration } from '../../kit/words.ts';
import type { Recording } from '../journal.ts';

import { DEATH_LIMIT_MS, DEATH_P95_LIMIT_MS, HANG_LIMIT_MS, READMISSION_LIMIT_MS } from '../judge/limits.ts';
import { Observations, type ServerHit } from '../judge/observations.ts';
import { absenceOf } from '../judge/recovery.ts';
import { FAULT_KINDS, type FaultKind } from '../plan.ts';

/** What the hits of one kind of fault took. */
export type Timings = {
  kind: FaultKind;
  /** In ms, one for each hit that had its event, in the order of the hits. */
  times: number[];
  /** Hits without it: not taken out at all, or not back before the next hit or the end. */
  none: number;
};
/** What the design promises, in ms, for the kinds of which it promises anything. */
type Limits = Partial<Record<FaultKind, readonly number[]>>;

const DETECTION_LIMITS: Limits = {
  kill: [DEATH_P95_LIMIT_MS, DEATH_LIMIT_MS],
  pause: [HANG_LIMIT_MS],
  partition: [HANG_LIMIT_MS],
};
const READMISSION_LIMITS: Limits = { pause: [READMISSION_LIMIT_MS], partition: [READMISSION_LIMIT_MS] };

const ROW = 34;
const HEAD = 40;
const PANEL = 580;
const PLOT_FROM = 84;
const PLOT_TO = 352;
const COLUMNS = { n: 388, none: 430, median: 500, max: 574 };
/** The scale reaches at least from and to here, in ms. */
const RANGE = [10, 10_000];
/** Equal points are set off against each other; not at random, for the same bytes each time. */
const OFFSETS = [0, -6, 6, -3, 3, -8, 8];

/** By kind of fault: from when each hit had happened for certain until its server got no request any more. */
export function detections(recording: Recording): Timings[] {
  return byKind(recording, ({ out, struckMs }) => {
    return out === null ? null : Math.max(0, out.atMs - struckMs);
  });
}

/** By kind of fault: from when the server could serve again until it was admitted, of those that had been taken out. */
export function readmissions(recording: Recording): Timings[] {
  return byKind(recording, (each) => {
    const absence = absenceOf(each, recording.endedMs);
    return absence === null ? 'does not count' : absence.afterMs;
  });
}

function byKind(
  recording: Recording,
  measure: (each: ServerHit) => number | null | 'does not count',
): Timings[] {
  const found = new Map<FaultKind, Timings>();
  for (const each of new Observations(recording).serverHits) {
    const time = measure(each);
    if (time === 'does not count') continue;
    const { kind } = each.fault;
    const timings = found.get(kind) ?? { kind, times: [], none: 0 };
    if (time === null || !Number.isFinite(time)) timings.none += 1;
    else timings.times.push(time);
    found.set(kind, timings);
  }
  return FAULT_KINDS.flatMap((kind) => found.get(kind) ?? []);
}

/** Detection and readmission side by side: a point for each hit, the limits, and the figures. */
export function timingsChart(recording: Recording): string {
  const [out, back] = [detections(recording), readmissions(recording)];
  const scale = logScale([...RANGE, ...[...out, ...back].flatMap(({ times }) => times)], PLOT_FROM, PLOT_TO);
  const left = panel('Detection', 'hit → out of rotation', out, scale, DETECTION_LIMITS);
  const right = panel('Readmission', 'there again → back in rotation', back, scale, READMISSION_LIMITS);
  return figure(
    {
      title: 'Detection and readmission',
      note: 'One point per hit, logarithmic; dashed: what the design allows. “none”: hits without such an event.',
    },
    HEAD + Math.max(out.length, back.length, 1) * ROW + 24,
    `${left}<g transform="translate(${CHART_WIDTH - PANEL} 0)">${right}</g>`,
  );
}

function panel(
  title: string,
  about: string,
  timings: readonly Timings[],
  { decades, at }: LogScale,
  limits: Limits,
): string {
  const bottom = HEAD + timings.length * ROW;
  return [
    label('strong', 0, 8, title),
    label('note', title.length * 7 + 12, 8, about),
    ...Object.entries(COLUMNS).map(([name, x]) => label('note end', x, 26, name)),
    ...(timings.length === 0
      ? [label('note', 0, HEAD + 16, 'None.')]
      : decades.flatMap((ms) => [
          path('grid', `M${at(ms)} ${HEAD}V${bottom}`),
          label('tick', at(ms), bottom + 11, tickOf(ms)),
        ])),
    ...timings.map((each, index) => row(each, HEAD + index * ROW, at, limits[each.kind] ?? [])),
  ].join('\n');
}

function row(
  { kind, times, none }: Timings,
  top: number,
  at: LogScale['at'],
  limits: readonly number[],
): string {
  const middle = top + ROW / 2;
  const sorted = Float64Array.from(times).sort();
  const cells: [x: number, text: string][] = [
    [COLUMNS.n, String(times.length)],
    [COLUMNS.none, String(none)],
    [COLUMNS.median, duration(nearestRank(sorted, 50))],
    [COLUMNS.max, duration(nearestRank(sorted, 100))],
  ];
  return [
    path('rule', `M0 ${top}H${PANEL - 6}`),
    label('name', 0, middle, kind),
    ...limits.flatMap((ms) => [
      path('limit', `M${at(ms)} ${top + 2}V${top + ROW - 2}`),
      label('limit-name', at(ms) + 3, top + 8, `≤ ${duration(ms)}`),
    ]),
    ...times.map((ms, index) => {
      const y = middle + (OFFSETS[index % OFFSETS.length] ?? 0);
      return path(
        'hit-point',
        `M${at(ms) - 3.2} ${y}a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0`,
        duration(ms),
      );
    }),
    ...cells.map(([x, text]) => label('end', x, middle, text)),
  ].join('');
}
