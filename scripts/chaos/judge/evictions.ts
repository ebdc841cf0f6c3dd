// pure · evictions that should not have been: of servers without a fault, at all, or too often.

import type { ProxyEvent } from '../../kit/proxy-events.ts';
import { CannotTell } from '../../kit/verdict.ts';
import type { Recording } from '../journal.ts';
import type { FaultKind } from '../plan.ts';
import { type Criterion, describeEvent, millis, moment, nameOf, plural, troubleOf } from './judge.ts';
import { AFTERMATH_MS } from './limits.ts';
import {
  eventsOf,
  eventsOfServer,
  isEviction,
  proxyHitsOf,
  requireServerHits,
  type Span,
  serverHitsOf,
  warmUpEndMs,
} from './lookup.ts';
import type { Trouble } from './machine.ts';

// A proxy that has just started learns its servers, and may meet them while they register.
const START_MS = 2000;
const RARE_MS = 10_000;

/** No eviction or ejection of a server that no fault had hit at that time or up to 3 s before. */
export function falseEvictions(): Criterion {
  return {
    name: 'false evictions',
    limit: '0 evictions without a fault',
    assess(recording) {
      const events = judgedEvents(recording);
      const hits = serverHitsOf(recording).map(({ hit }) => ({ id: hit.serverId, ...withAftermath(hit) }));
      const groundless = events.filter(
        ({ id, atMs }) => !hits.some((hit) => hit.id === id && hit.fromMs <= atMs && atMs <= hit.toMs),
      );
      const evicted = groundless.filter(isEviction);
      const suspects = groundless.filter(({ type }) => type === 'suspect');
      const all = events.filter(isEviction).length;
      return {
        measured: `${evicted.length} of ${plural(all, 'eviction')} (suspects without a fault: ${suspects.length})`,
        n: all,
        troubles: evicted.map(troubleOf),
        details: [...evicted, ...suspects].map((event) => describeEvent(recording, event)),
      };
    },
  };
}

/** Not one eviction or ejection of any server, by the events and by the table. */
export function noEviction(): Criterion {
  return {
    name: 'no eviction',
    limit: '0 evictions',
    assess(recording) {
      const evicted = judgedEvents(recording).filter(isEviction);
      const samples = recording.tables.filter(({ atMs }) => isJudged(recording, atMs));
      if (samples.length === 0) throw new CannotTell('the policy table was not seen');
      const out = samples.flatMap(({ atMs, servers }) =>
        servers
          .filter(({ state }) => state === 'evicted' || state === 'ejected')
          .map(({ id, state }) => ({ atMs, id, state })),
      );
      // The table shows for some time what an event began.
      const beganIt = ({ atMs, id }: { atMs: number; id: string }): Trouble => {
        const event = evicted.findLast((each) => each.id === id && each.atMs <= atMs);
        return event === undefined ? { fromMs: atMs, toMs: atMs, servers: [id] } : troubleOf(event);
      };
      return {
        measured: `${plural(evicted.length, 'eviction')}, ${out.length} servers out in ${plural(samples.length, 'table sample')}`,
        n: samples.length,
        troubles: [...evicted.map(troubleOf), ...out.map(beganIt)],
        details: [
          ...evicted.map((event) => describeEvent(recording, event)),
          ...out.map(
            ({ atMs, id, state }) => `${moment(atMs)}: ${nameOf(recording, id)} is ${state} in the table`,
          ),
        ],
      };
    },
  };
}

/** Whether a moment is judged for more than loss: neither in the warm-up nor before the load. */
function isJudged(recording: Recording, atMs: number): boolean {
  return atMs >= Math.max(0, warmUpEndMs(recording));
}

/** The events that count against the proxy: not while it was itself hit, or had only just started. */
function judgedEvents(recording: Recording): ProxyEvent[] {
  const events = eventsOf(recording);
  const hits = proxyHitsOf(recording).map(({ hit }) => withAftermath(hit));
  // Boot 0 was there before the recording: that this begins with some event does not mean that the proxy began then.
  const starts = events
    .filter(({ boot }, at) => boot > 0 && boot !== events[at - 1]?.boot)
    .map(({ atMs }) => ({ fromMs: atMs, toMs: atMs + START_MS }));
  return events.filter(
    ({ atMs }) =>
      isJudged(recording, atMs) &&
      ![...hits, ...starts].some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs),
  );
}

