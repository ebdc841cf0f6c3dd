// pure · finds in a recording what criteria ask for: requests, events of the proxy, hits, phases, tables, outages.

import type { EventType } from '../../../services/proxy/status/events.ts';
import type { ProxyEvent, TableSample } from '../../kit/proxy-events.ts';
import { CannotTell } from '../../kit/verdict.ts';
import type { FaultRecord, Hit, Phase, PhaseName, Recording, RequestRow } from '../journal.ts';
import { type FaultKind, policyOf } from '../plan.ts';

export type Span = { fromMs: number; toMs: number };
export type FaultHit = { fault: FaultRecord; hit: Hit };
export type ServerHit = FaultHit & { hit: { serverId: string; policy: string } };

type Index = {
  /** Every request that was sent, by intended start; those that the load generator dropped are not among them. */
  sent: readonly RequestRow[];
  sentByPolicy: ReadonlyMap<string, readonly RequestRow[]>;
  /** The answered ones (ok, wrong) by the id of the server that answered. */
  answeredByServer: ReadonlyMap<string, readonly RequestRow[]>;
  /** In the proxy's own order, one start of it after the other. */
  events: readonly ProxyEvent[];
  eventsByServer: ReadonlyMap<string, readonly ProxyEvent[]>;
};
const indexes = new WeakMap<Recording, Index>();

/** The requests and events of a recording, sorted and grouped at the first call. */
export function indexOf(recording: Recording): Index {
  const known = indexes.get(recording);
  if (known !== undefined) return known;
  const { requests, events: unsorted } = recording;
  const sent = requests.filter(({ outcome }) => outcome !== 'dropped').sort((a, b) => a.dueMs - b.dueMs);
  const answered = sent.filter(({ outcome }) => outcome === 'ok' || outcome === 'wrong');
  const events = unsorted.toSorted((a, b) => a.boot - b.boot || a.seq - b.seq);
  const index = {
    sent,
    sentByPolicy: Map.groupBy(sent, ({ policy }) => policy),
    answeredByServer: Map.groupBy(answered, ({ detail }) => detail),
    events,
    eventsByServer: Map.groupBy(events, ({ id }) => id),
  };
  indexes.set(recording, index);
  return index;
}

/** Where the first row stands for which `holds`; from there on it must hold for all. The length when it holds for none. */
export function firstIndex<Row>(rows: readonly Row[], holds: (row: Row) => boolean): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(rows[middle] as Row)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Those of the rows, in order, that were due from `fromMs` to `toMs`, both included. */
export function dueIn(rows: readonly RequestRow[], fromMs: number, toMs: number): readonly RequestRow[] {
  const from = firstIndex(rows, ({ dueMs }) => dueMs >= fromMs);
  const beyond = firstIndex(rows, ({ dueMs }) => dueMs > toMs);
  return rows.slice(from, Math.max(from, beyond));
}

/** The requests sent that were due from `fromMs` to `toMs`, both included; of one policy or of all. */
export function requestsIn(
  recording: Recording,
  fromMs: number,
  toMs: number,
  policy?: string,
): readonly RequestRow[] {
  const { sent, sentByPolicy } = indexOf(recording);
  return dueIn(policy === undefined ? sent : (sentByPolicy.get(policy) ?? []), fromMs, toMs);
}

/** Every request that was sent. Throws `CannotTell` when there was none. */
export function allSent(recording: Recording): readonly RequestRow[] {
  const { sent } = indexOf(recording);
  if (sent.length === 0) throw new CannotTell('no request was sent');
  return sent;
}

/** Answered right, at once: no attempt failed. */
export function wentWell({ outcome, first }: RequestRow): boolean {
  return outcome === 'ok' && (first === null || first.outcome === 'ok');
}

/** The requests that were answered wrongly: by their digest, or by the policy of the server that answered. */
export function wrongAnswers(recording: Recording): RequestRow[] {
  const policies = new Map(
    Object.entries(recording.names).map(([id, name]) => [id, policyOf(recording.plan, name)]),
  );
  return indexOf(recording).sent.filter(({ outcome, first, policy, detail }) => {
    if (outcome === 'wrong' || first?.outcome === 'wrong') return true;
    const answering = outcome === 'ok' ? (policies.get(detail) ?? null) : null;
    return answering !== null && answering !== policy;
  });
}

