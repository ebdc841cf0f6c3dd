// pure · what was observed in a run, indexed once: requests, events of the proxy, hits, phases, tables, and their texts.

import type { EventType } from '../../../services/proxy/status/events.ts';
import type { ProxyEvent, TableSample } from '../../kit/proxy-events.ts';
import { CannotTell } from '../../kit/verdict.ts';
import type { FaultKind } from '../faults/facts.ts';
import type { FaultRecord, Hit, Phase, PhaseName, ProxyView, Recording, RequestRow } from '../journal.ts';
import { isOnProxies, policyOf } from '../plan.ts';
import { AFTERMATH_MS } from './limits.ts';

export type Span = { fromMs: number; toMs: number };
export type FaultHit = {
  fault: FaultRecord;
  hit: Hit;
  /** As the beginning of a line: `6.000 s: kill of server-p1-1`. */
  what: string;
  /** From when on it had happened for certain: what Docker took until then is not the proxy's. */
  struckMs: number;
};
export type ServerHit = FaultHit & {
  hit: { serverId: string; policy: string };
  /** Those of its server, under whatever policy and address, in order. */
  events: Events;
  /** When the same server was hit again; `Infinity` when it was not. */
  nextMs: number;
  /** What happens later is not because of it: it has been healed for long, or the server was hit again. */
  untilMs: number;
  /** What took its server out of rotation because of it. */
  out: ProxyEvent | null;
};
type Rows = readonly RequestRow[];
type Events = readonly ProxyEvent[];

// A client's clock may see the proxy's end a little before the call that ends it was noted.
const BEFORE_OUTAGE_MS = 5;
// From when the proxy listens: its servers register again (2 s at most, and slack).
const AFTER_OUTAGE_MS = 2500;

/** A recording, indexed. Where it lacks what is asked for, methods throw `CannotTell`. */
export class Observations {
  readonly recording: Recording;
  /** Every request that was sent, by intended start; those that the load generator dropped are not among them. */
  readonly sent: Rows;
  /** All hits on servers, by time. */
  readonly serverHits: readonly ServerHit[];
  /** All hits on the proxy, by time. */
  readonly proxyHits: readonly FaultHit[];
  /** When a proxy was not there for its clients, with what it takes to come back. */
  readonly proxyOutages: readonly Span[];
  readonly #listens: ReadonlyMap<string, readonly number[]>;
  readonly #sentByPolicy: ReadonlyMap<string, Rows>;
  readonly #answersByServer: ReadonlyMap<string, Rows>;
  readonly #events: Events;
  readonly #eventsByServer: ReadonlyMap<string, Events>;

