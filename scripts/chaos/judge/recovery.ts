// pure · how soon things are back: healed servers in rotation, a policy after an outage, and new servers at work.

import { CannotTell } from '../../kit/verdict.ts';
import { plural } from '../../kit/words.ts';
import { FAULT_FACTS, type FaultKind } from '../faults/facts.ts';
import type { RequestRow } from '../journal.ts';
import { assessDelays, type Criterion, type Delay } from './judge.ts';
import { READMISSION_LIMIT_MS, SERVES_AGAIN_LIMIT_MS } from './limits.ts';
import { CERTAIN } from './machine.ts';
import {
  endMsOf,
  firstOf,
  firstOut,
  millis,
  moment,
  type Observations,
  type ServerHit,
  type Span,
  wasOutBefore,
} from './observations.ts';

const NEW_SERVER_LIMIT_MS = 1000;

const isDeadly = ({ fault }: ServerHit): boolean => FAULT_FACTS[fault.kind].leaves === 'down';

/** Every server that a hit took out is admitted again in time after it was healed. */
export const readmission = ({ kinds }: { kinds: readonly FaultKind[] }): Criterion => ({
  name: `readmission after ${kinds.join(', ')}`,
  limit: `max ≤ ${millis(READMISSION_LIMIT_MS)}`,
  assess(seen) {
    const absences = seen.hitsOf(kinds).flatMap((each) => absenceOf(each, seen.recording.endedMs) ?? []);
    if (absences.length === 0) throw new CannotTell('no hit took its server out');
    return assessDelays(seen, absences, READMISSION_LIMIT_MS);
  },
});

/**
 * From when a server that a hit took out could be back until it was, or was hit again; null when the hit took it not out.
 * It could be back once it was healed, and one that had died once it had registered.
 */
export function absenceOf(each: ServerHit, endedMs: number): Delay | null {
  const { out, events } = each;
  const { healMs, healedMs } = each.hit;
  if (out === null) return null;
  const untilMs = Math.min(each.nextMs, endedMs);
  const never = { ...returnOf(each, 'back'), afterMs: Number.POSITIVE_INFINITY, untilMs };
  if (healedMs === null) return { ...never, fromMs: untilMs };
  // A fault that ends by itself is noted as healed when that was seen: the server may have been back for some time. One
  // that is ended by a call may have let the server come back while the call still ran. Either took no time.
  const isSelfEnding = healMs === null || healMs === healedMs;
  const later = events.slice(events.indexOf(out) + 1);
  const back = firstOf(later, ['admitted'], isSelfEnding ? out.atMs : healMs, untilMs);
  if (back === null) return { ...never, fromMs: healedMs };
  const before = isDeadly(each) ? events.slice(0, events.indexOf(back)) : [];
  const registered = before.findLast(({ type }) => type === 'registered');
  const fromMs = Math.max(healedMs, registered?.atMs ?? 0);
  return { ...never, fromMs, afterMs: Math.max(0, back.atMs - fromMs), why: back.why };
}

function returnOf({ what, hit: { serverId, healedMs } }: ServerHit, verb: string) {
  return { what: `${what}${healedMs === null ? ', never healed' : ''}:`, verb, servers: [serverId] };
}

/** After an exchange of addresses each server is admitted again, and under its own policy. */
export const swapped: Criterion = {
  name: 'addresses exchanged',
  limit: 'every server admitted under its own policy',
  assess(seen) {
    const hits = seen.hitsOf(['swap']);
    const admissions = hits.map(({ events, hit: { fromMs, healMs } }) =>
      events.filter(({ type, atMs }) => type === 'admitted' && atMs > (healMs ?? fromMs)),
    );
    const misplaced = admissions.flatMap((events, at) =>
      events.filter(({ policy }) => policy !== hits[at]?.hit.policy),
    );
    const returns = hits.map((each, at): Delay => {
      const isBack = each.hit.healedMs !== null && admissions[at]?.length !== 0;
      const fromMs = each.hit.healedMs ?? seen.recording.endedMs;
      return { ...returnOf(each, 'admitted again'), fromMs, afterMs: isBack ? 0 : Number.POSITIVE_INFINITY };
    });
    const judged = assessDelays(seen, returns, READMISSION_LIMIT_MS);
    return {
      measured: `${plural(hits.length, 'server')}, ${misplaced.length} admitted under another policy; ${judged.measured}`,
      n: hits.length,
      troubles: [...judged.troubles, ...misplaced.map(() => CERTAIN)],
      isOpen: judged.isOpen,
      details: [
        ...misplaced.map((event) => `${seen.describeEvent(event)}, under policy ${event.policy}`),
        ...judged.details,
      ],
    };
  },
};

/** After all servers of a policy were gone: the first ok in time after the first of them listens again. */
export const firstOkAfter: Criterion = {
  name: 'first answer after the outage',
  limit: `≤ ${millis(SERVES_AGAIN_LIMIT_MS)} after a server listens`,
  assess(seen) {
    const outages = policyOutages(seen).filter(({ listensMs }) => Number.isFinite(listensMs));
    if (outages.length === 0) throw new CannotTell('no policy lost all its servers and got one back');
    const delays = outages.map(({ policy, listensMs }) =>
      untilFirstOk(`policy ${policy}`, seen.requestsIn(-Infinity, Infinity, policy), listensMs),
    );
    return assessDelays(seen, delays, SERVES_AGAIN_LIMIT_MS);
  },
};

