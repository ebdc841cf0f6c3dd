// pure · evictions that should not have been: of servers without a fault, at all, or too often.

import { CAUSES } from '../../../services/proxy/health/cause.ts';
import type { ProxyEvent } from '../../kit/proxy-events.ts';
import { CannotTell } from '../../kit/verdict.ts';
import { plural } from '../../kit/words.ts';
import type { Hit } from '../journal.ts';
import type { FaultKind } from '../plan.ts';
import { assessEvents, type Criterion, troubleOf } from './judge.ts';
import { AFTERMATH_MS } from './limits.ts';
import { CERTAIN } from './machine.ts';
import { isEviction, isIn, millis, moment, type Observations, type Span } from './observations.ts';

// A proxy that has just started learns its servers, and may meet them while they register.
const START_MS = 2000;
const RARE_MS = 10_000;

/** No eviction or ejection of a server that no fault had hit at that time or up to 3 s before. */
export const falseEvictions: Criterion = {
  name: 'false evictions',
  limit: '0 evictions without a fault',
  assess(seen) {
    const events = judgedEvents(seen);
    const groundless = events.filter(({ id, atMs }) => {
      const hits = seen.serverHits.filter(({ hit }) => hit.serverId === id);
      return !isIn(atMs, hits.map(withAftermath));
    });
    const evicted = groundless.filter(isEviction);
    const suspects = groundless.filter(({ type }) => type === 'suspect');
    const n = events.filter(isEviction).length;
    return {
      measured: `${evicted.length} of ${plural(n, 'eviction')} (suspects without a fault: ${suspects.length})`,
      n,
      ...assessEvents(seen, evicted),
      details: assessEvents(seen, [...evicted, ...suspects]).details,
    };
  },
};

/** Every eviction and ejection says why: one cause of the list, and what was decided from. */
export const evictionsHaveCauses: Criterion = {
  name: 'evictions have causes',
  limit: 'one known cause and its evidence for each',
  isUnconditional: true,
  assess(seen) {
    const evicted = seen.requireEvents().filter(isEviction);
    // What comes is what the proxy has sent: one of another version may lack both.
    const without = evicted.filter(
      ({ cause, evidence }) => !CAUSES.includes(cause) || Object.keys(evidence ?? {}).length === 0,
    );
    return {
      measured: `${without.length} of ${plural(evicted.length, 'eviction')} without`,
      n: evicted.length,
      troubles: without.map(() => CERTAIN),
      details: assessEvents(seen, without).details,
    };
  },
};

/** Not one eviction or ejection of any server, by the events and by the table. */
export const noEviction: Criterion = {
  name: 'no eviction',
  limit: '0 evictions',
  assess(seen) {
    const evicted = judgedEvents(seen).filter(isEviction);
    const samples = seen.recording.tables.filter(({ atMs }) => isJudged(seen, atMs));
    if (samples.length === 0) throw new CannotTell('the policy table was not seen');
    const out = samples.flatMap(({ atMs, servers }) =>
      servers
        .filter(({ state }) => state === 'evicted' || state === 'ejected')
        .map(({ id, state }) => ({ atMs, id, state })),
    );
    // The table shows for some time what an event began.
    const began = out.map((sample) => {
      const isOfIt = ({ id, atMs }: ProxyEvent): boolean => id === sample.id && atMs <= sample.atMs;
      return troubleOf(evicted.findLast(isOfIt) ?? sample);
    });
    const { troubles, details } = assessEvents(seen, evicted);
    return {
      measured: `${plural(evicted.length, 'eviction')}, ${out.length} servers out in ${plural(samples.length, 'table sample')}`,
      n: samples.length,
      troubles: [...troubles, ...began],
      details: [
        ...details,
        ...out.map(({ atMs, id, state }) => `${moment(atMs)}: ${seen.nameOf(id)} is ${state} in the table`),
      ],
    };
  },
};

/** Whether a moment is judged for more than loss: neither in the warm-up nor before the load. */
function isJudged(seen: Observations, atMs: number): boolean {
  return atMs >= Math.max(0, seen.warmUpEndMs);
}

