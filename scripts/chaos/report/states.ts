// pure · the proxy's events → what every server was in its table, from the start to the end.
// Must never carry a state over from one start of the proxy to the next: its table is empty then.
import type { EventType } from '../../../services/proxy/status/events.ts';
import { compareNames } from '../../kit/report/format.ts';
import type { ProxyEvent, Recording } from '../journal.ts';
import { Observations } from '../judge/observations.ts';
import { policyOf } from '../plan.ts';
import { nameOf } from './figures.ts';

export type LaneState =
  | 'ready'
  | 'trial'
  | 'joining'
  | 'suspect'
  | 'evicted'
  | 'ejected'
  | 'leaving'
  | 'gone'
  | 'unknown';
export type StateSpan = { state: LaneState; fromMs: number; toMs: number };
export type ServerLane = {
  id: string;
  name: string;
  policy: string;
  spans: StateSpan[];
  events: readonly ProxyEvent[];
};

type Change = { atMs: number; state: LaneState };

const STATE_AFTER: Readonly<Record<EventType, LaneState>> = {
  registered: 'joining',
  admitted: 'ready',
  suspect: 'suspect',
  evicted: 'evicted',
  ejected: 'ejected',
  trial: 'trial',
  leaving: 'leaving',
  left: 'gone',
  replaced: 'gone',
  forgotten: 'gone',
};
const TABLE_STATES: readonly string[] = [
  'ready',
  'trial',
  'joining',
  'suspect',
  'evicted',
  'ejected',
  'leaving',
];

/** A lane for every server that was named, listed, hit or had an event, by policy and name. */
export function serverLanes(recording: Recording): ServerLane[] {
  const eventsById = Map.groupBy(inOrder(recording.events), ({ id }) => id);
  const emptied = emptiedTables(recording);
  const policies = policiesById(recording);
  const lanes = [...policies].map(([id, policy]) => {
    const events = eventsById.get(id) ?? [];
    const changes = [initial(recording, id, events), ...changesOf(events, emptied)];
    return {
      id,
      name: nameOf(recording.names, id),
      policy,
      events,
      spans: spansOf(changes, recording.endedMs),
    };
  });
  return lanes.sort((a, b) => compareNames(a.policy, b.policy) || compareNames(a.name, b.name));
}

function inOrder(events: readonly ProxyEvent[]): ProxyEvent[] {
  return events.toSorted((a, b) => a.boot - b.boot || a.seq - b.seq);
}

function policiesById(recording: Recording): Map<string, string> {
  const found = new Map<string, string>();
  for (const [id, name] of Object.entries(recording.names)) {
    const policy = policyOf(name);
    if (policy !== null) found.set(id, policy);
  }
  for (const { hit } of new Observations(recording).serverHits) {
    if (hit.serverId !== null) found.set(hit.serverId, hit.policy ?? '');
  }
  for (const { servers } of recording.tables) for (const { id, policy } of servers) found.set(id, policy);
  for (const { id, policy } of recording.events) found.set(id, policy);
  return found;
}

/** When the table of one start of the proxy was gone: at the hit on the proxy, or else when the next table begins. */
function emptiedTables(recording: Recording): Map<number, number> {
  const firstSeen = new Map<number, number>();
  for (const { boot, atMs } of [...recording.events, ...recording.tables]) {
    firstSeen.set(boot, Math.min(atMs, firstSeen.get(boot) ?? atMs));
  }
  const boots = [...firstSeen].sort(([a], [b]) => a - b);
  const emptied = boots.slice(1).map(([boot, atMs], index): [number, number] => {
    const before = boots[index]?.[1] ?? Number.NEGATIVE_INFINITY;
    const hit = new Observations(recording).proxyHits.findLast(
      ({ hit: { fromMs } }) => fromMs <= atMs && fromMs > before,
    );
    return [boot, hit?.hit.fromMs ?? atMs];
  });
  return new Map(emptied);
}

function changesOf(events: readonly ProxyEvent[], emptied: ReadonlyMap<number, number>): Change[] {
  const ends = [...emptied].map(([boot, atMs]): Change & { boot: number } => ({ atMs, boot, state: 'gone' }));
  const steps = events.map(({ atMs, boot, type }) => ({ atMs, boot, state: STATE_AFTER[type] ?? 'unknown' }));
  // What the old proxy still said while it went is of no account.
  const counted = steps.filter(
    ({ boot, atMs }) => atMs < (emptied.get(boot + 1) ?? Number.POSITIVE_INFINITY),
  );
  return [...ends, ...counted].sort((a, b) => a.boot - b.boot || a.atMs - b.atMs);
}

/** Before its first event: as the first table lists it, or else what the event shows that it was. */
function initial(recording: Recording, id: string, events: readonly ProxyEvent[]): Change {
  const atMs = Number.NEGATIVE_INFINITY;
  const [event] = events;
  const [table] = recording.tables;
  if (table !== undefined && (event === undefined || table.atMs <= event.atMs)) {
    const listed = table.servers.find((server) => server.id === id);
    return { atMs, state: listed === undefined ? 'gone' : asState(listed.state) };
  }
  if (event === undefined) return { atMs, state: 'unknown' };
  if (event.type === 'registered') return { atMs, state: 'gone' };
  return { atMs, state: event.type === 'admitted' ? 'joining' : 'ready' };
}

function asState(text: string): LaneState {
  return TABLE_STATES.includes(text) ? (text as LaneState) : 'unknown';
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
