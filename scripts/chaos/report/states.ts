// pure · the proxy's events → what every server was in its table, from the start to the end.
import type { State } from '../../../services/proxy/health/health.ts';
import type { EventType } from '../../../services/proxy/status/events.ts';
import type { ProxyEvent } from '../../kit/proxy-events.ts';
import { compareNames } from '../../kit/words.ts';
import type { Recording } from '../journal.ts';
import { Observations } from '../judge/observations.ts';
import { policyOf } from '../plan.ts';

/** What a server is in the table, or that it is not in it, or that nothing shows what it is. */
export type LaneState = Exclude<State, 'forgotten'> | 'gone' | 'unknown';
export type ServerLane = {
  id: string;
  name: string;
  policy: string;
  spans: { state: LaneState; fromMs: number; toMs: number }[];
  events: readonly ProxyEvent[];
};
type Change = { atMs: number; state: LaneState };

const STATE_AFTER: Readonly<Partial<Record<EventType, LaneState>>> = {
  registered: 'joining',
  admitted: 'ready',
  standby: 'standby',
  suspect: 'suspect',
  evicted: 'evicted',
  ejected: 'ejected',
  trial: 'trial',
  leaving: 'leaving',
  left: 'gone',
  replaced: 'gone',
  forgotten: 'gone',
};

/** A lane for every server that was named, listed, hit or had an event, by policy and name. */
export function serverLanes(recording: Recording): ServerLane[] {
  const inOrder = recording.events.toSorted((a, b) => a.boot - b.boot || a.seq - b.seq);
  const eventsById = Map.groupBy(inOrder, ({ id }) => id);
  const emptied = emptiedTables(recording);
  const seen = new Observations(recording);
  const lanes = [...policiesById(recording)].map(([id, policy]) => {
    const events = eventsById.get(id) ?? [];
    const changes = [initial(recording, id, events[0]), ...changesOf(events, emptied)];
    const spans = spansOf(changes, recording.endedMs);
    return { id, name: seen.nameOf(id), policy, events, spans };
  });
  return lanes.sort((a, b) => compareNames(a.policy, b.policy) || compareNames(a.name, b.name));
}

function policiesById(recording: Recording): Map<string, string> {
  const found = new Map<string, string>();
  for (const [id, name] of Object.entries(recording.names)) {
    const policy = policyOf(recording.plan, name);
    if (policy !== null) found.set(id, policy);
  }
  for (const { hit } of new Observations(recording).serverHits) {
    if (hit.serverId !== null) found.set(hit.serverId, hit.policy ?? '');
  }
  for (const { servers } of recording.tables) for (const { id, policy } of servers) found.set(id, policy);
  for (const { id, policy } of recording.events) found.set(id, policy);
  return found;
}

/** By start of the proxy, when the table before it was gone: at the hit on the proxy, or else when the next one is seen. */
function emptiedTables(recording: Recording): Map<number, number> {
  const firstSeen = new Map<number, number>();
  for (const { boot, atMs } of [...recording.events, ...recording.tables]) {
    firstSeen.set(boot, Math.min(atMs, firstSeen.get(boot) ?? atMs));
  }
  const boots = [...firstSeen].sort(([a], [b]) => a - b);
  const emptied = boots.slice(1).map(([boot, atMs], index): [number, number] => {
    const before = boots[index]?.[1] ?? Number.NEGATIVE_INFINITY;
    const seen = new Observations(recording);
    const hit = seen
      .ownOf(seen.proxyHits)
      .findLast(({ hit: { fromMs } }) => fromMs <= atMs && fromMs > before);
    return [boot, hit?.hit.fromMs ?? atMs];
  });
  return new Map(emptied);
}

function changesOf(events: readonly ProxyEvent[], emptied: ReadonlyMap<number, number>): Change[] {
  const ends = [...emptied].map(([boot, atMs]) => ({ atMs, boot, state: 'gone' as const }));
  const steps = events
    // What a proxy that has been hit still reports does not count.
    .filter(({ boot, atMs }) => atMs < (emptied.get(boot + 1) ?? Number.POSITIVE_INFINITY))
    .map(({ atMs, boot, type }) => ({ atMs, boot, state: STATE_AFTER[type] ?? 'unknown' }));
  return [...ends, ...steps].sort((a, b) => a.boot - b.boot || a.atMs - b.atMs);
}

/** Before its first event: as the first table lists it, or else what the event shows that it was. */
function initial({ tables: [table] }: Recording, id: string, event: ProxyEvent | undefined): Change {
  const atMs = Number.NEGATIVE_INFINITY;
  if (table !== undefined && (event === undefined || table.atMs <= event.atMs)) {
    const listed = table.servers.find((server) => server.id === id);
    return { atMs, state: listed === undefined ? 'gone' : (listed.state as LaneState) };
  }
  if (event === undefined) return { atMs, state: 'unknown' };
  if (event.type === 'registered') return { atMs, state: 'gone' };
  return { atMs, state: event.type === 'admitted' ? 'joining' : 'ready' };
}

function spansOf(changes: readonly Change[], endMs: number): ServerLane['spans'] {
  const spans: ServerLane['spans'] = [];
  changes.forEach(({ atMs, state }, index) => {
    const fromMs = Math.max(atMs, 0);
    const toMs = Math.min(changes[index + 1]?.atMs ?? endMs, endMs);
    const last = spans.at(-1);
    if (!(toMs > fromMs)) return;
    if (last !== undefined && last.state === state) last.toMs = toMs;
    else spans.push({ state, fromMs, toMs });
  });
  return spans;
}