/** The greatest latency. */
export function slowestMs(requests: readonly RequestRow[]): number {
  return requests.reduce((max, { latencyMs }) => Math.max(max, latencyMs), 0);
}

/** When the request ended. */
export function endMsOf({ dueMs, latencyMs }: RequestRow): number {
  return dueMs + latencyMs;
}

/** Whether an attempt was under way at some moment of one of the spans. */
export function overlaps(attempt: { sentMs: number; endMs: number }, spans: readonly Span[]): boolean {
  return spans.some(({ fromMs, toMs }) => attempt.sentMs <= toMs && attempt.endMs >= fromMs);
}

/** A phase of the run. Throws `CannotTell` when there was none. */
export function phaseNamed({ phases }: Recording, name: PhaseName): Phase {
  const phase = phases.find((each) => each.name === name);
  if (phase === undefined) throw new CannotTell(`no phase "${name}" was recorded`);
  return phase;
}

/** The requests sent that were due in a phase: its end belongs to the next one. */
export function requestsOfPhase(recording: Recording, { fromMs, toMs }: Phase): readonly RequestRow[] {
  return requestsIn(recording, fromMs, toMs).filter(({ dueMs }) => dueMs < toMs);
}

/** The end of the warm-up, before which nothing but loss is judged; `-Infinity` without one. */
export function warmUpEndMs({ phases }: Recording): number {
  return phases.find(({ name }) => name === 'warm-up')?.toMs ?? Number.NEGATIVE_INFINITY;
}

/** The last table sample at or before a moment. Throws `CannotTell` when there is none. */
export function tableAt({ tables }: Recording, atMs: number): TableSample {
  const sample = tables.findLast((each) => each.atMs <= atMs);
  if (sample === undefined) throw new CannotTell('the policy table was not seen by then');
  return sample;
}

/** All hits, or those of some kinds of fault, by time. */
function hitsOf({ faults }: Recording, kinds?: readonly FaultKind[]): FaultHit[] {
  return faults
    .filter(({ kind }) => kinds === undefined || kinds.includes(kind))
    .flatMap((fault) => fault.hits.map((hit) => ({ fault, hit })))
    .sort((a, b) => a.hit.fromMs - b.hit.fromMs);
}

/** Those of them that hit a server. */
export function serverHitsOf(recording: Recording, kinds?: readonly FaultKind[]): ServerHit[] {
  return hitsOf(recording, kinds).filter((each): each is ServerHit => each.hit.serverId !== null);
}

/** Those of them that hit the proxy. */
export function proxyHitsOf(recording: Recording, kinds?: readonly FaultKind[]): FaultHit[] {
  return hitsOf(recording, kinds).filter(({ hit }) => hit.serverId === null);
}

/** Hits of some kinds. Throws `CannotTell` when there were none. */
export function requireHits<Each extends FaultHit>(hits: Each[], kinds: readonly FaultKind[]): Each[] {
  if (hits.length === 0) throw new CannotTell(`no fault of this kind hit anything: ${kinds.join(', ')}`);
  return hits;
}

/** As `requireHits`, of hits on servers. Throws `CannotTell` when the events are missing, too. */
export function requireServerHits(recording: Recording, kinds: readonly FaultKind[]): ServerHit[] {
  eventsOf(recording);
  return requireHits(serverHitsOf(recording, kinds), kinds);
}

/** From when on a hit had happened for certain: what Docker took until then is not the proxy's. */
export function struckMsOf({ fault, hit }: FaultHit): number {
  return hit.struckMs ?? Math.max(hit.fromMs, fault.injectedMs);
}

