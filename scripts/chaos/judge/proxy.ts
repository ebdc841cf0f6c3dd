// pure · the proxy's own end: what was lost with it, and how soon it listens and its table is whole again.

import { CannotTell } from '../../kit/verdict.ts';
import type { Recording, RequestRow } from '../journal.ts';
import {
  assessDelays,
  assessRequests,
  type Criterion,
  type Delay,
  describeHit,
  millis,
  moment,
  nameOf,
  plural,
} from './judge.ts';
import {
  endMsOf,
  eventsOf,
  eventsOfServer,
  type FaultHit,
  indexOf,
  listensAgainMs,
  overlaps,
  proxyHitsOf,
  proxyOutages,
  requestsIn,
  requireHits,
  serverHitsOf,
  struckMsOf,
  tableAt,
} from './lookup.ts';

// The kernel ends a killed process's connections so long after the call at most.
const DEATH_MS = 60;
// And after Docker has seen the end of its process.
const AFTER_DEATH_MS = 20;
// From the start to listening, and from there until all servers are admitted.
const WHOLE_LIMIT_MS = 2000;

/**
 * What was on an open connection from the stop of the proxy until it was started again got a reply: an answer or an error.
 * An attempt that could not connect has lost nothing.
 */
export function proxyStopNothingInFlightLost(): Criterion {
  return {
    name: 'nothing in flight lost by a stop',
    limit: '0 lost',
    assess(recording) {
      const hits = requireHits(proxyHitsOf(recording, ['proxy-stop']), ['proxy-stop']);
      // The signal comes some time after the call, and the drain takes its own: the whole outage counts.
      const spans = hits.map(({ hit }) => ({ fromMs: hit.fromMs, toMs: hit.healMs ?? recording.endedMs }));
      const inFlight = indexOf(recording).sent.filter((request) => {
        const { sentMs, endMs, openedMs } = firstAttemptOf(request);
        if (openedMs === null) return false;
        // The kernel goes on trying to connect: what was opened only afterwards was opened to the next proxy.
        const opened = spans.filter(({ toMs }) => openedMs <= toMs);
        return overlaps({ sentMs, endMs }, opened);
      });
      const lost = inFlight.filter((request) => firstAttemptOf(request).outcome === 'lost');
      if (
        lost.length === 0 &&
        spans.every(({ fromMs, toMs }) => requestsIn(recording, fromMs, toMs).length === 0)
      )
        throw new CannotTell('no request was due from the stop of the proxy until its start');
      return {
        ...assessRequests(recording, lost),
        measured: `${lost.length} lost of ${inFlight.length} in flight`,
        n: inFlight.length,
      };
    },
  };
}

/** A kill of the proxy loses no more than what was in flight at that moment. */
export function proxyKillLostInFlight(): Criterion {
  return {
    name: 'a kill loses only what was in flight',
    limit: 'lost ≤ in flight',
    assess(recording) {
      const hits = requireHits(proxyHitsOf(recording, ['proxy-kill']), ['proxy-kill']);
      const kills = hits.map((each) => {
        const fromMs = each.hit.fromMs;
        const toMs = Math.max(fromMs + DEATH_MS, struckMsOf(each) + AFTER_DEATH_MS);
        const inFlight = inFlightAt(recording, fromMs, toMs).length;
        return { each, fromMs, toMs, inFlight, lost: lostInFlight(recording, each).length };
      });
      const inFlight = kills.reduce((sum, kill) => sum + kill.inFlight, 0);
      const lost = kills.reduce((sum, kill) => sum + kill.lost, 0);
      if (inFlight + lost === 0) throw new CannotTell('no request was in flight when the proxy was killed');
      return {
        measured: `${lost} lost, ${inFlight} in flight`,
        n: inFlight,
        troubles: kills
          .filter((kill) => kill.lost > kill.inFlight)
          .map(({ fromMs, toMs }) => ({ fromMs, toMs })),
        details: kills.map(
          (kill) =>
            `${describeHit(kill.each)}: ${kill.lost} lost, ${kill.inFlight} in flight until ${moment(kill.toMs)}`,
        ),
      };
    },
  };
}

/** The request's first attempt; without a second one, the request itself. */
function firstAttemptOf(request: RequestRow): NonNullable<RequestRow['first']> {
  if (request.first !== null) return request.first;
  const { outcome, detail, dueMs } = request;
  return { outcome, detail, sentMs: dueMs, endMs: endMsOf(request), openedMs: dueMs };
}

