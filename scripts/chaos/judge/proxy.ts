// pure · the proxy's own end: what was lost with it, and how soon it listens and its table is whole again.

import { CannotTell } from '../../kit/verdict.ts';
import { plural } from '../../kit/words.ts';
import type { RequestRow } from '../journal.ts';
import { assessDelays, assessRequests, type Criterion, type Delay } from './judge.ts';
import { REQUEST_TIMEOUT_MS, SLACK_MS } from './limits.ts';
import {
  endMsOf,
  type FaultHit,
  firstOf,
  isIn,
  millis,
  moment,
  type Observations,
  overlaps,
  slowestMs,
} from './observations.ts';

// The kernel ends a killed process's connections so long after the call at most.
const DEATH_MS = 60;
// And after Docker has seen the end of its process.
const AFTER_DEATH_MS = 20;
// From the start to listening, and from there until all servers are admitted.
const WHOLE_LIMIT_MS = 2000;

// A connection that is refused or broken is found at once; one that was only just begun hangs until the client gives it up.
const ANOTHER_LIMIT_MS = REQUEST_TIMEOUT_MS + SLACK_MS;

type FirstAttempt = { request: RequestRow; outcome: string; sentMs: number; endMs: number; openedMs: number };

/** The first attempts that had a connection: one that could not connect has lost nothing. */
function firstAttempts(seen: Observations): FirstAttempt[] {
  return seen.sent.flatMap((request) => {
    const { first, outcome, dueMs } = request;
    if (first === null) return { request, outcome, sentMs: dueMs, endMs: endMsOf(request), openedMs: dueMs };
    return first.openedMs === null ? [] : { request, ...first, openedMs: first.openedMs };
  });
}

/** What was on an open connection from the stop of the proxy until it was started again got a reply: an answer or an error. */
export const proxyStopNothingInFlightLost: Criterion = {
  name: 'nothing in flight lost by a stop',
  limit: '0 lost',
  assess(seen) {
    // The signal comes some time after the call, and the drain takes its own: the whole outage counts.
    const outages = seen.proxyHitsOf(['proxy-stop']).map(({ hit }) => {
      return { fromMs: hit.fromMs, toMs: hit.healMs ?? seen.recording.endedMs };
    });
    // The kernel goes on trying to connect: what was opened only afterwards was opened to the next proxy.
    const inFlight = firstAttempts(seen).filter((attempt) =>
      overlaps(
        attempt,
        outages.filter(({ toMs }) => attempt.openedMs <= toMs),
      ),
    );
    const lost = inFlight.filter(({ outcome }) => outcome === 'lost').map(({ request }) => request);
    if (lost.length === 0 && outages.every(({ fromMs, toMs }) => seen.requestsIn(fromMs, toMs).length === 0))
      throw new CannotTell('no request was due from the stop of the proxy until its start');
    const measured = `${lost.length} lost of ${inFlight.length} in flight`;
    return { ...assessRequests(seen, lost), measured, n: inFlight.length };
  },
};

/** A kill of the proxy loses no more than what was in flight at that moment. */
export const proxyKillLostInFlight: Criterion = {
  name: 'a kill loses only what was in flight',
  limit: 'lost ≤ in flight',
  assess(seen) {
    const attempts = firstAttempts(seen);
    const kills = seen.proxyHitsOf(['proxy-kill']).map((each) => {
      const { fromMs, healMs } = each.hit;
      const toMs = Math.max(fromMs + DEATH_MS, each.struckMs + AFTER_DEATH_MS);
      const later = attempts.filter(({ endMs }) => endMs >= fromMs);
      // Lost until the proxy was back: later ones would be lost anew.
      const outages = seen.proxyOutages.filter((span) => span.fromMs <= fromMs && span.toMs >= fromMs);
      const lost = later.filter(
        (attempt) =>
          attempt.outcome === 'lost' &&
          attempt.openedMs <= (healMs ?? Number.POSITIVE_INFINITY) &&
          overlaps(attempt, outages),
      );
      const inFlight = later.filter(({ sentMs }) => sentMs <= toMs).length;
      return { each, fromMs, toMs, inFlight, lost: lost.length };
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
          `${kill.each.what}: ${kill.lost} lost, ${kill.inFlight} in flight until ${moment(kill.toMs)}`,
      ),
    };
  },
};

