// pure · how soon things are back: healed servers in rotation, a policy after an outage, and new servers at work.

import { CannotTell } from '../../kit/verdict.ts';
import { FAULT_FACTS, FAULT_KINDS, type FaultKind } from '../faults/facts.ts';
import type { Recording, RequestRow } from '../journal.ts';
import { outOf } from './detection.ts';
import {
  assessDelays,
  type Criterion,
  type Delay,
  describeHit,
  millis,
  moment,
  nameOf,
  plural,
} from './judge.ts';
import { READMISSION_LIMIT_MS, SERVES_AGAIN_LIMIT_MS } from './limits.ts';
import {
  allSent,
  endMsOf,
  eventsOf,
  eventsOfServer,
  firstOf,
  firstOut,
  indexOf,
  nextHitMs,
  requireServerHits,
  type ServerHit,
  serverHitsOf,
  struckMsOf,
  tableAt,
  wasOutBefore,
  wrongAnswers,
} from './lookup.ts';
import { CERTAIN } from './machine.ts';

const NEW_SERVER_LIMIT_MS = 1000;

/** Every server that a hit took out is admitted again in time after it was healed. */
export function readmission({ kinds }: { kinds: readonly FaultKind[] }): Criterion {
  return {
    name: `readmission after ${kinds.join(', ')}`,
    limit: `max ≤ ${millis(READMISSION_LIMIT_MS)}`,
    assess(recording) {
      const hits = requireServerHits(recording, kinds);
      const absences = hits.flatMap((each) => absenceOf(recording, each) ?? []);
      if (absences.length === 0) throw new CannotTell('no hit took its server out');
      return assessDelays(recording, absences, READMISSION_LIMIT_MS);
    },
  };
}

/**
 * From when a server that a hit took out could be back until it was, or was hit again; null when the hit took it not out.
 * It could be back once it was healed, and one that had died once it had registered.
 */
export function absenceOf(recording: Recording, each: ServerHit): Delay | null {
  const { serverId, healMs, healedMs } = each.hit;
  const out = outOf(recording, each);
  if (out === null) return null;
  const untilMs = Math.min(nextHitMs(recording, each), recording.endedMs);
  const what = `${describeHit(each)}${healedMs === null ? ', never healed' : ''}:`;
  const never = { what, verb: 'back', afterMs: Number.POSITIVE_INFINITY, untilMs, servers: [serverId] };
  if (healedMs === null) return { ...never, fromMs: untilMs };
  // A fault that ends by itself is noted as healed when that was seen: the server may have been back for some time. One
  // that is ended by a call may have let the server come back while the call still ran. Either took no time.
  const isSelfEnding = healMs === null || healMs === healedMs;
  const events = eventsOfServer(recording, serverId);
  const later = events.slice(events.indexOf(out) + 1);
  const back = firstOf(later, ['admitted'], isSelfEnding ? out.atMs : healMs, untilMs);
  if (back === null) return { ...never, fromMs: healedMs };
  const wasDown = FAULT_FACTS[each.fault.kind].leaves === 'down';
  const before = events.slice(0, events.indexOf(back));
  const registered = wasDown ? before.findLast(({ type }) => type === 'registered') : undefined;
  const fromMs = Math.max(healedMs, registered?.atMs ?? 0);
  return { ...never, fromMs, afterMs: Math.max(0, back.atMs - fromMs), why: back.why };
}

/** After an exchange of addresses each server is admitted under its own policy, and no answer was wrong. */
export function swapped(): Criterion {
  return {
    name: 'addresses exchanged',
    limit: 'every server admitted under its own policy, 0 wrong answers',
    assess(recording) {
      const hits = requireServerHits(recording, ['swap']);
      allSent(recording);
      const wrong = wrongAnswers(recording);
      const admissions = hits.map((each) => ({ each, events: admissionsAfter(recording, each) }));
      const misplaced = admissions.flatMap(({ each, events }) =>
        events.filter(({ policy }) => policy !== each.hit.policy),
      );
      const judged = assessDelays(
        recording,
        admissions.map(({ each, events }): Delay => {
          const { serverId, healedMs } = each.hit;
          const what = `${describeHit(each)}${healedMs === null ? ', never healed' : ''}:`;
          const afterMs = events.length > 0 && healedMs !== null ? 0 : Number.POSITIVE_INFINITY;
          const fromMs = healedMs ?? recording.endedMs;
          return { what, verb: 'admitted again', fromMs, afterMs, servers: [serverId] };
        }),
        READMISSION_LIMIT_MS,
      );
      const right = admissions.filter(
        ({ each, events }) => events.length > 0 && events.every(({ policy }) => policy === each.hit.policy),
      );
      return {
        ...judged,
        measured: `${right.length} of ${plural(hits.length, 'server')} under its own policy, ${wrong.length} wrong answers`,
        n: hits.length,
        troubles: [...judged.troubles, ...misplaced.map(() => CERTAIN), ...wrong.map(() => CERTAIN)],
        details: [
          ...misplaced.map(
            ({ atMs, id, policy }) =>
              `${moment(atMs)}: ${nameOf(recording, id)} admitted under policy ${policy}`,
          ),
          ...judged.details,
        ],
      };
    },
  };
}

function admissionsAfter(recording: Recording, { hit: { serverId, fromMs, healMs } }: ServerHit) {
  return eventsOfServer(recording, serverId).filter(
    ({ type, atMs }) => type === 'admitted' && atMs > (healMs ?? fromMs),
  );
}

