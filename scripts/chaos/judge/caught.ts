// pure · how requests fare with a server that fails them: those caught in flight, and those that follow.
// Must never be content with a window in which there was no request.

import type { Recording, RequestRow } from '../journal.ts';
import type { FaultKind } from '../plan.ts';
import {
  type Criterion,
  criterion,
  describeRequest,
  millis,
  plural,
  unknown,
  worstLines,
} from './criterion.ts';
import { describeHit } from './detection.ts';
import { type Trouble, weigh } from './machine.ts';
import { type FaultHit, provenHitsOf, requireHits, requireServer, struckMsOf } from './queries.ts';
import { requestsIn, spanOf, wentWell } from './request-index.ts';
import { eventsOf, eventsOfServer, firstOf } from './server-events.ts';

// Requests that were under way when the fault struck.
const IN_FLIGHT_MS = 50;

/** Until a hit server is evicted, every request of its policy is answered within the deadline: by another, then. */
export function answeredByAnother({
  kinds,
  deadlineMs = 2000,
}: {
  kinds: readonly FaultKind[];
  deadlineMs?: number;
}): Criterion {
  const limit = `all ok within ${millis(deadlineMs)}`;
  return criterion(`answered by another at ${kinds.join(', ')}`, limit, (recording) => {
    eventsOf(recording);
    const hits = requireHits(provenHitsOf(recording, kinds), kinds);
    const windows = hits.map((each) => caughtBy(recording, each));
    if (windows.some(({ length }) => length === 0)) return unknown('no request was due until the eviction');
    // Two servers of one policy may be hit at once: each request counts once.
    const caught = [...new Set(windows.flat())];
    const bad = caught.filter((request) => !wentWell(request) || request.latencyMs > deadlineMs);
    const { verdict, notes } = weigh(
      recording,
      bad.map((request) => ({
        ...spanOf(request),
        ...(wentWell(request) && { excessMs: request.latencyMs - deadlineMs }),
      })),
    );
    const slowest = caught.reduce((max, { latencyMs }) => Math.max(max, latencyMs), 0);
    return {
      verdict,
      measured: `${bad.length} of ${plural(caught.length, 'request')} not ok in time, the slowest ${millis(slowest)}`,
      n: caught.length,
      details: [
        ...notes,
        ...worstLines(
          bad,
          ({ latencyMs }) => latencyMs,
          (request) => describeRequest(recording, request),
        ),
      ],
    };
  });
}

function caughtBy(recording: Recording, { hit }: FaultHit): readonly RequestRow[] {
  const { fromMs, healMs, healedMs } = hit;
  const { id, policy } = requireServer(hit);
  const events = eventsOfServer(recording, id);
  const out = firstOf(events, ['evicted', 'ejected'], fromMs, healedMs ?? Number.POSITIVE_INFINITY);
  const untilMs = out?.atMs ?? healMs ?? healedMs ?? recording.endedMs;
  return requestsIn(recording, fromMs - IN_FLIGHT_MS, untilMs, policy);
}

/** A server that fails real requests is taken out within `withinMs`, and gets few more once it has been noticed. */
export function outByTraffic({
  maxFurther = 5,
  withinMs = 2000,
  kinds = ['mute'],
}: {
  maxFurther?: number;
  withinMs?: number;
  kinds?: readonly FaultKind[];
} = {}): Criterion {
  const limit = `≤ ${plural(maxFurther, 'request')} from the first failure to its end, which is ≤ ${millis(withinMs)} after the hit`;
  return criterion(`out by the evidence of traffic at ${kinds.join(', ')}`, limit, (recording) => {
    eventsOf(recording);
    const all = requireHits(provenHitsOf(recording, kinds), kinds).map((each) =>
      sentWhileFailing(recording, each),
    );
    const bad = all.filter(({ further, afterMs }) => (further ?? 0) > maxFurther || afterMs > withinMs);
    const isUncounted = all.some(({ further }) => further === null);
    const counts = all.map(({ further }) => further).filter((further) => further !== null);
    const isOpen = ({ each, afterMs }: Failing): boolean =>
      !Number.isFinite(afterMs) && recording.endedMs < each.hit.fromMs + withinMs;
    const { verdict, notes } = weigh(
      recording,
      bad.filter((each) => !isOpen(each)).map((each) => troubleOf(recording, each, withinMs, maxFurther)),
    );
    const slowest = Math.max(...all.map(({ afterMs }) => afterMs));
    return {
      verdict: verdict === 'pass' && (bad.length > 0 || isUncounted) ? 'unknown' : verdict,
      measured: `${counts.length > 0 ? Math.max(...counts) : 'nobody knows how many'} further, out ${Number.isFinite(slowest) ? `after ${millis(slowest)}` : 'never'}`,
      n: all.length,
      details: [
        ...notes,
        ...worstLines(
          all,
          ({ afterMs }) => afterMs,
          ({ each, further, afterMs, why }) =>
            `${describeHit(each)}: ${Number.isFinite(afterMs) ? `out after ${millis(afterMs)} and ${further ?? 'nobody knows how many'} further (${why})` : 'not taken out'}`,
        ),
      ],
    };
  });
}

type Failing = {
  each: FaultHit;
  /** Null when nobody knows: that the first request had failed was not told before the server was out. */
  further: number | null;
  afterMs: number;
  why: string;
};

function troubleOf(
  { endedMs }: Recording,
  { each, further, afterMs }: Failing,
  withinMs: number,
  maxFurther: number,
): Trouble {
  const fromMs = struckMsOf(each);
  const toMs = Math.min(fromMs + afterMs, endedMs);
  return (further ?? 0) > maxFurther
    ? { fromMs, toMs }
    : { fromMs, toMs, excessMs: toMs - fromMs - withinMs };
}

function sentWhileFailing(recording: Recording, each: FaultHit): Failing {
  const { fromMs } = each.hit;
  const struckMs = struckMsOf(each);
  const events = eventsOfServer(recording, requireServer(each.hit).id);
  const out = firstOf(events, ['ejected', 'evicted'], fromMs);
  if (out === null) return { each, further: 0, afterMs: Number.POSITIVE_INFINITY, why: '' };
  const noticed = firstOf(events.slice(0, events.indexOf(out)), ['suspect'], fromMs);
  const further = noticed === null ? null : out.sent - noticed.sent;
  return { each, further, afterMs: Math.max(0, out.atMs - struckMs), why: out.why };
}
