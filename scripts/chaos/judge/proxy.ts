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
import {
  type FaultHit,
  isHitOn,
  overlaps,
  proxyHitsOf,
  proxyOutages,
  requireHits,
  serverHitsOf,
  tableAt,
} from './queries.ts';
import { firstAttemptOf, requestIndex, requestsIn } from './request-index.ts';
import { eventsOf, eventsOfServer } from './server-events.ts';

// The kernel ends a killed process's connections so long after the call at most.
const DEATH_MS = 60;

/**
 * After each restart of the proxy all its servers are admitted within `maxMs` of its start: of the moment at which Docker
 * says that the process runs. How long Docker took to get there is told, and is not the proxy's.
 */
export function proxyWhole({ maxMs = 2000 }: { maxMs?: number } = {}): Criterion {
  return criterion(
    'the table is whole again',
    `all servers ≤ ${millis(maxMs)} after the start`,
    (recording) => {
      eventsOf(recording);
      const hits = requireHits(proxyHitsOf(recording), ['proxy-stop', 'proxy-kill']);
      const all = hits.flatMap((each, at) => admissionsAfter(recording, each, hits[at + 1], maxMs));
      if (all.length === 0) throw new CannotTell('no server was listed before');
      const worst = Math.max(...all.map(({ afterMs }) => afterMs));
      const isOver = all.some(({ afterMs }) => afterMs > maxMs);
      const late = all.filter(({ afterMs }) => afterMs > maxMs).length;
      return {
        verdict: isOver ? 'fail' : 'pass',
        measured: `${all.length - late} of ${plural(all.length, 'server')} in time, the last ${Number.isFinite(worst) ? `after ${millis(worst)}` : 'never'} (Docker's call took ${millis(slowestCallMs(hits))})`,
        n: hits.length,
        details: worstLines(
          all,
          ({ afterMs }) => afterMs,
          ({ each, id, afterMs }) =>
            `${describeHit(each)}: ${nameOf(recording, id)} ${Number.isFinite(afterMs) ? `admitted after ${millis(afterMs)}` : 'not admitted'}`,
        ),
      };
    },
  );
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
  const down = serverHitsOf(recording).filter(
    ({ hit }) => hit.fromMs <= healedMs + maxMs && (hit.healedMs ?? Number.POSITIVE_INFINITY) >= fromMs,
  );
  return servers
    .filter(({ id }) => !down.some(({ hit }) => isHitOn(recording, hit, id)))
    .map(({ id }) => {
      const admitted = eventsOfServer(recording, id).find(
        (event) =>
          event.type === 'admitted' && event.boot > boot && event.atMs >= fromMs && event.atMs < untilMs,
      );
      return { each, id, afterMs: (admitted?.atMs ?? Number.POSITIVE_INFINITY) - healedMs };
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
    return {
      verdict: lost.length === 0 ? 'pass' : 'fail',
      measured: `${lost.length} lost of ${inFlight.length} in flight`,
      n: inFlight.length,
      details: lost.slice(0, 10).map((request) => describeRequest(recording, request)),
    };
  });
}

/** A kill of the proxy loses no more than what was in flight at that moment. */
export function proxyKillLostInFlight(): Criterion {
  return criterion('a kill loses only what was in flight', 'lost ≤ in flight', (recording) => {
    const hits = requireHits(proxyHitsOf(recording, ['proxy-kill']), ['proxy-kill']);
    const kills = hits.map((each) => ({
      each,
      inFlight: inFlightAt(recording, each.hit.fromMs, each.hit.fromMs + DEATH_MS),
      lost: lostInFlight(recording, each),
    }));
    const inFlight = kills.reduce((sum, kill) => sum + kill.inFlight.length, 0);
    const lost = kills.reduce((sum, kill) => sum + kill.lost.length, 0);
    if (inFlight + lost === 0) throw new CannotTell('no request was in flight when the proxy was killed');
    return {
      verdict: kills.every((kill) => kill.lost.length <= kill.inFlight.length) ? 'pass' : 'fail',
      measured: `${lost} lost, ${inFlight} in flight`,
      n: inFlight,
      details: kills.map(
        (kill) =>
          `${describeHit(kill.each)}: ${kill.lost.length} lost, ${kill.inFlight.length} in flight until ${moment(kill.each.hit.fromMs + DEATH_MS)}`,
      ),
    };
  });
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