/** With several proxies clients lose nothing while one is away: what it does not answer, another one does. */
export const anotherAnswers: Criterion = {
  name: 'another proxy answers',
  limit: `every request answered within ${millis(ANOTHER_LIMIT_MS)} while a proxy is away`,
  assess(seen) {
    const due = seen.sent.filter(({ dueMs }) => isIn(dueMs, seen.proxyOutages));
    if (due.length === 0) throw new CannotTell('no request was due while a proxy was away');
    const again = due.filter(({ attempts }) => attempts > 1);
    const bad = due.filter(({ outcome, latencyMs }) => outcome !== 'ok' || latencyMs > ANOTHER_LIMIT_MS);
    const excessOf = ({ outcome, latencyMs }: RequestRow): number =>
      outcome === 'ok' ? latencyMs - ANOTHER_LIMIT_MS : Number.POSITIVE_INFINITY;
    return {
      ...assessRequests(seen, bad, excessOf),
      measured: `${bad.length} not of ${plural(due.length, 'request')}, ${again.length} sent again, the slowest ${millis(slowestMs(due))}`,
      n: due.length,
    };
  },
};

/**
 * After each restart of the proxy it listens within 2 s of its start, the moment at which Docker says that the process
 * runs, and within 2 s of its listening all its servers are admitted. How long Docker took to get there is not the proxy's.
 */
export const proxyWhole: Criterion = {
  name: 'the table is whole again',
  limit: `all servers ≤ ${millis(WHOLE_LIMIT_MS)} after the proxy listens, which is ≤ ${millis(WHOLE_LIMIT_MS)} after the start`,
  assess(seen) {
    seen.requireEvents();
    const hits = seen.ownOf(seen.proxyHitsOf(['proxy-stop', 'proxy-kill']));
    if (hits.length === 0) return null;
    const listenings = hits.map((each): Delay => {
      const { healedMs: fromMs } = each.hit;
      if (fromMs === null) throw new CannotTell(`${each.what}: never started again`);
      return {
        what: `${each.what}: the proxy`,
        verb: 'listening',
        fromMs,
        afterMs: seen.listensAgainMs(each) - fromMs,
      };
    });
    const admissions = hits.flatMap((each, at) => admissionsAfter(seen, each, hits[at + 1]));
    if (admissions.length === 0) throw new CannotTell('no server was listed before');
    const inTime = admissions.filter(({ afterMs }) => afterMs <= WHOLE_LIMIT_MS).length;
    const judged = assessDelays(seen, [...admissions, ...listenings], WHOLE_LIMIT_MS);
    return {
      ...judged,
      measured: `${inTime} of ${plural(admissions.length, 'server')} in time; listening and admitted: ${judged.measured}`,
      n: hits.length,
    };
  },
};

/** When each server known before was admitted by the new boot; those that are hit before they had to be don't count. */
function admissionsAfter(seen: Observations, each: FaultHit, next: FaultHit | undefined): Delay[] {
  const { fromMs } = each.hit;
  const untilMs = next?.hit.fromMs ?? Number.POSITIVE_INFINITY;
  const listensMs = seen.listensAgainMs(each);
  const { boot, servers } = seen.tableAt(fromMs);
  const down = seen.serverHits.filter(
    ({ hit }) =>
      hit.fromMs <= listensMs + WHOLE_LIMIT_MS && (hit.healedMs ?? Number.POSITIVE_INFINITY) >= fromMs,
  );
  const expected = servers.filter(({ id }) => !down.some(({ hit }) => hit.serverId === id));
  return expected.map(({ id }) => {
    const ofNewBoots = seen.eventsOf(id).filter((event) => event.boot > boot);
    const admitted = firstOf(ofNewBoots, ['admitted'], fromMs, untilMs);
    return {
      what: `${each.what}: ${seen.nameOf(id)}`,
      verb: 'admitted',
      fromMs: listensMs,
      afterMs: Math.max(0, (admitted?.atMs ?? Number.POSITIVE_INFINITY) - listensMs),
      untilMs: Math.min(untilMs, seen.recording.endedMs),
      isDue: true,
      servers: [id],
    };
  });
}