/** Requests whose first attempt was sent by `untilMs` and had not ended before `fromMs`. */
function inFlightAt(recording: Recording, fromMs: number, untilMs: number): RequestRow[] {
  return indexOf(recording).sent.filter((request) => {
    const { sentMs, endMs, openedMs } = firstAttemptOf(request);
    return openedMs !== null && sentMs <= untilMs && endMs >= fromMs;
  });
}

/** First attempts lost with their bytes sent, from the kill until the proxy was back: later ones would be lost anew. */
function lostInFlight(recording: Recording, { hit }: FaultHit): RequestRow[] {
  const outages = proxyOutages(recording).filter(
    ({ fromMs, toMs }) => fromMs <= hit.fromMs && toMs >= hit.fromMs,
  );
  return indexOf(recording).sent.filter((request) => {
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

/**
 * After each restart of the proxy it listens within 2 s of its start, the moment at which Docker says that the process
 * runs, and within 2 s of its listening all its servers are admitted. How long Docker took to get there is not the
 * proxy's, and only stated.
 */
export function proxyWhole(): Criterion {
  return {
    name: 'the table is whole again',
    limit: `all servers ≤ ${millis(WHOLE_LIMIT_MS)} after the proxy listens, which is ≤ ${millis(WHOLE_LIMIT_MS)} after the start`,
    assess(recording) {
      eventsOf(recording);
      const hits = requireHits(proxyHitsOf(recording), ['proxy-stop', 'proxy-kill']);
      const listenings = hits.map((each) => listeningOf(recording, each));
      const admissions = hits.flatMap((each, at) => admissionsAfter(recording, each, hits[at + 1]));
      if (admissions.length === 0) throw new CannotTell('no server was listed before');
      const inTime = admissions.filter(({ afterMs }) => afterMs <= WHOLE_LIMIT_MS).length;
      const slowest = Math.max(...admissions.map(({ afterMs }) => afterMs));
      const toListen = Math.max(...listenings.map(({ afterMs }) => afterMs));
      const calls = hits.map(({ hit: { healMs, healedMs } }) => (healedMs ?? 0) - (healMs ?? 0));
      return {
        ...assessDelays(recording, [...admissions, ...listenings], WHOLE_LIMIT_MS),
        measured: `${inTime} of ${plural(admissions.length, 'server')} in time, the last ${Number.isFinite(slowest) ? `after ${millis(slowest)}` : 'never'} (before, Docker's call took ${millis(Math.max(...calls))}, and the proxy ${millis(toListen)} to listen)`,
        n: hits.length,
      };
    },
  };
}

/** From when the process ran, as Docker says, until it answered. Throws `CannotTell` when it was not started again. */
function listeningOf(recording: Recording, each: FaultHit): Delay {
  const { healedMs } = each.hit;
  if (healedMs === null) throw new CannotTell(`${describeHit(each)}: never started again`);
  const afterMs = listensAgainMs(recording, each) - healedMs;
  return { what: `${describeHit(each)}: the proxy`, verb: 'listening', fromMs: healedMs, afterMs };
}

/** When each server known before was admitted by the new boot; those that are hit before they had to be don't count. */
function admissionsAfter(recording: Recording, each: FaultHit, next: FaultHit | undefined): Delay[] {
  const { fromMs } = each.hit;
  const { boot, servers } = tableAt(recording, fromMs);
  const untilMs = next?.hit.fromMs ?? Number.POSITIVE_INFINITY;
  const listensMs = listensAgainMs(recording, each);
  const down = serverHitsOf(recording).filter(
    ({ hit }) =>
      hit.fromMs <= listensMs + WHOLE_LIMIT_MS && (hit.healedMs ?? Number.POSITIVE_INFINITY) >= fromMs,
  );
  return servers
    .filter(({ id }) => !down.some(({ hit }) => hit.serverId === id))
    .map(({ id }): Delay => {
      const admitted = eventsOfServer(recording, id).find(
        ({ type, boot: own, atMs }) => type === 'admitted' && own > boot && atMs >= fromMs && atMs < untilMs,
      );
      return {
        what: `${describeHit(each)}: ${nameOf(recording, id)}`,
        verb: 'admitted',
        fromMs: listensMs,
        afterMs: Math.max(0, (admitted?.atMs ?? Number.POSITIVE_INFINITY) - listensMs),
        untilMs: Math.min(untilMs, recording.endedMs),
        isDue: true,
        servers: [id],
      };
    });
}
