// pure · the proxy's own end: what was in flight, what was lost with it, and how soon its table is whole again.
// Must never excuse a loss outside of the outage: that is for the criterion of loss.
import type { Recording, RequestRow } from '../journal.ts';
import {
  CannotTell,
  type Criterion,
  criterion,
  describeRequest,
  millis,
  moment,
  nameOf,
  plural,
  worstLines,
} from './criterion.ts';
import { describeHit } from './detection.ts';
import { type Trouble, weigh } from './machine.ts';
import {
  type FaultHit,
  isHitOn,
  listensAgainMs,
  overlaps,
  proxyHitsOf,
  proxyOutages,
  requireHits,
  serverHitsOf,
  struckMsOf,
  tableAt,
} from './queries.ts';
import { firstAttemptOf, requestIndex, requestsIn, spanOf } from './request-index.ts';
import { eventsOf, eventsOfServer } from './server-events.ts';

// The kernel ends a killed process's connections so long after the call at most.
const DEATH_MS = 60;
// And after Docker has seen the end of its process.
const AFTER_DEATH_MS = 20;

/**
 * After each restart of the proxy it listens within `maxMs` of its start, the moment at which Docker says that the process
 * runs, and within `maxMs` of its listening all its servers are admitted. How long Docker took to get there is told, and
 * is not the proxy's.
 */
export function proxyWhole({ maxMs = 2000 }: { maxMs?: number } = {}): Criterion {
  return criterion(
    'the table is whole again',
    `all servers ≤ ${millis(maxMs)} after the proxy listens, which is ≤ ${millis(maxMs)} after the start`,
    (recording) => {
      eventsOf(recording);
      const hits = requireHits(proxyHitsOf(recording), ['proxy-stop', 'proxy-kill']);
      const all = hits.flatMap((each, at) => admissionsAfter(recording, each, hits[at + 1], maxMs));
      if (all.length === 0) throw new CannotTell('no server was listed before');
      const worst = Math.max(...all.map(({ afterMs }) => afterMs));
      const late = all.filter(({ afterMs }) => afterMs > maxMs);
      const lateToListen = hits.filter((each) => tookToListenMs(recording, each) > maxMs);
      const { verdict, notes } = weigh(recording, [
        ...late.map(({ each, id, afterMs }) =>
          exceeding(recording, listensAgainMs(recording, each), afterMs, maxMs, [id]),
        ),
        ...lateToListen.map((each) =>
          exceeding(recording, each.hit.healedMs ?? 0, tookToListenMs(recording, each), maxMs),
        ),
      ]);
      return {
        verdict,
        measured: `${all.length - late.length} of ${plural(all.length, 'server')} in time, the last ${Number.isFinite(worst) ? `after ${millis(worst)}` : 'never'} (before, Docker's call took ${millis(slowestCallMs(hits))}, and the proxy ${millis(Math.max(...hits.map((each) => tookToListenMs(recording, each))))} to listen)`,
        n: hits.length,
        details: [
          ...notes,
          ...worstLines(
            all,
            ({ afterMs }) => afterMs,
            ({ each, id, afterMs }) =>
              `${describeHit(each)}: ${nameOf(recording, id)} ${Number.isFinite(afterMs) ? `admitted after ${millis(afterMs)}` : 'not admitted'}`,
          ),
        ],
      };
    },
  );
}

function exceeding(
  { endedMs }: Recording,
  fromMs: number,
  afterMs: number,
  maxMs: number,
  servers?: string[],
): Trouble {
  const toMs = Math.min(fromMs + afterMs, endedMs);
  return { fromMs, toMs, excessMs: toMs - fromMs - maxMs, ...(servers && { servers }) };
}

/** From when the process ran, as Docker says, until it answered. */
function tookToListenMs(recording: Recording, each: FaultHit): number {
  return listensAgainMs(recording, each) - (each.hit.healedMs ?? 0);
}

function slowestCallMs(hits: readonly FaultHit[]): number {
  return Math.max(...hits.map(({ hit: { healMs, healedMs } }) => (healedMs ?? 0) - (healMs ?? 0)));
}

type Admission = { each: FaultHit; id: string; afterMs: number };

/** When each server known before was admitted by the new boot; those that are hit before they had to be don't count. */
function admissionsAfter(
  recording: Recording,
  each: FaultHit,
  next: FaultHit | undefined,
  maxMs: number,
): Admission[] {
  const { fromMs, healedMs } = each.hit;
  if (healedMs === null) throw new CannotTell(`${describeHit(each)}: never started again`);
  const { boot, servers } = tableAt(recording, fromMs);
  const untilMs = next?.hit.fromMs ?? Number.POSITIVE_INFINITY;
  const listensMs = listensAgainMs(recording, each);
  const down = serverHitsOf(recording).filter(
    ({ hit }) => hit.fromMs <= listensMs + maxMs && (hit.healedMs ?? Number.POSITIVE_INFINITY) >= fromMs,
  );
  return servers
    .filter(({ id }) => !down.some(({ hit }) => isHitOn(recording, hit, id)))
    .map(({ id }) => {
      const admitted = eventsOfServer(recording, id).find(
        (event) =>
          event.type === 'admitted' && event.boot > boot && event.atMs >= fromMs && event.atMs < untilMs,
      );
      const afterMs = (admitted?.atMs ?? Number.POSITIVE_INFINITY) - listensMs;
      return { each, id, afterMs: Math.max(0, afterMs) };
    });
}

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
