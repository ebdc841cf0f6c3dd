// pure · how long it took to take a server out after a hit and to let it back in, as figures and as a chart.
import { nearestRank } from '../../kit/percentile.ts';
import { type LogScale, logScale, tickOf } from '../../kit/report/charts.ts';
import { figure } from '../../kit/report/html.ts';
import { duration } from '../../kit/words.ts';
import { FAULT_FACTS, FAULT_KINDS, type FaultFacts, type FaultKind } from '../faults/facts.ts';
import { type Recording, recordingsByProxy } from '../journal.ts';
import { DEATH_LIMIT_MS, DEATH_P95_LIMIT_MS, HANG_LIMIT_MS, READMISSION_LIMIT_MS } from '../judge/limits.ts';
import { Observations, type ServerHit } from '../judge/observations.ts';
import { absenceOf } from '../judge/recovery.ts';

/** What the hits of one kind of fault took. */
export type Timings = {
  kind: FaultKind;
  /** In ms, one for each hit that had its event, in the order of the hits; with several proxies one for each of them. */
  times: number[];
  /** Hits without it: not taken out at all, or not back before the next hit or the end. */
  none: number;
};
/** What the design promises, in ms, for some kinds of faults. */
type Limits = Readonly<Record<NonNullable<FaultFacts['limits']>, readonly number[]>>;

const DETECTION_LIMITS: Limits = { death: [DEATH_P95_LIMIT_MS, DEATH_LIMIT_MS], hang: [HANG_LIMIT_MS] };
const READMISSION_LIMITS: Limits = { death: [], hang: [READMISSION_LIMIT_MS] };

/** The scale reaches at least from and to here, in ms. */
const RANGE = [10, 10_000];
/** Equal points are set off against each other, in pixels; not at random, for the same bytes each time. */
const OFFSETS = [0, -6, 6, -3, 3, -8, 8];

/** By kind of fault: from when each hit had happened for certain until its server got no request any more. */
export function detections(recording: Recording): Timings[] {
  return byKind(recording, ({ out, struckMs }) => (out === null ? null : Math.max(0, out.atMs - struckMs)));
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
  for (const each of recordingsByProxy(recording).flatMap((view) => new Observations(view).serverHits)) {
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

/** Detection and readmission side by side as HTML tables: a point for each hit, the limits, and the figures. */
export function timingsTables(recording: Recording): string {
  const [out, back] = [detections(recording), readmissions(recording)];
  const times = [...out, ...back].flatMap((each) => each.times);
  const scale = logScale([...RANGE, ...times], 0, 100);
  const left = panel('Detection', 'hit → out of rotation', out, scale, DETECTION_LIMITS);
  const right = panel('Readmission', 'there again → back in rotation', back, scale, READMISSION_LIMITS);
  const perHit = recording.others.length === 0 ? 'hit' : 'hit and proxy';
  const note = `One point per ${perHit}, logarithmic; dashed: what the design allows. “none”: hits without such an event.`;
  return figure({ title: 'Detection and readmission', note }, `<div class="panels">${left}${right}</div>`);
}

function panel(
  title: string,
  what: string,
  timings: readonly Timings[],
  { decades, at }: LogScale,
  limits: Limits,
): string {
  const place = (ms: number) => `left:${at(ms).toFixed(1)}%`;
  const lines = decades.map((ms) => `<s style="${place(ms)}"></s>`).join('');
  const ticks = decades.map((ms) => `<span style="${place(ms)}">${tickOf(ms)}</span>`).join('');
  const rows = timings.map(({ kind, times, none }) => {
    const sorted = Float64Array.from(times).sort();
    const limit = FAULT_FACTS[kind].limits;
    const marks = (limit === undefined ? [] : limits[limit]).map(
      (ms) => `<b style="${place(ms)}">≤ ${duration(ms)}</b>`,
    );
    const points = times.map((ms, index) => {
      const top = 13 + (OFFSETS[index % OFFSETS.length] ?? 0);
      return `<i style="${place(ms)};top:${top}px" title="${duration(ms)}"></i>`;
    });
    const figures = [
      times.length,
      none,
      duration(nearestRank(sorted, 50)),
      duration(nearestRank(sorted, 100)),
    ];
    const cells = figures.map((text) => `<td class="number">${text}</td>`).join('');
    return `<tr><td>${kind}</td><td class="strip">${lines}${marks.join('')}${points.join('')}</td>${cells}</tr>`;
  });
  const about = `<b>${title}</b> ${what}`;
  if (timings.length === 0) {
    return `<table class="timings"><thead><tr><th>${about}</th></tr></thead><tbody><tr><td class="note">None.</td></tr></tbody></table>`;
  }
  const heads = ['n', 'none', 'median', 'max'].map((name) => `<th class="number">${name}</th>`).join('');
  const head = `<tr><th colspan="2">${about}</th>${heads}</tr>`;
  const axis = `<tr class="axis"><td></td><td class="strip">${ticks}</td><td colspan="4"></td></tr>`;
  return `<table class="timings"><thead>${head}</thead><tbody>${rows.join('\n')}${axis}</tbody></table>`;
}