/** When the same server was hit again; `Infinity` when it was not. */
export function nextHitMs(recording: Recording, { hit }: FaultHit): number {
  const next = serverHitsOf(recording).find(
    (other) => other.hit.target === hit.target && other.hit.fromMs > hit.fromMs,
  );
  return next?.hit.fromMs ?? Number.POSITIVE_INFINITY;
}

/** The policies of a fault's hits and targets; none for the proxy. */
export function policiesOfFault({ plan }: Recording, { hits, targets }: FaultRecord): string[] {
  const policies = [...hits.map(({ policy }) => policy), ...targets.map((target) => policyOf(plan, target))];
  return [...new Set(policies.filter((policy) => policy !== null))];
}

/** From a fault's first call until it was healed, or until the end of the recording. */
export function windowOf({ endedMs }: Recording, { injectMs, healMs, healedMs }: FaultRecord): Span {
  return { fromMs: injectMs, toMs: healedMs ?? healMs ?? endedMs };
}

// A client's clock may see the proxy's end a little before the call that ends it was noted.
const BEFORE_OUTAGE_MS = 5;
// From when the proxy listens: its servers register again (2 s at most, and slack).
const AFTER_OUTAGE_MS = 2500;

/** When the proxy was not there for its clients, with what it takes to come back. */
export function proxyOutages(recording: Recording): Span[] {
  return proxyHitsOf(recording).map((each) => ({
    fromMs: each.hit.fromMs - BEFORE_OUTAGE_MS,
    toMs: listensAgainMs(recording, each) + AFTER_OUTAGE_MS,
  }));
}

/** When the proxy listened again after a hit, and Docker's call had returned; `Infinity` when it never did. */
export function listensAgainMs({ listens }: Recording, { hit }: FaultHit): number {
  const { fromMs, healMs, healedMs } = hit;
  if (healedMs === null) return Number.POSITIVE_INFINITY;
  return Math.max(healedMs, listens.find((atMs) => atMs >= (healMs ?? fromMs)) ?? healedMs);
}

/**
 * All events in the order of the proxy. Throws `CannotTell` when there is none, unless the table shows that nothing
 * happened: every server was ready in every sample.
 */
export function eventsOf(recording: Recording): readonly ProxyEvent[] {
  const { events } = indexOf(recording);
  const { tables } = recording;
  const isReady = ({ servers }: TableSample): boolean => servers.every(({ state }) => state === 'ready');
  if (events.length === 0 && !(tables.length > 0 && tables.every(isReady)))
    throw new CannotTell('no event of the proxy was recorded');
  return events;
}

/** The events of one server, under whatever policy and address, in order. */
export function eventsOfServer(recording: Recording, serverId: string): readonly ProxyEvent[] {
  return indexOf(recording).eventsByServer.get(serverId) ?? [];
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

/** Evicted or ejected: taken out for good, or for a penalty. */
export function isEviction({ type }: ProxyEvent): boolean {
  return type === 'evicted' || type === 'ejected';
}

// After one of these a server gets no request before it is admitted again.
const OUT: readonly EventType[] = ['evicted', 'ejected', 'leaving', 'left', 'replaced', 'forgotten'];

/**
 * The first event in [fromMs, untilMs) that took a server out of rotation. A suspect gets no request any more, so when
 * nothing has cleared it before it is taken out, the suspicion counts.
 * @param events of one server
 */
export function firstOut(events: readonly ProxyEvent[], fromMs: number, untilMs: number): ProxyEvent | null {
  let suspect: ProxyEvent | null = null;
  for (const event of events) {
    if (event.atMs < fromMs) continue;
    if (event.atMs >= untilMs) return null;
    if (suspect !== null && suspect.boot !== event.boot) suspect = null;
    if (OUT.includes(event.type)) return suspect ?? event;
    if (event.type === 'suspect') suspect ??= event;
    else suspect = null;
  }
  return null;
}

/** Whether a server was out of rotation already just before a moment, or had not been admitted yet. */
export function wasOutBefore(events: readonly ProxyEvent[], atMs: number): boolean {
  const last = events.findLast((event) => event.atMs < atMs);
  return last !== undefined && (OUT.includes(last.type) || last.type === 'registered');
}
