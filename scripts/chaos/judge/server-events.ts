// pure · the proxy's events server by server, and what takes a server out of the rotation.
// Must never mix the starts of the proxy: each begins its table, its numbers and its counts anew.
import type { EventType } from '../../../services/proxy/status/events.ts';
import { CannotTell } from '../../kit/verdict.ts';
import type { ProxyEvent, Recording } from '../journal.ts';
import { moment, nameOf } from './criterion.ts';

const NONE: readonly ProxyEvent[] = [];
// After one of these it gets no request before it is admitted again.
const OUT: ReadonlySet<EventType> = new Set([
  'evicted',
  'ejected',
  'leaving',
  'left',
  'replaced',
  'forgotten',
]);

type EventIndex = { all: readonly ProxyEvent[]; byServer: ReadonlyMap<string, readonly ProxyEvent[]> };
const indexes = new WeakMap<readonly ProxyEvent[], EventIndex>();

function eventIndex({ events }: Recording): EventIndex {
  const known = indexes.get(events);
  if (known !== undefined) return known;
  const all = [...events].sort((a, b) => a.boot - b.boot || a.seq - b.seq);
  const made = { all, byServer: Map.groupBy(all, ({ id }) => id) };
  indexes.set(events, made);
  return made;
}

/**
 * All events in the order of the proxy. Throws `CannotTell` when there is none and nothing shows that there was none: in
 * a cluster that has stood for long nothing happens, but then its table is seen to stay as it is.
 */
export function eventsOf(recording: Recording): readonly ProxyEvent[] {
  const { all } = eventIndex(recording);
  if (all.length === 0 && !isTableQuiet(recording))
    throw new CannotTell('no event of the proxy was recorded');
  return all;
}

/** Whether the table was seen, and every server was ready in every sample. */
function isTableQuiet({ tables }: Recording): boolean {
  return tables.length > 0 && tables.every(({ servers }) => servers.every(({ state }) => state === 'ready'));
}

/** The events of one server, under whatever policy and address, in order. */
export function eventsOfServer(recording: Recording, serverId: string): readonly ProxyEvent[] {
  return eventIndex(recording).byServer.get(serverId) ?? NONE;
}

/** Whether the server has been taken out for good or for a penalty: evicted or ejected. */
export function isEviction({ type }: ProxyEvent): boolean {
  return type === 'evicted' || type === 'ejected';
}

/**
 * The first event in [fromMs, untilMs) that took the server out of rotation. A suspect gets no request any more, so when
 * nothing has cleared it before it is taken out, the suspicion counts.
 * @param events of one server
 */
export function firstOut(events: readonly ProxyEvent[], fromMs: number, untilMs: number): ProxyEvent | null {
  let suspect: ProxyEvent | null = null;
  for (const event of events) {
    if (event.atMs < fromMs) continue;
    if (event.atMs >= untilMs) return null;
    if (suspect !== null && suspect.boot !== event.boot) suspect = null;
    if (OUT.has(event.type)) return suspect ?? event;
    if (event.type === 'suspect') suspect ??= event;
    else suspect = null;
  }
  return null;
}

/** The first event of some types in [fromMs, untilMs). */
export function firstOf(
  events: readonly ProxyEvent[],
  types: readonly EventType[],
  fromMs: number,
  untilMs = Number.POSITIVE_INFINITY,
): ProxyEvent | null {
  return events.find(({ type, atMs }) => atMs >= fromMs && atMs < untilMs && types.includes(type)) ?? null;
}

/** The moment of an event, and the server that it is about. */
export function spanOfEvent({ atMs, id }: ProxyEvent): { fromMs: number; toMs: number; servers: string[] } {
  return { fromMs: atMs, toMs: atMs, servers: [id] };
}

/** One event as a line. */
export function describeEvent(recording: Recording, { atMs, type, id, why }: ProxyEvent): string {
  return `${moment(atMs)}: ${nameOf(recording, id)} ${type}: ${why}`;
}

/** Whether the server was out of rotation already just before a moment, or had not been admitted yet. */
export function wasOutBefore(events: readonly ProxyEvent[], atMs: number): boolean {
  const last = events.findLast((event) => event.atMs < atMs);
  return last !== undefined && (OUT.has(last.type) || last.type === 'registered');
}
