// pure · what happened to the servers, numbered and dated: the last 1,000 for whoever comes late.
// Must never be called per request, or wait for a listener.
import type { Id } from '../shared/packet.ts';
import type { Upstream } from './upstream.ts';

const KEPT_EVENTS = 1000;

export type EventType =
  | 'registered'
  | 'admitted'
  | 'suspect'
  | 'evicted'
  | 'ejected'
  | 'trial'
  | 'leaving'
  | 'left'
  | 'replaced'
  | 'forgotten';

export type ClusterEvent = Readonly<{
  /** Counts up by one from 1; a gap means that events were missed. */
  seq: number;
  /** Milliseconds since the Unix epoch. */
  atMs: number;
  type: EventType;
  policy: string;
  id: Id;
  address: string;
  /** The cause, in words. */
  why: string;
  /**
   * How many real requests had been handed to this entry of the table. An entry that is out of the rotation gets none,
   * so this does not change between its eviction and its next event; `registered` begins a new entry at 0.
   */
  sent: number;
}>;

export class EventLog {
  readonly #events: ClusterEvent[] = [];
  readonly #listeners = new Set<(event: ClusterEvent) => void>();
  readonly #wallNow: () => number;
  #lastSeq = 0;

  constructor(wallNow: () => number) {
    this.#wallNow = wallNow;
  }

  /** Records an event and tells everybody who listens. */
  add(type: EventType, { policy, id, address, sent }: Upstream, why: string): void {
    this.#lastSeq += 1;
    const event = Object.freeze({
      seq: this.#lastSeq,
      atMs: this.#wallNow(),
      type,
      policy,
      id,
      address,
      why,
      sent,
    });
    this.#events.push(event);
    if (this.#events.length > KEPT_EVENTS) this.#events.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** The events that are still kept and came after `seq`, oldest first. */
  since(seq: number): readonly ClusterEvent[] {
    return this.#events.filter((event) => event.seq > seq);
  }

  /** Calls `listener` with every event from now on; the function returned ends that. */
  listen(listener: (event: ClusterEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
