// pure · how often servers that are hit again and again were evicted and readmitted.
// Must never count a suspect that was cleared: it had only been doubted.

import type { ProxyEvent, Recording } from '../journal.ts';
import type { FaultKind } from '../plan.ts';
import { type Criterion, criterion, millis, nameOf, plural } from './criterion.ts';
import { weigh } from './machine.ts';
import { type FaultHit, requireHits, requireServer, serverHitsOf } from './queries.ts';
import { describeEvent, eventsOf, eventsOfServer, isEviction, spanOfEvent } from './server-events.ts';

/** At most `count` evictions and as many readmissions of each hit server in any `perMs`. */
export function evictionsAtMost({
  perMs = 10_000,
  count = 1,
  kinds = ['flap'],
}: {
  perMs?: number;
  count?: number;
  kinds?: readonly FaultKind[];
} = {}): Criterion {
  const limit = `≤ ${plural(count, 'eviction')} and ≤ ${plural(count, 'readmission')} of a server in any ${millis(perMs)}`;
  const hasAnotherSoon = (event: ProxyEvent, at: number, all: readonly ProxyEvent[]): boolean => {
    const next = all[at + count];
    return next !== undefined && next.atMs - event.atMs < perMs;
  };
  return criterion('evictions are rare', limit, (recording) => {
    const servers = hitServers(recording, kinds);
    const evictions = servers.map(({ id, fromMs }) => evictionsOf(recording, id, fromMs));
    const readmissions = servers.map(({ id, fromMs }) => readmissionsOf(recording, id, fromMs));
    const tooSoon = [...evictions, ...readmissions].flatMap((events) => events.filter(hasAnotherSoon));
    const { verdict, notes } = weigh(
      recording,
      tooSoon.map((event) => ({ ...spanOfEvent(event), toMs: event.atMs + perMs })),
    );
    const hits = servers.reduce((sum, server) => sum + server.hits, 0);
    return {
      verdict,
      measured: `${plural(evictions.flat().length, 'eviction')} and ${plural(readmissions.flat().length, 'readmission')} after ${plural(hits, 'hit')}, ${tooSoon.length} with another too soon`,
      n: hits,
      details: [
        ...notes,
        ...[...tooSoon, ...evictions.flat()].map((event) => describeEvent(recording, event)),
      ],
    };
  });
}

/** Each server was evicted no more often than it crashed. */
export function evictionsAtMostCrashes(kinds: readonly FaultKind[] = ['exit']): Criterion {
  return criterion('no more evictions than crashes', 'evictions ≤ crashes of each server', (recording) => {
    const servers = hitServers(recording, kinds).map((server) => ({
      ...server,
      events: evictionsOf(recording, server.id, server.fromMs),
    }));
    const tooMany = servers.filter(({ events, hits }) => events.length > hits);
    // One of them was too many, nobody knows which: the machine must have been quick enough at each.
    const { verdict, notes } = weigh(
      recording,
      tooMany.map(({ id, fromMs, events }) => {
        const toMs = events.at(-1)?.atMs ?? fromMs;
        return { fromMs, toMs, servers: [id] };
      }),
    );
    const describe = ({ id, events, hits }: (typeof servers)[number]): string =>
      `${nameOf(recording, id)}: ${plural(events.length, 'eviction')} after ${hits} crashes`;
    return {
      verdict,
      measured: servers.map(describe).join('; '),
      n: servers.reduce((sum, { hits }) => sum + hits, 0),
      details: [...notes, ...tooMany.map(describe)],
    };
  });
}

/** The servers that were hit, how often, and since when. */
function hitServers(
  recording: Recording,
  kinds: readonly FaultKind[],
): { id: string; hits: number; fromMs: number }[] {
  eventsOf(recording);
  const hits = requireHits(serverHitsOf(recording, kinds), kinds);
  const byServer = Map.groupBy(hits, ({ hit }: FaultHit) => requireServer(hit).id);
  return [...byServer].map(([id, own]) => ({
    id,
    hits: own.length,
    fromMs: Math.min(...own.map(({ hit }) => hit.fromMs)),
  }));
}

function evictionsOf(recording: Recording, id: string, fromMs: number): ProxyEvent[] {
  return eventsOfServer(recording, id).filter((event) => isEviction(event) && event.atMs >= fromMs);
}

/** Admissions of a server that had been evicted or ejected; those of a suspect that was cleared are none. */
function readmissionsOf(recording: Recording, id: string, fromMs: number): ProxyEvent[] {
  let isOut = false;
  return eventsOfServer(recording, id).filter((event) => {
    if (isEviction(event)) isOut = true;
    if (event.type !== 'admitted' || !isOut) return false;
    isOut = false;
    return event.atMs >= fromMs;
  });
}