/** The events that count against the proxy: not while it was itself hit, or had only just started. */
function judgedEvents(seen: Observations): ProxyEvent[] {
  const events = seen.requireEvents();
  // Boot 0 was there before the recording: that this begins with some event does not mean that the proxy began then.
  const starts = events.filter(({ boot }, at) => boot > 0 && boot !== events[at - 1]?.boot);
  const excused = [
    ...seen.ownOf(seen.proxyHits).map(withAftermath),
    ...starts.map(({ atMs }) => ({ fromMs: atMs, toMs: atMs + START_MS })),
  ];
  return events.filter(({ atMs }) => isJudged(seen, atMs) && !isIn(atMs, excused));
}

function withAftermath({ hit: { fromMs, healedMs } }: { hit: Hit }): Span {
  return { fromMs, toMs: (healedMs ?? Number.POSITIVE_INFINITY) + AFTERMATH_MS };
}

/** At most one eviction and one readmission of each flapping server in any 10 s. */
export const evictionsAtMost: Criterion = {
  name: 'evictions are rare',
  limit: `≤ 1 eviction and ≤ 1 readmission of a server in any ${millis(RARE_MS)}`,
  assess(seen) {
    const servers = hitServers(seen, 'flap');
    const evictions = servers.flatMap((server) => server.evictions);
    const readmissions = servers.flatMap((server) => server.readmissions);
    const tooSoon = servers.flatMap((server) =>
      [server.evictions, server.readmissions].flatMap((events) => events.filter(hasAnotherSoon)),
    );
    const n = servers.reduce((sum, { hits }) => sum + hits, 0);
    return {
      measured: `${plural(evictions.length, 'eviction')} and ${plural(readmissions.length, 'readmission')} after ${plural(n, 'hit')}, ${tooSoon.length} with another too soon`,
      n,
      troubles: tooSoon.map((event) => ({ ...troubleOf(event), toMs: event.atMs + RARE_MS })),
      details: assessEvents(seen, [...tooSoon, ...evictions]).details,
    };
  },
};

function hasAnotherSoon({ atMs }: ProxyEvent, at: number, all: readonly ProxyEvent[]): boolean {
  return (all[at + 1]?.atMs ?? Number.POSITIVE_INFINITY) - atMs < RARE_MS;
}

/** Each server was evicted no more often than it crashed. */
export const evictionsAtMostCrashes: Criterion = {
  name: 'no more evictions than crashes',
  limit: 'evictions ≤ crashes of each server',
  assess(seen) {
    const servers = hitServers(seen, 'exit');
    const tooMany = servers.filter(({ evictions, hits }) => evictions.length > hits);
    const describe = ({ id, evictions, hits }: HitServer): string =>
      `${seen.nameOf(id)}: ${plural(evictions.length, 'eviction')} after ${hits} crashes`;
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

/** Since it was hit first. Admissions of a suspect that was cleared are no readmissions. */
type HitServer = {
  id: string;
  hits: number;
  fromMs: number;
  evictions: ProxyEvent[];
  readmissions: ProxyEvent[];
};

function hitServers(seen: Observations, kind: FaultKind): HitServer[] {
  const byServer = Map.groupBy(seen.hitsOf([kind]), ({ hit }) => hit.serverId);
  return [...byServer].map(([id, own]) => {
    const fromMs = Math.min(...own.map(({ hit }) => hit.fromMs));
    const isChange = (event: ProxyEvent): boolean => isEviction(event) || event.type === 'admitted';
    const changes = seen.eventsOf(id).filter(isChange);
    const admitted = changes.filter((event, at) => {
      const before = changes[at - 1];
      return !isEviction(event) && before !== undefined && isEviction(before);
    });
    const since = (events: ProxyEvent[]): ProxyEvent[] => events.filter(({ atMs }) => atMs >= fromMs);
    const evictions = since(changes.filter(isEviction));
    return { id, hits: own.length, fromMs, evictions, readmissions: since(admitted) };
  });
}