/** After all servers of a policy were gone: the first ok in time after the first of them listens again. */
export function firstOkAfter(): Criterion {
  return {
    name: 'first answer after the outage',
    limit: `≤ ${millis(SERVES_AGAIN_LIMIT_MS)} after a server listens`,
    assess(recording) {
      const outages = policyOutages(recording).filter(({ listensMs }) => Number.isFinite(listensMs));
      if (outages.length === 0) throw new CannotTell('no policy lost all its servers and got one back');
      const { sentByPolicy } = indexOf(recording);
      const delays = outages.map(({ policy, listensMs }) =>
        untilFirstOk(`policy ${policy}`, sentByPolicy.get(policy), listensMs),
      );
      return assessDelays(recording, delays, SERVES_AGAIN_LIMIT_MS);
    },
  };
}

/** Each server that a scale-up added answers its first request soon after it registered. */
export function newServersServe(): Criterion {
  return {
    name: 'new servers serve',
    limit: `≤ ${millis(NEW_SERVER_LIMIT_MS)} after they registered`,
    assess(recording) {
      const scales = recording.faults.filter(({ kind }) => kind === 'scale');
      if (scales.length === 0) throw new CannotTell('nothing was scaled');
      const injectMs = Math.min(...scales.map((fault) => fault.injectMs));
      const known = new Set(tableAt(recording, injectMs).servers.map(({ id }) => id));
      const registered = new Map<string, number>();
      for (const { type, id, atMs } of eventsOf(recording)) {
        const isNew = type === 'registered' && atMs >= injectMs && !known.has(id) && !registered.has(id);
        if (isNew) registered.set(id, atMs);
      }
      if (registered.size === 0) throw new CannotTell('no new server registered');
      const { answeredByServer } = indexOf(recording);
      const delays = [...registered].map(([id, atMs]) =>
        untilFirstOk(nameOf(recording, id), answeredByServer.get(id), atMs),
      );
      return assessDelays(recording, delays, NEW_SERVER_LIMIT_MS);
    },
  };
}

/** From a moment to the end of the first ok that ended at or after it. */
function untilFirstOk(what: string, rows: readonly RequestRow[] = [], fromMs: number): Delay {
  const ends = rows.filter(({ outcome }) => outcome === 'ok').map(endMsOf);
  const firstMs = ends.reduce((least, endMs) => (endMs >= fromMs && endMs < least ? endMs : least), Infinity);
  return { what: `${what}, back at ${moment(fromMs)}:`, verb: 'answered', fromMs, afterMs: firstMs - fromMs };
}

export type PolicyOutage = {
  policy: string;
  /** The first of its servers was hit. */
  firstHitMs: number;
  /** The last of them was. */
  lastHitMs: number;
  /** The last of them was gone for certain. */
  lastStruckMs: number;
  /** The proxy had taken the last of them out; `lastHitMs` where no event shows it. */
  lastOutMs: number;
  /** The first of them registered again, or else was healed; `Infinity` when none did. */
  listensMs: number;
};

type Down = ServerHit['hit'] & { struckAtMs: number; outMs: number; registeredMs: number };

/** When a policy had no server left because the last one's process had ended, too; in order. */
export function policyOutages(recording: Recording): PolicyOutage[] {
  const deadly = FAULT_KINDS.filter((kind) => FAULT_FACTS[kind].leaves === 'down');
  const downs = serverHitsOf(recording, deadly).map((each) => downOf(recording, each));
  return downs.flatMap((last) => {
    const together = downs.filter(
      ({ policy, fromMs, ...down }) =>
        policy === last.policy && fromMs <= last.fromMs && backMs([down]) > last.fromMs,
    );
    if (!isEveryServer(recording, new Set(together.map(({ serverId }) => serverId)), last)) return [];
    return {
      policy: last.policy,
      firstHitMs: Math.min(...together.map(({ fromMs }) => fromMs)),
      lastHitMs: last.fromMs,
      lastStruckMs: Math.max(...together.map(({ struckAtMs }) => struckAtMs)),
      lastOutMs: Math.max(...together.map(({ outMs }) => outMs)),
      listensMs: backMs(together),
    };
  });
}

/** When the first of them registered again; if none did, when the first was healed. */
function backMs(downs: readonly Pick<Down, 'registeredMs' | 'healedMs'>[]): number {
  const registeredMs = Math.min(...downs.map((down) => down.registeredMs));
  if (Number.isFinite(registeredMs)) return registeredMs;
  return Math.min(...downs.map(({ healedMs }) => healedMs ?? Number.POSITIVE_INFINITY));
}

function downOf(recording: Recording, each: ServerHit): Down {
  const { serverId, fromMs } = each.hit;
  const events = eventsOfServer(recording, serverId);
  const back = firstOf(events, ['registered'], fromMs);
  return {
    ...each.hit,
    struckAtMs: struckMsOf(each),
    outMs: firstOut(events, fromMs, back?.atMs ?? recording.endedMs)?.atMs ?? fromMs,
    registeredMs: back?.atMs ?? Number.POSITIVE_INFINITY,
  };
}

/** Whether no server of the policy but these could serve. */
function isEveryServer(recording: Recording, ids: ReadonlySet<string>, { policy, fromMs }: Down): boolean {
  const sample = recording.tables.findLast(({ atMs }) => atMs <= fromMs);
  if (sample === undefined) return ids.size >= recording.plan.serversPerPolicy;
  return sample.servers
    .filter((server) => server.policy === policy && !ids.has(server.id))
    .every(({ id, state }) => {
      // A sample is some time old; an event since then knows better.
      const events = eventsOfServer(recording, id);
      const isKnown = events.some(({ atMs }) => atMs < fromMs);
      return isKnown ? wasOutBefore(events, fromMs) : state === 'evicted' || state === 'leaving';
    });
}