function withAftermath({ fromMs, healedMs }: { fromMs: number; healedMs: number | null }): Span {
  return { fromMs, toMs: (healedMs ?? Number.POSITIVE_INFINITY) + AFTERMATH_MS };
}

/** At most one eviction and one readmission of each flapping server in any 10 s. */
export function evictionsAtMost(): Criterion {
  const hasAnotherSoon = (event: ProxyEvent, at: number, all: readonly ProxyEvent[]): boolean =>
    (all[at + 1]?.atMs ?? Number.POSITIVE_INFINITY) - event.atMs < RARE_MS;
  return {
    name: 'evictions are rare',
    limit: `≤ 1 eviction and ≤ 1 readmission of a server in any ${millis(RARE_MS)}`,
    assess(recording) {
      const servers = hitServers(recording, ['flap']);
      const evictions = servers.flatMap((server) => server.evictions);
      const readmissions = servers.flatMap((server) => server.readmissions);
      const tooSoon = servers.flatMap((server) =>
        [server.evictions, server.readmissions].flatMap((events) => events.filter(hasAnotherSoon)),
      );
      const hits = servers.reduce((sum, server) => sum + server.hits, 0);
      return {
        measured: `${plural(evictions.length, 'eviction')} and ${plural(readmissions.length, 'readmission')} after ${plural(hits, 'hit')}, ${tooSoon.length} with another too soon`,
        n: hits,
        troubles: tooSoon.map((event) => ({ ...troubleOf(event), toMs: event.atMs + RARE_MS })),
        details: [...tooSoon, ...evictions].map((event) => describeEvent(recording, event)),
      };
    },
  };
}

/** Each server was evicted no more often than it crashed. */
export function evictionsAtMostCrashes(): Criterion {
  return {
    name: 'no more evictions than crashes',
    limit: 'evictions ≤ crashes of each server',
    assess(recording) {
      const servers = hitServers(recording, ['exit']);
      const tooMany = servers.filter(({ evictions, hits }) => evictions.length > hits);
      const describe = ({ id, evictions, hits }: HitServer): string =>
        `${nameOf(recording, id)}: ${plural(evictions.length, 'eviction')} after ${hits} crashes`;
      return {
        measured: servers.map(describe).join('; '),
        n: servers.reduce((sum, { hits }) => sum + hits, 0),
        // One of them was too many, and nothing shows which: the machine must have been quick enough at each.
        troubles: tooMany.map(({ id, fromMs, evictions }) => {
          return { fromMs, toMs: evictions.at(-1)?.atMs ?? fromMs, servers: [id] };
        }),
        details: tooMany.map(describe),
      };
    },
  };
}

type HitServer = {
  id: string;
  hits: number;
  /** When it was hit first; the events are those since then. */
  fromMs: number;
  evictions: ProxyEvent[];
  /** Admissions after an eviction; those of a suspect that was cleared are none. */
  readmissions: ProxyEvent[];
};

function hitServers(recording: Recording, kinds: readonly FaultKind[]): HitServer[] {
  const byServer = Map.groupBy(requireServerHits(recording, kinds), ({ hit }) => hit.serverId);
  return [...byServer].map(([id, own]) => {
    const fromMs = Math.min(...own.map(({ hit }) => hit.fromMs));
    const changes = eventsOfServer(recording, id).filter(
      (event) => isEviction(event) || event.type === 'admitted',
    );
    const since = (events: ProxyEvent[]): ProxyEvent[] => events.filter(({ atMs }) => atMs >= fromMs);
    return {
      id,
      hits: own.length,
      fromMs,
      evictions: since(changes.filter(isEviction)),
      readmissions: since(
        changes.filter(({ type }, at) => {
          const before = changes[at - 1];
          return type === 'admitted' && before !== undefined && isEviction(before);
        }),
      ),
    };
  });
}
