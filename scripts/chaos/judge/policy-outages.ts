// pure · when a policy had no server left because all of them had been hit.
// Must never call a policy down while a server that was not hit was there.
import { FAULT_FACTS } from '../faults/facts.ts';
import type { Recording } from '../journal.ts';
import { FAULT_KINDS, type FaultKind } from '../plan.ts';
import { type FaultHit, serverHitsOf, struckMsOf } from './queries.ts';
import { eventsOfServer, firstOf, firstOut, wasOutBefore } from './server-events.ts';

export type PolicyOutage = {
  policy: string;
  /** The first of its servers was hit. */
  firstHitMs: number;
  /** The last of them was. */
  lastHitMs: number;
  /** The last of them was gone for certain. */
  lastStruckMs: number;
  /** The proxy had taken the last of them out; `lastHitMs` where it did not say so. */
  lastOutMs: number;
  /** The first of them registered again, or else was healed; `Infinity` when none did. */
  listensMs: number;
};

/** The faults after which a server's process is gone. */
export const DEADLY: readonly FaultKind[] = FAULT_KINDS.filter((kind) => FAULT_FACTS[kind].leaves === 'down');

type Down = {
  id: string;
  policy: string;
  fromMs: number;
  struckMs: number;
  outMs: number;
  registeredMs: number;
  healedMs: number;
};

/** The moments at which the last server of a policy was hit, in order. */
export function policyOutages(recording: Recording, kinds = DEADLY): PolicyOutage[] {
  const downs = serverHitsOf(recording, kinds).flatMap((each) => downOf(recording, each) ?? []);
  return downs.flatMap((last) => {
    const together = downs.filter(
      (down) => down.policy === last.policy && down.fromMs <= last.fromMs && backMs([down]) > last.fromMs,
    );
    const ids = new Set(together.map(({ id }) => id));
    if (!isEverybody(recording, ids, last)) return [];
    return {
      policy: last.policy,
      firstHitMs: Math.min(...together.map(({ fromMs }) => fromMs)),
      lastHitMs: last.fromMs,
      lastStruckMs: Math.max(...together.map(({ struckMs }) => struckMs)),
      lastOutMs: Math.max(...together.map(({ outMs }) => outMs)),
      listensMs: backMs(together),
    };
  });
}

/** When the first of them registered again; if none did, when the first was healed. */
function backMs(downs: readonly Down[]): number {
  const registeredMs = Math.min(...downs.map((down) => down.registeredMs));
  return Number.isFinite(registeredMs) ? registeredMs : Math.min(...downs.map(({ healedMs }) => healedMs));
}

function downOf(recording: Recording, each: FaultHit): Down | null {
  const { serverId, policy, fromMs, healedMs } = each.hit;
  if (serverId === null || policy === null) return null;
  const events = eventsOfServer(recording, serverId);
  const back = firstOf(events, ['registered'], fromMs);
  return {
    id: serverId,
    policy,
    fromMs,
    struckMs: struckMsOf(each),
    outMs: firstOut(events, fromMs, back?.atMs ?? recording.endedMs)?.atMs ?? fromMs,
    registeredMs: back?.atMs ?? Number.POSITIVE_INFINITY,
    healedMs: healedMs ?? Number.POSITIVE_INFINITY,
  };
}

/** Whether no server of the policy but these could serve. */
function isEverybody(recording: Recording, ids: ReadonlySet<string>, { policy, fromMs }: Down): boolean {
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