  constructor(recording: Recording) {
    this.recording = recording;
    const proxies: ProxyView[] = [recording, ...recording.others];
    this.#listens = new Map(proxies.map(({ proxy, listens }) => [proxy, listens]));
    const sent = recording.requests.filter(({ outcome }) => outcome !== 'dropped');
    this.sent = sent.sort((a, b) => a.dueMs - b.dueMs);
    this.#sentByPolicy = Map.groupBy(sent, ({ policy }) => policy);
    const answered = sent.filter(({ outcome }) => outcome === 'ok' || outcome === 'wrong');
    this.#answersByServer = Map.groupBy(answered, ({ detail }) => detail);
    this.#events = recording.events.toSorted((a, b) => a.boot - b.boot || a.seq - b.seq);
    this.#eventsByServer = Map.groupBy(this.#events, ({ id }) => id);
    const hits = recording.faults
      .flatMap((fault) => fault.hits.map((hit) => faultHit(fault, hit)))
      .sort((a, b) => a.hit.fromMs - b.hit.fromMs);
    this.serverHits = hits.flatMap((each) => this.#serverHit(each, hits) ?? []);
    this.proxyHits = hits.filter(({ hit }) => hit.serverId === null);
    const outages = this.proxyHits.map((each) => ({
      fromMs: each.hit.fromMs,
      toMs: this.listensAgainMs(each),
    }));
    // When proxies are scaled, some are not there until they are scaled back.
    const scalings = recording.faults.filter((fault) => fault.hits.length === 0 && isOnProxies(fault));
    this.proxyOutages = [...outages, ...scalings.map((fault) => this.windowOf(fault))].map(
      ({ fromMs, toMs }) => ({ fromMs: fromMs - BEFORE_OUTAGE_MS, toMs: toMs + AFTER_OUTAGE_MS }),
    );
  }

  /** `sent`, of which there must be some. */
  requireSent(): Rows {
    if (this.sent.length === 0) throw new CannotTell('no request was sent');
    return this.sent;
  }

  /** The requests sent that were due from `fromMs` to `toMs`, both included; of one policy or of all. */
  requestsIn(fromMs: number, toMs: number, policy?: string): Rows {
    return dueIn(policy === undefined ? this.sent : (this.#sentByPolicy.get(policy) ?? []), fromMs, toMs);
  }

  /** As `requestsIn`, of those that a server answered, rightly or wrongly. */
  answersOf(serverId: string, fromMs: number, toMs: number): Rows {
    return dueIn(this.#answersByServer.get(serverId) ?? [], fromMs, toMs);
  }

  /** The requests sent that were due in a phase: its end belongs to the next one. */
  requestsOfPhase({ fromMs, toMs }: Phase): Rows {
    return this.requestsIn(fromMs, toMs).filter(({ dueMs }) => dueMs < toMs);
  }

  /** A phase of the run. */
  phase(name: PhaseName): Phase {
    const phase = this.recording.phases.find((each) => each.name === name);
    if (phase === undefined) throw new CannotTell(`no phase "${name}" was recorded`);
    return phase;
  }

  /** The end of the warm-up, before which nothing but loss is judged; `-Infinity` without one. */
  get warmUpEndMs(): number {
    return this.recording.phases.find(({ name }) => name === 'warm-up')?.toMs ?? Number.NEGATIVE_INFINITY;
  }

  /** The last table sample at or before a moment. */
  tableAt(atMs: number): TableSample {
    const sample = this.recording.tables.findLast((each) => each.atMs <= atMs);
    if (sample === undefined) throw new CannotTell('the policy table was not seen by then');
    return sample;
  }

  /** The hits of some kinds on servers, of which there must be some; the events must have been recorded, too. */
  hitsOf(kinds: readonly FaultKind[]): ServerHit[] {
    this.requireEvents();
    return required(this.serverHits, kinds);
  }

  /** The hits of some kinds on the proxy, of which there must be some. */
  proxyHitsOf(kinds: readonly FaultKind[]): FaultHit[] {
    return required(this.proxyHits, kinds);
  }

  /** Of hits on proxies those on the one whose view this is. */
  ownOf(hits: readonly FaultHit[]): readonly FaultHit[] {
    const { proxy, others } = this.recording;
    return others.length === 0 ? hits : hits.filter(({ hit }) => hit.target === proxy);
  }

  #serverHit(each: FaultHit, all: readonly FaultHit[]): ServerHit | null {
    const { serverId, policy, fromMs, healMs, healedMs } = each.hit;
    if (serverId === null || policy === null) return null;
    const next = all.find(({ hit }) => hit.serverId === serverId && hit.fromMs > fromMs);
    const nextMs = next?.hit.fromMs ?? Number.POSITIVE_INFINITY;
    const untilMs = Math.min((healMs ?? healedMs ?? Number.POSITIVE_INFINITY) + AFTERMATH_MS, nextMs);
    const events = this.eventsOf(serverId);
    const out = firstOut(events, fromMs, untilMs);
    return { ...each, hit: { ...each.hit, serverId, policy }, events, nextMs, untilMs, out };
  }

  /** When the proxy listened again after a hit, and Docker's call had returned; `Infinity` when it never did. */
  listensAgainMs({ hit: { target, fromMs, healMs, healedMs } }: FaultHit): number {
    if (healedMs === null) return Number.POSITIVE_INFINITY;
    const listens = this.#listens.get(target) ?? this.recording.listens;
    const listensMs = listens.find((atMs) => atMs >= (healMs ?? fromMs));
    return Math.max(healedMs, listensMs ?? healedMs);
  }

  /** The policies of a fault's hits and targets; none for the proxy. */
  policiesOf({ hits, targets }: FaultRecord): string[] {
    const ofTargets = targets.map((target) => policyOf(this.recording.plan, target));
    const policies = [...hits.map(({ policy }) => policy), ...ofTargets];
    return [...new Set(policies.filter((policy) => policy !== null))];
  }

  /** From a fault's first call until it was healed, or until the end of the recording. */
  windowOf({ injectMs, healMs, healedMs }: FaultRecord): Span {
    return { fromMs: injectMs, toMs: healedMs ?? healMs ?? this.recording.endedMs };
  }

  /**
   * All events in the order of the proxy. There must be some, unless the table shows that nothing happened: every server
   * was ready in every sample.
   */
  requireEvents(): Events {
    const { tables } = this.recording;
    const isQuiet = tables.every(({ servers }) => servers.every(({ state }) => state === 'ready'));
    if (this.#events.length === 0 && !(isQuiet && tables.length > 0))
      throw new CannotTell('no event of the proxy was recorded');
    return this.#events;
  }

  /** The events of one server, under whatever policy and address, in order. */
  eventsOf(serverId: string): Events {
    return this.#eventsByServer.get(serverId) ?? [];
  }

  /** The replica's name, or the server's id where it is not known. */
  nameOf(serverId: string): string {
    const { names } = this.recording;
    return (Object.hasOwn(names, serverId) ? names[serverId] : undefined) ?? serverId;
  }

  /** One event as a line. */
  describeEvent({ atMs, type, id, why }: ProxyEvent): string {
    return `${moment(atMs)}: ${this.nameOf(id)} ${type}: ${why}`;
  }

  /** One request as a line. */
  describeRequest({ dueMs, policy, outcome, detail, latencyMs, attempts, first }: RequestRow): string {
    const isById = outcome === 'ok' || outcome === 'wrong';
    const end = `${outcome} ${isById ? `by ${this.nameOf(detail)}` : detail} after ${millis(latencyMs)}`;
    const line = `${moment(dueMs)}: policy ${policy}, ${end}`;
    if (first === null) return line;
    return `${line}, attempt 1 of ${attempts}: ${first.outcome} ${first.detail} at ${moment(first.endMs)}`;
  }
}

function required<Each extends FaultHit>(hits: readonly Each[], kinds: readonly FaultKind[]): Each[] {
  const wanted = hits.filter(({ fault }) => kinds.includes(fault.kind));
  if (wanted.length === 0) throw new CannotTell(`no fault of this kind hit anything: ${kinds.join(', ')}`);
  return wanted;
}

function dueIn(rows: Rows, fromMs: number, toMs: number): Rows {
  return rows.filter(({ dueMs }) => dueMs >= fromMs && dueMs <= toMs);
}

function faultHit(fault: FaultRecord, hit: Hit): FaultHit {
  const what = `${moment(hit.fromMs)}: ${fault.kind} of ${hit.target}`;
  return { fault, hit, what, struckMs: hit.struckMs ?? Math.max(hit.fromMs, fault.injectedMs) };
}

/** Answered right, at once: no attempt failed. */
export function wentWell({ outcome, first }: RequestRow): boolean {
  return outcome === 'ok' && (first === null || first.outcome === 'ok');
}

/** When the request ended. */
export function endMsOf({ dueMs, latencyMs }: RequestRow): number {
  return dueMs + latencyMs;
}

/** The greatest latency. */
export function slowestMs(requests: readonly RequestRow[]): number {
  return requests.reduce((max, { latencyMs }) => Math.max(max, latencyMs), 0);
}

/** Whether an attempt was under way at some moment of one of the spans. */
export function overlaps(attempt: { sentMs: number; endMs: number }, spans: readonly Span[]): boolean {
  return spans.some(({ fromMs, toMs }) => attempt.sentMs <= toMs && attempt.endMs >= fromMs);
}

/** Whether a moment lies in one of the spans, their ends included. */
export function isIn(atMs: number, spans: readonly Span[]): boolean {
  return overlaps({ sentMs: atMs, endMs: atMs }, spans);
}

/** Evicted or ejected: taken out for good, or for a penalty. */
export function isEviction({ type }: ProxyEvent): boolean {
  return type === 'evicted' || type === 'ejected';
}

/** The first event of some types in [fromMs, untilMs). */
export function firstOf(events: Events, types: readonly EventType[], fromMs: number, untilMs = Infinity) {
  return events.find(({ type, atMs }) => atMs >= fromMs && atMs < untilMs && types.includes(type)) ?? null;
}

// After one of these a server gets no request before it is admitted again.
const OUT: readonly EventType[] = ['evicted', 'ejected', 'leaving', 'left', 'replaced', 'forgotten'];

/**
 * The first event in [fromMs, untilMs) that took a server out of rotation. A suspect gets no request any more, so when
 * nothing has cleared it before it is taken out, the suspicion counts.
 * @param events of one server
 */
export function firstOut(events: Events, fromMs: number, untilMs: number): ProxyEvent | null {
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
export function wasOutBefore(events: Events, atMs: number): boolean {
  const last = events.findLast((event) => event.atMs < atMs);
  return last !== undefined && (OUT.includes(last.type) || last.type === 'registered');
}

/** `12.345 s`, for a moment of the run. */
export function moment(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(3)} s` : 'never';
}

/** `46.3 ms`, for a length of time. */
export function millis(ms: number): string {
  return Number.isInteger(ms) ? `${ms} ms` : `${Number.isFinite(ms) ? ms.toFixed(1) : '–'} ms`;
}
