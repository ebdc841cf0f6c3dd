// pure · the proxy's own end: what was in flight, and what was lost with it.
// Must never excuse a loss outside of the outage: that is for the criterion of loss.

import { CannotTell } from '../../kit/verdict.ts';
import type { Recording, RequestRow } from '../journal.ts';
import { type Criterion, criterion, describeRequest, moment } from './criterion.ts';
import { describeHit } from './detection.ts';
import { weigh } from './machine.ts';
import { type FaultHit, overlaps, proxyHitsOf, proxyOutages, requireHits, struckMsOf } from './queries.ts';
import { firstAttemptOf, requestIndex, requestsIn, spanOf } from './request-index.ts';

// The kernel ends a killed process's connections so long after the call at most.
const DEATH_MS = 60;
// And after Docker has seen the end of its process.
const AFTER_DEATH_MS = 20;

/**
 * Whatever was on a connection that stood, from the stop of the proxy until it is started again, got a reply: an answer
 * or an error, but not nothing. An attempt that could not connect has lost nothing.
 */
export function proxyStopNothingInFlightLost(): Criterion {
  return criterion('nothing in flight lost by a stop', '0 lost', (recording) => {
    const hits = requireHits(proxyHitsOf(recording, ['proxy-stop']), ['proxy-stop']);
    // The signal comes some time after the call, and the drain takes its own: the whole outage counts.
    const spans = hits.map(({ hit: { fromMs, healMs } }) => ({ fromMs, toMs: healMs ?? recording.endedMs }));
    const inFlight = requestIndex(recording).sent.filter((request) => {
      const { sentMs, endMs, openedMs } = firstAttemptOf(request);
      // The kernel goes on trying to connect: what came to stand only afterwards stood to the next proxy.
      return (
        openedMs !== null &&
        overlaps(
          { sentMs, endMs },
          spans.filter(({ toMs }) => openedMs <= toMs),
        )
      );
    });
    const lost = inFlight.filter((request) => firstAttemptOf(request).outcome === 'lost');
    const isIdle = spans.every(({ fromMs, toMs }) => requestsIn(recording, fromMs, toMs).length === 0);
    if (lost.length === 0 && isIdle) {
      throw new CannotTell('no request was due from the stop of the proxy until its start');
    }
    const { verdict, notes } = weigh(recording, lost.map(spanOf));
    return {
      verdict,
      measured: `${lost.length} lost of ${inFlight.length} in flight`,
      n: inFlight.length,
      details: [...notes, ...lost.slice(0, 10).map((request) => describeRequest(recording, request))],
    };
  });
}

/** A kill of the proxy loses no more than what was in flight at that moment. */
export function proxyKillLostInFlight(): Criterion {
  return criterion('a kill loses only what was in flight', 'lost ≤ in flight', (recording) => {
    const hits = requireHits(proxyHitsOf(recording, ['proxy-kill']), ['proxy-kill']);
    const kills = hits.map((each) => ({
      each,
      inFlight: inFlightAt(recording, each.hit.fromMs, deadByMs(each)),
      lost: lostInFlight(recording, each),
    }));
    const inFlight = kills.reduce((sum, kill) => sum + kill.inFlight.length, 0);
    const lost = kills.reduce((sum, kill) => sum + kill.lost.length, 0);
    if (inFlight + lost === 0) throw new CannotTell('no request was in flight when the proxy was killed');
    const { verdict, notes } = weigh(
      recording,
      kills
        .filter((kill) => kill.lost.length > kill.inFlight.length)
        .map(({ each }) => ({ fromMs: each.hit.fromMs, toMs: deadByMs(each) })),
    );
    return {
      verdict,
      measured: `${lost} lost, ${inFlight} in flight`,
      n: inFlight,
      details: [
        ...notes,
        ...kills.map(
          (kill) =>
            `${describeHit(kill.each)}: ${kill.lost.length} lost, ${kill.inFlight.length} in flight until ${moment(deadByMs(kill.each))}`,
        ),
      ],
    };
  });
}

/** When the last connection of a killed proxy had ended. */
function deadByMs(each: FaultHit): number {
  return Math.max(each.hit.fromMs + DEATH_MS, struckMsOf(each) + AFTER_DEATH_MS);
}

/** Requests whose first attempt was sent by `untilMs` and had not ended before `fromMs`. */
function inFlightAt(recording: Recording, fromMs: number, untilMs: number): RequestRow[] {
  return requestIndex(recording).sent.filter((request) => {
    const { sentMs, endMs, openedMs } = firstAttemptOf(request);
    return openedMs !== null && sentMs <= untilMs && endMs >= fromMs;
  });
}

/** First attempts lost with their bytes sent, from the kill until the proxy was back: later ones would be lost anew. */
function lostInFlight(recording: Recording, { hit }: FaultHit): RequestRow[] {
  const outages = proxyOutages(recording).filter(
    ({ fromMs, toMs }) => fromMs <= hit.fromMs && toMs >= hit.fromMs,
  );
  return requestIndex(recording).sent.filter((request) => {
    const first = firstAttemptOf(request);
    return (
      first.outcome === 'lost' &&
      first.openedMs !== null &&
      first.openedMs <= (hit.healMs ?? Number.POSITIVE_INFINITY) &&
      first.endMs >= hit.fromMs &&
      overlaps(first, outages)
    );
  });
}
