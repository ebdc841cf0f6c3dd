// pure · how soon the proxy noticed that a server had been hit: from when it had been hit for certain to the event.
// Must never forget a hit that was not noticed at all.

import { percentile } from '../../kit/percentile.ts';
import type { Hit, ProxyEvent, Recording } from '../journal.ts';
import type { FaultKind } from '../plan.ts';
import {
  type Assessment,
  type Criterion,
  criterion,
  millis,
  moment,
  plural,
  worstLines,
} from './criterion.ts';
import { AFTERMATH_MS, TRIALS_FOR_P95 } from './limits.ts';
import { leastMs, weigh } from './machine.ts';
import {
  type FaultHit,
  overlaps,
  proxyOutages,
  requireHits,
  requireServer,
  serverHitsOf,
  struckMsOf,
} from './queries.ts';
import { eventsOf, eventsOfServer, firstOut, wasOutBefore } from './server-events.ts';

export type DelayLimit = {
  kinds: readonly FaultKind[];
  /** Judged by the nearest rank, however few hits there are; with fewer than 20 that is the slowest. */
  p95Ms?: number;
  maxMs: number;
  /** Hits that last less than `maxMs` need not be noticed. */
  mayMiss?: boolean;
};

type Noticed = FaultHit & { event: ProxyEvent; afterMs: number };
type Outcomes = { noticed: Noticed[]; missed: FaultHit[]; excused: FaultHit[]; undecided: FaultHit[] };

/** From the hit until the server gets no request any more: taken out, or suspect and then taken out. */
export function detection(limit: DelayLimit): Criterion {
  const { kinds, p95Ms, maxMs, mayMiss = false } = limit;
  const parts = [`max ≤ ${millis(maxMs)}`];
  if (p95Ms !== undefined) parts.unshift(`p95 ≤ ${millis(p95Ms)}`);
  parts.push(mayMiss ? `none missed that lasts ${millis(maxMs)}` : 'none missed');
  return criterion(`detection of ${kinds.join(', ')}`, parts.join(', '), (recording) => {
    eventsOf(recording);
    const hits = requireHits(serverHitsOf(recording, kinds), kinds);
    const outcomes = sortOut(recording, hits, maxMs);
    return assess(recording, outcomes, limit);
  });
}

function sortOut(recording: Recording, hits: readonly FaultHit[], maxMs: number): Outcomes {
  const outcomes: Outcomes = { noticed: [], missed: [], excused: [], undecided: [] };
  const outages = proxyOutages(recording);
  for (const each of hits) {
    const { fromMs } = each.hit;
    const events = eventsOfServer(recording, requireServer(each.hit).id);
    const untilMs = deadlineOf(recording, each);
    const event = firstOut(events, fromMs, untilMs);
    const afterMs = (event?.atMs ?? 0) - struckMsOf(each);
    if (event !== null) outcomes.noticed.push({ ...each, event, afterMs: Math.max(0, afterMs) });
    else if (!each.fault.isProven) outcomes.undecided.push(each);
    else if (wasOutBefore(events, fromMs) || overlaps({ sentMs: fromMs, endMs: untilMs }, outages)) {
      outcomes.excused.push(each);
    } else if (recording.endedMs < Math.min(untilMs, fromMs + maxMs)) outcomes.undecided.push(each);
    else outcomes.missed.push(each);
  }
  return outcomes;
}

/** What comes later is not this hit's: it has been healed for long, or the server was hit again. */
export function deadlineOf(recording: Recording, each: FaultHit): number {
  const healMs = each.hit.healMs ?? each.hit.healedMs ?? Number.POSITIVE_INFINITY;
  return Math.min(healMs + AFTERMATH_MS, nextHitMs(recording, each));
}

/** When the same server was hit again; `Infinity` when it was not. */
export function nextHitMs(recording: Recording, { hit }: Pick<FaultHit, 'hit'>): number {
  const next = serverHitsOf(recording).find(
    (other) => other.hit.target === hit.target && other.hit.fromMs > hit.fromMs,
  );
  return next?.hit.fromMs ?? Number.POSITIVE_INFINITY;
}

function assess(recording: Recording, outcomes: Outcomes, limit: DelayLimit): Assessment {
  const { maxMs, mayMiss = false } = limit;
  const { noticed, missed, excused, undecided } = outcomes;
  const times = noticed.map(({ afterMs }) => afterMs);
  const max = Math.max(...times);
  const p95 = percentile(times, 95);
  const least = noticed.map((each) => leastMs(recording, struckMsOf(each), each.afterMs));
  const isMaybeLate = isTooLate(times, limit);
  const tooShort = mayMiss ? missed.filter(({ hit }) => lengthOf(hit) < maxMs) : [];
  const { verdict, notes } = weigh(
    recording,
    missed
      .filter((each) => !tooShort.includes(each))
      .map((each) => {
        const fromMs = struckMsOf(each);
        const toMs = Math.min(deadlineOf(recording, each), recording.endedMs);
        return { fromMs, toMs, excessMs: Math.max(0, toMs - fromMs - maxMs) };
      }),
  );
  const isOpen = undecided.length > 0 || times.length + missed.length === 0 || verdict === 'unknown';
  return {
    verdict:
      isTooLate(least, limit) || verdict === 'fail' ? 'fail' : isOpen || isMaybeLate ? 'unknown' : 'pass',
    measured: [
      times.length > 0 ? `p95 ${millis(p95)}, max ${millis(max)}, ${trials(times.length)}` : 'none noticed',
      `${missed.length} missed${tooShort.length > 0 ? ` (${tooShort.length} of them shorter than ${millis(maxMs)})` : ''}`,
      ...(excused.length > 0
        ? [`${excused.length} not counted (out already, or the proxy was not there)`]
        : []),
      ...(undecided.length > 0 ? [`${undecided.length} too near to the end, or not proven`] : []),
      ...(isMaybeLate
        ? [
            `without what the machine took p95 ${millis(percentile(least, 95))}, max ${millis(Math.max(...least))}`,
          ]
        : []),
    ].join('; '),
    n: times.length + (mayMiss ? missed.length : 0),
    details: [
      ...notes,
      ...missed.map((each) => `${describeHit(each)}: not noticed`),
      ...worstLines(
        noticed,
        ({ afterMs }) => afterMs,
        (each) =>
          `${describeHit(each)}: ${each.event.type} after ${millis(each.afterMs)} (${each.event.why})`,
      ),
    ],
  };
}

function isTooLate(times: readonly number[], { p95Ms, maxMs }: DelayLimit): boolean {
  if (times.length === 0) return false;
  return Math.max(...times) > maxMs || (p95Ms !== undefined && percentile(times, 95) > p95Ms);
}

function lengthOf({ fromMs, healMs }: Hit): number {
  return (healMs ?? Number.POSITIVE_INFINITY) - fromMs;
}

/** How many trials a percentile rests on, and whether that is enough. */
function trials(n: number): string {
  if (n >= TRIALS_FOR_P95) return `n = ${n}`;
  const isMax = n < 20 ? 'so p95 is the maximum; ' : '';
  return `n = ${n} (${isMax}a bound on p95 needs ${plural(TRIALS_FOR_P95, 'trial')})`;
}

/** A hit as the beginning of a line. */
export function describeHit({ fault, hit }: FaultHit): string {
  return `${moment(hit.fromMs)}: ${fault.kind} of ${hit.target}`;
}
