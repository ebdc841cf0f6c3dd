// pure · requests → the figures that the report is about: kinds of outcomes, percentiles, phases, and the figures at its top.
import { nearestRank } from '../../kit/percentile.ts';
import { label, path } from '../../kit/report/charts.ts';
import { escapeText } from '../../kit/report/html.ts';
import { count, decimal, duration, percent } from '../../kit/words.ts';
import type { PhaseName, Recording, RequestRow } from '../journal.ts';
import { detections, readmissions, type Timings } from './timings.ts';

/** How a request is drawn. A retried one ended well, though not at its first attempt. */
export type Kind = 'ok' | 'retried' | 'error' | 'wrong' | 'lost' | 'dropped';

// Its words, and its symbol, so that no reader depends on colours: where it begins, seen from its centre, and how it goes on.
const LOOKS: Readonly<Record<Kind, readonly [words: string, dx: number, dy: number, path: string]>> = {
  ok: ['ok', -1.5, 0, 'h3'],
  retried: ['ok after retry', -3.2, 0, 'a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0'],
  error: ['error reply', 0, -4.6, 'l4.4 8h-8.8z'],
  wrong: ['wrong answer', 0, -5, 'l5 5l-5 5l-5 -5z'],
  lost: ['lost', -4, -4, 'l8 8m0 -8l-8 8'],
  // the generator's own doing
  dropped: ['dropped', -3.5, -2, 'h7v4h-7z'],
};

/** From the best to the worst, dropped last. */
export const KINDS = Object.keys(LOOKS) as readonly Kind[];

export function wordsOf(kind: Kind): string {
  return LOOKS[kind][0];
}

/** SVG path data of a kind's symbol with its centre at (x, y), about 8 pixels across. */
export function symbolOf(kind: Kind, x: number, y: number): string {
  const [, dx, dy, shape] = LOOKS[kind];
  return `M${x + dx} ${y + dy}${shape}`;
}

/** A kind's symbol and word beside a chart, paler when there was none, and more about it. */
export function kindLabel(kind: Kind, y: number, total: number, more: string): string {
  const content = path(`symbol k-${kind}`, symbolOf(kind, 8, y)) + label('', 20, y, wordsOf(kind)) + more;
  return `<g${total === 0 ? ' class="dim"' : ''}>${content}</g>`;
}

export function kindOf(request: RequestRow): Kind {
  return request.outcome === 'ok' && request.attempts > 1 ? 'retried' : request.outcome;
}

export function countKinds(requests: readonly RequestRow[]): Record<Kind, number> {
  const counts = { ok: 0, retried: 0, error: 0, wrong: 0, lost: 0, dropped: 0 };
  for (const request of requests) counts[kindOf(request)] += 1;
  return counts;
}

/** Latencies of the right answers in ms, in ascending order. */
export function okLatencies(requests: readonly RequestRow[]): Float64Array {
  const chosen = requests.filter((row) => row.outcome === 'ok' && Number.isFinite(row.latencyMs));
  return Float64Array.from(chosen, ({ latencyMs }) => latencyMs).sort();
}

/** The requests that were due in a phase. */
function requestsDuring({ phases, requests }: Recording, name: PhaseName): RequestRow[] {
  const spans = phases.filter((phase) => phase.name === name);
  return requests.filter(({ dueMs }) => spans.some(({ fromMs, toMs }) => dueMs >= fromMs && dueMs < toMs));
}

/** The figures that one looks for first, as HTML. */
export function keyFigures(recording: Recording): string {
  const counts = countKinds(recording.requests);
  const { length } = recording.requests;
  const sent = length - counts.dropped;
  const control = okLatencies(requestsDuring(recording, 'control'));
  const faults = okLatencies(requestsDuring(recording, 'faults'));
  // Of 0 in n, the upper bound of the rate with a confidence of 95 % is 3 / n.
  const lostRate =
    counts.lost === 0 && sent > 0 ? `rate < ${percent(3, sent)} (95 %)` : percent(counts.lost, sent);
  const figures = [
    figure('Requests', count(length), `${count(counts.ok + counts.retried)} ok`),
    figure('Lost', count(counts.lost), lostRate, counts.lost > 0),
    figure('Wrong', count(counts.wrong), percent(counts.wrong, sent), counts.wrong > 0),
    figure('Errors', count(counts.error), percent(counts.error, sent)),
    figure('Retried, ok', count(counts.retried), percent(counts.retried, sent)),
    figure('Dropped', count(counts.dropped), `${percent(counts.dropped, length)}, by the load itself`),
    latency(50, control, faults),
    latency(99, control, faults),
    timing('Detection, max', detections(recording), 'not taken out'),
    timing('Readmission, max', readmissions(recording), 'not back'),
  ];
  return `<dl class="figures">${figures.join('')}</dl>`;
}

function figure(name: string, value: string, note: string, isBad = false): string {
  return `<div${isBad ? ' class="bad"' : ''}><dt>${name}</dt><dd class="value">${value}</dd><dd class="aside">${escapeText(note)}</dd></div>`;
}

function latency(p: number, control: Float64Array, faults: Float64Array): string {
  const [before, during] = [nearestRank(control, p), nearestRank(faults, p)];
  const value = `<span>${decimal(before)}</span><i>→</i><span>${decimal(during)}</span><small>ms</small>`;
  const factor = before > 0 && Number.isFinite(during) ? `× ${decimal(during / before)}, ` : '';
  const note = `${factor}n ${count(control.length)} → ${count(faults.length)}`;
  return figure(`p${p}, control → faults`, value, note);
}

function timing(name: string, timings: readonly Timings[], otherwise: string): string {
  const times = timings.flatMap((each) => each.times);
  const none = timings.reduce((sum, each) => sum + each.none, 0);
  const max = times.length === 0 ? null : Math.max(...times);
  return figure(name, duration(max), `n = ${times.length}${none > 0 ? `, ${none} ${otherwise}` : ''}`);
}
