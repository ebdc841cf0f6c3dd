// pure · what a proxy showed → what it was itself, and what every server was in its table, from the start to the end.
import type { State } from '../../../services/proxy/health/health.ts';
import type { EventType } from '../../../services/proxy/status/events.ts';
import type { ProxyEvent } from '../../kit/proxy-events.ts';
import { compareNames } from '../../kit/words.ts';
import type { ProxyView, Recording } from '../journal.ts';
import { Observations } from '../judge/observations.ts';
import { policyOf } from '../plan.ts';

/** What a server is in the table, or that it is not in it, or that nothing shows what it is. */
export type LaneState = Exclude<State, 'forgotten'> | 'gone' | 'unknown';
export type StateSpan = { state: LaneState; fromMs: number; toMs: number };
export type ServerLane = {
  id: string;
  name: string;
  policy: string;
  spans: StateSpan[];
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

/**
 * What the proxy was: `ready`, `leaving` while its status port answers that it is not ready, because it starts or stops,
 * and `gone` while that does not answer.
 */
export function proxySpans(recording: Recording): StateSpan[] {
  const { listens, closes, tables, endedMs } = recording;
  // What a new start has done may be dated before it was found to answer.
  const starts = startsOf(recording).slice(1);
  const turns = [
    { atMs: Number.NEGATIVE_INFINITY, state: 'unknown' as const },
    ...[...listens, ...starts.map(([, atMs]) => atMs)].map((atMs) => ({ atMs, state: 'ready' as const })),
    ...closes.map((atMs) => ({ atMs, state: 'gone' as const })),
  ].sort((a, b) => a.atMs - b.atMs);
  const isThereAt = (moment: number): boolean =>
    turns.findLast(({ atMs }) => atMs <= moment)?.state === 'ready';
  // An answer may be read after the end of the stream.
  const samples = tables
    .filter(({ atMs }) => isThereAt(atMs))
    .map(({ atMs, isReady }) => ({ atMs, state: isReady ? ('ready' as const) : ('leaving' as const) }));
  return spansOf(
    [...turns, ...samples].sort((a, b) => a.atMs - b.atMs),
    endedMs,
  );
}

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

/** The starts of the proxy in order, each with when it was first seen. */
function startsOf({ events, tables }: ProxyView): [boot: number, atMs: number][] {
  const firstSeen = new Map<number, number>();
  for (const { boot, atMs } of [...events, ...tables]) {
    firstSeen.set(boot, Math.min(atMs, firstSeen.get(boot) ?? atMs));
  }
  return [...firstSeen].sort(([a], [b]) => a - b);
}

/**
 * By start of the proxy, when the table before it was gone: when its stream ended, or else at the hit on the proxy, or when
 * the next start is seen. After the last one there is a further start, which never came, if it was gone at the end.
 */
function emptiedTables(recording: Recording): Map<number, number> {
  const { listens, closes } = recording;
  const boots = startsOf(recording);
  const emptied = boots.slice(1).map(([boot, atMs], index): [number, number] => {
    const before = boots[index]?.[1] ?? Number.NEGATIVE_INFINITY;
    const isBetween = (ms: number): boolean => ms <= atMs && ms > before;
    const seen = new Observations(recording);
    const hit = seen.ownOf(seen.proxyHits).findLast(({ hit: { fromMs } }) => isBetween(fromMs));
    return [boot, closes.findLast(isBetween) ?? hit?.hit.fromMs ?? atMs];
  });
  const lastClose = closes.at(-1);
  if (lastClose !== undefined && !listens.some((atMs) => atMs > lastClose))
    emptied.push([(boots.at(-1)?.[0] ?? 0) + 1, lastClose]);
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

function spansOf(changes: readonly Change[], endMs: number): StateSpan[] {
  const spans: StateSpan[] = [];
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
