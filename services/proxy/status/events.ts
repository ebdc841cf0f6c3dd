// What happened to the servers, numbered and dated: the last 1,000 are kept, and a bounded number about one that flaps.
import type { Id } from '../../shared/packet.ts';
import { type Because, CAUSES, type Cause, type Evidence } from '../health/cause.ts';
import { keyOf, type Upstream } from '../servers/upstream.ts';

const KEPT_EVENTS = 1000;
// One that flaps must not push out what happened to the others.
const KEPT_OF_ONE_SERVER = 200;
const WINDOW_MS = 10_000;
// A server that is restarted, frozen or cut off again and again comes to a handful in this time.
const RECORDED_IN_WINDOW = 40;

export type EventType = StateEventType | OrderEventType;

/** By order of an operator; what is measured of the server goes on beside it. */
type OrderEventType = 'drained' | 'resumed' | 'probe-ordered';

export type StateEventType =
  | 'registered'
  | 'admitted'
  | 'standby'
  | 'suspect'
  | 'evicted'
  | 'ejected'
  | 'trial'
  | 'leaving'
  | 'left'
  | 'replaced'
  | 'forgotten';

/** Who has ordered something, and what for, in their own words. */
export type Order = Readonly<{ by: string; reason: string }>;

export type ClusterEvent = Readonly<{
  /** Counts up by one from 1; a gap means that events are no longer kept. */
  seq: number;
  atMs: number;
  type: EventType;
  policy: string;
  id: Id;
  address: string;
  cause: Cause;
  /** The cause in words. */
  why: string;
  evidence: Evidence;
  /**
   * How many real requests had been handed to this entry of the table. An entry that is out of the rotation gets none,
   * so this does not change between its eviction and its next event; `registered` begins a new entry at 0.
   */
  sent: number;
}>;

/** What an event is about, before it has its number and its time. */
type Happening = Omit<ClusterEvent, 'seq' | 'atMs'>;

/** These end what there is of a server, or begin an outage that lasts: they are never left out. */
const NEVER_LEFT_OUT: ReadonlySet<EventType> = new Set([
  'evicted',
  'ejected',
  'forgotten',
  'leaving',
  'left',
  'drained',
  'resumed',
]);
const IN_ROTATION: ReadonlySet<EventType> = new Set(['admitted', 'trial']);

export class EventLog {
  readonly boot: string;
  /** How many changes each cause has had, those included that are left out of the events. */
  readonly transitions = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;
  readonly #events: ClusterEvent[] = [];
  readonly #kept = new Map<string, number>();
  readonly #flows = new Map<string, EventFlow>();
  readonly #listeners = new Set<(event: ClusterEvent) => void>();
  readonly #wallNow: () => number;
  #lastSeq = 0;

  /** @param boot names this start of the proxy, and no other */
  constructor(wallNow: () => number, boot = Math.trunc(wallNow()).toString(36)) {
    this.#wallNow = wallNow;
    this.boot = boot;
  }

  /** Records an event and hands it to every listener, unless there are too many about this server. */
  add(
    type: EventType,
    { policy, id, address, tally }: Upstream,
    { cause, why, evidence }: Because,
    sent = tally.sent,
  ): void {
    // An ordered probe changes nothing by itself.
    if (type !== 'probe-ordered') this.transitions[cause] += 1;
    const nowMs = this.#wallNow();
    const key = keyOf({ policy, id });
    let flow = this.#flows.get(key);
    if (flow === undefined) {
      flow = new EventFlow(nowMs);
      this.#flows.set(key, flow);
    } else if (flow.isOver(nowMs)) {
      this.#record(key, flow.nextWindow(nowMs), nowMs);
    }
    this.#record(key, flow.take({ type, policy, id, address, cause, why, evidence, sent }), nowMs);
  }

  /** Called each second or so: says how many events were left out of windows that are over. */
  nextSecond(): void {
    const nowMs = this.#wallNow();
    for (const [key, flow] of this.#flows) {
      if (!flow.isOver(nowMs)) continue;
      this.#record(key, flow.nextWindow(nowMs), nowMs);
      if (flow.isIdle) this.#flows.delete(key);
    }
  }

