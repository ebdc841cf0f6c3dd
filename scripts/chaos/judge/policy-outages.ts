// pure · when a policy had no server left because all of them had been hit.
// Must never call a policy down while a server that was not hit was there.
import type { Hit, Recording } from '../journal.ts';
import type { FaultKind } from '../plan.ts';
import { serverHitsOf } from './queries.ts';
import { eventsOfServer, firstOf } from './server-events.ts';

export type PolicyOutage = {
  policy: string;
  /** The first of its servers was hit. */
  firstHitMs: number;
  /** The last of them was. */
  lastHitMs: number;
  /** The first of them registered again, or else was healed; `Infinity` when none did. */
  listensMs: number;
};

/** The faults after which a server's process is gone. */
export const DEADLY: readonly FaultKind[] = ['kill', 'stop', 'restart', 'exit', 'swap'];

type Down = { id: string; policy: string; fromMs: number; untilMs: number };

/** The moments at which the last server of a policy was hit, in order. */
export function policyOutages(recording: Recording, kinds = DEADLY): PolicyOutage[] {
  const downs = serverHitsOf(recording, kinds).flatMap(({ hit }) => downOf(recording, hit) ?? []);
  return downs.flatMap((last) => {
    const together = downs.filter(
      ({ policy, fromMs, untilMs }) =>
        policy === last.policy && fromMs <= last.fromMs && untilMs > last.fromMs,
    );
    const ids = new Set(together.map(({ id }) => id));
    if (!isEverybody(recording, ids, last)) return [];
    return {
      policy: last.policy,
      firstHitMs: Math.min(...together.map(({ fromMs }) => fromMs)),
      lastHitMs: last.fromMs,
      listensMs: Math.min(...together.map(({ untilMs }) => untilMs)),
    };
  });
}

function downOf(recording: Recording, { serverId, policy, fromMs, healedMs }: Hit): Down | null {
  if (serverId === null || policy === null) return null;
  const back = firstOf(eventsOfServer(recording, serverId), ['registered'], fromMs);
  return { id: serverId, policy, fromMs, untilMs: back?.atMs ?? healedMs ?? Number.POSITIVE_INFINITY };
}

function isEverybody({ tables, plan }: Recording, ids: ReadonlySet<string>, last: Down): boolean {
  const sample = tables.findLast(({ atMs }) => atMs <= last.fromMs);
  if (sample === undefined) return ids.size >= plan.serversPerPolicy;
  return sample.servers
    .filter(({ policy, state }) => policy === last.policy && state !== 'evicted' && state !== 'leaving')
    .every(({ id }) => ids.has(id));
}