/** Each server that a scale-up added answers its first request soon after it registered. */
export const newServersServe: Criterion = {
  name: 'new servers serve',
  limit: `≤ ${millis(NEW_SERVER_LIMIT_MS)} after they registered`,
  assess(seen) {
    const scales = seen.recording.faults.filter(({ kind }) => kind === 'scale');
    if (scales.length === 0) throw new CannotTell('nothing was scaled');
    const injectMs = Math.min(...scales.map((fault) => fault.injectMs));
    const known = seen.tableAt(injectMs).servers.map(({ id }) => id);
    const registered = seen
      .requireEvents()
      .filter(({ type, id, atMs }) => type === 'registered' && atMs >= injectMs && !known.includes(id));
    if (registered.length === 0) throw new CannotTell('no new server registered');
    const firsts = [...Map.groupBy(registered, ({ id }) => id)].map(([id, [first]]) => {
      const fromMs = first?.atMs ?? 0;
      return untilFirstOk(seen.nameOf(id), seen.answersOf(id, -Infinity, Infinity), fromMs);
    });
    return assessDelays(seen, firsts, NEW_SERVER_LIMIT_MS);
  },
};

/** From a moment to the end of the first ok that ended at or after it. */
function untilFirstOk(what: string, requests: readonly RequestRow[], fromMs: number): Delay {
  const ends = requests.filter(({ outcome }) => outcome === 'ok').map(endMsOf);
  const firstMs = ends.reduce((least, endMs) => (endMs >= fromMs ? Math.min(endMs, least) : least), Infinity);
  return { what: `${what}, back at ${moment(fromMs)}:`, verb: 'answered', fromMs, afterMs: firstMs - fromMs };
}

type PolicyOutage = {
  policy: string;
  /** The first of its servers was hit. */
  firstHitMs: number;
  /** When a request had to be sent to have been on its way to the last server as that died. */
  inFlight: Span;
  /** The first of its servers registered again, or else was healed; `Infinity` when none did. */
  listensMs: number;
};

// A request on its way to the last server when that was hit: sent shortly before, or before its end was seen.
const IN_FLIGHT_BEFORE_MS = 100;
const IN_FLIGHT_AFTER_MS = 50;
const AFTER_OUT_MS = 10;

/** When a policy had no server left because the last one's process had ended, too; in order. */
export function policyOutages(seen: Observations): PolicyOutage[] {
  const deaths = seen.serverHits.filter(isDeadly).map(deathOf);
  return deaths.flatMap((last) => {
    const together = deaths.filter(
      (death) => death.policy === last.policy && death.fromMs <= last.fromMs && backMs([death]) > last.fromMs,
    );
    if (
      !isEveryServer(
        seen,
        together.map(({ serverId }) => serverId),
        last,
      )
    )
      return [];
    return {
      policy: last.policy,
      firstHitMs: Math.min(...together.map(({ fromMs }) => fromMs)),
      inFlight: {
        fromMs: last.fromMs - IN_FLIGHT_BEFORE_MS,
        toMs: Math.max(...together.map(({ seenMs }) => seenMs)),
      },
      listensMs: backMs(together),
    };
  });
}

/** `seenMs`: by when its end must have been seen by the proxy. */
type Death = ServerHit['hit'] & { seenMs: number; registeredMs: number };

function deathOf({ hit, struckMs, events }: ServerHit): Death {
  const back = firstOf(events, ['registered'], hit.fromMs);
  const out = firstOut(events, hit.fromMs, back?.atMs ?? Number.POSITIVE_INFINITY);
  const seenMs = Math.max(struckMs + IN_FLIGHT_AFTER_MS, (out?.atMs ?? hit.fromMs) + AFTER_OUT_MS);
  return { ...hit, seenMs, registeredMs: back?.atMs ?? Number.POSITIVE_INFINITY };
}

/** When the first of them registered again; if none did, when the first was healed. */
function backMs(deaths: readonly Death[]): number {
  const registeredMs = Math.min(...deaths.map((death) => death.registeredMs));
  if (Number.isFinite(registeredMs)) return registeredMs;
  return Math.min(...deaths.map(({ healedMs }) => healedMs ?? Number.POSITIVE_INFINITY));
}

/** Whether no server of the policy but these could serve. */
function isEveryServer(seen: Observations, ids: readonly string[], { policy, fromMs }: Death): boolean {
  const { tables, plan } = seen.recording;
  const sample = tables.findLast(({ atMs }) => atMs <= fromMs);
  if (sample === undefined) return new Set(ids).size >= plan.serversPerPolicy;
  const others = sample.servers.filter((server) => server.policy === policy && !ids.includes(server.id));
  return others.every(({ id, state }) => {
    // A sample is some time old; an event since then knows better.
    const events = seen.eventsOf(id);
    const isKnown = events.some(({ atMs }) => atMs < fromMs);
    return isKnown ? wasOutBefore(events, fromMs) : state === 'evicted' || state === 'leaving';
  });
}