  #record(key: string, happening: Happening | null, atMs: number): void {
    if (happening === null) return;
    this.#lastSeq += 1;
    const event = Object.freeze({ seq: this.#lastSeq, atMs, ...happening });
    const kept = this.#kept.get(key) ?? 0;
    if (kept >= KEPT_OF_ONE_SERVER) {
      this.#drop(this.#events.findIndex((event) => keyOf(event) === key));
    } else if (this.#events.length >= KEPT_EVENTS) {
      this.#drop(0);
    }
    this.#events.push(event);
    this.#kept.set(key, (this.#kept.get(key) ?? 0) + 1);
    for (const listener of this.#listeners) listener(event);
  }

  #drop(at: number): void {
    const [event] = this.#events.splice(at, 1);
    if (event === undefined) return;
    const key = keyOf(event);
    const left = (this.#kept.get(key) ?? 1) - 1;
    if (left === 0) this.#kept.delete(key);
    else this.#kept.set(key, left);
  }

  /** The events that are still kept and came after `seq`, oldest first. */
  since(seq: number): readonly ClusterEvent[] {
    return this.#events.slice(this.#events.findLastIndex((event) => event.seq <= seq) + 1);
  }

  /** As a reader of the stream names it: numbers begin anew with each start of the proxy. */
  idOf({ seq }: ClusterEvent): string {
    return `${this.boot}-${seq}`;
  }

  /** The number of the event that a reader has seen last; 0 when it is of another start of the proxy, or of none. */
  seqOf(id: string | string[] | undefined): number {
    const [, boot, seq] = /^(.*)-(\d{1,15})$/.exec(String(id)) ?? [];
    return boot === this.boot && Number(seq) <= this.#lastSeq ? Number(seq) : 0;
  }

  /** Calls `listener` with every event from now on; the function returned ends that. */
  listen(listener: (event: ClusterEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The events about one server. */
class EventFlow {
  #windowEndsMs: number;
  #recorded = 0;
  #leftOut = 0;
  /** The last that was left out, when none was recorded after it. */
  #pending: Happening | null = null;
  /** The last recorded event says that it is out of the rotation. */
  #isShownOut = false;

  constructor(nowMs: number) {
    this.#windowEndsMs = nowMs + WINDOW_MS;
  }

  /**
   * An event happened. Too many in this window, and short absences are left out, in pairs: what is recorded is always true
   * about who is in the rotation, but for absences that are over within the window.
   * @returns what to record; null to leave it out
   */
  take(happening: Happening): Happening | null {
    const isIn = IN_ROTATION.has(happening.type);
    const isRecorded =
      this.#recorded < RECORDED_IN_WINDOW || NEVER_LEFT_OUT.has(happening.type) || (isIn && this.#isShownOut);
    if (!isRecorded) {
      this.#leftOut += 1;
      this.#pending = happening;
      return null;
    }
    return this.#pass(happening, this.#leftOut);
  }

  /**
   * Begins a new window when the old one is over.
   * @returns the last event that was left out, with how many others were; null when there is none
   */
  nextWindow(nowMs: number): Happening | null {
    this.#windowEndsMs = nowMs + WINDOW_MS;
    this.#recorded = 0;
    return this.#pending === null ? null : this.#pass(this.#pending, this.#leftOut - 1);
  }

  /** Whether its window is over; a clock that was set back ends it too. */
  isOver(nowMs: number): boolean {
    return nowMs >= this.#windowEndsMs || nowMs < this.#windowEndsMs - WINDOW_MS;
  }

  get isIdle(): boolean {
    return this.#recorded === 0;
  }

  #pass(happening: Happening, leftOut: number): Happening {
    this.#recorded += 1;
    this.#leftOut = 0;
    this.#pending = null;
    this.#isShownOut = !IN_ROTATION.has(happening.type);
    if (leftOut === 0) return happening;
    return {
      ...happening,
      why: `${happening.why}; ${leftOut} events about it before this one were left out`,
    };
  }
}
