// pure · one client request and what has become of it. A small object with fields, made once per request.
// Must never hold a timer, a promise or a closure: deadlines are swept, its life is a few synchronous calls.
import type { Id } from '../shared/packet.ts';
import type { Upstream } from './upstream.ts';

/** Whoever gets the reply: the client's connection. */
export type ReplySink = {
  readonly isClosed: boolean;
  /** Called once for each request, when its `reply` has been set. */
  deliver(request: Request): void;
  /** Writes what was delivered; nothing when there is nothing. */
  flush(): void;
};

export class Request {
  readonly client: ReplySink;
  readonly clientId: Id | undefined;
  readonly policy: string;
  /** The client's own bytes, one character a byte (latin1), so that they can be sent again to another server. */
  readonly wire: string;
  /** Kept only where answers are verified. */
  readonly payload: string | null;
  readonly deadlineMs: number;
  /** When it was handed to the server that has it now, monotonic ms. */
  attemptMs = 0;
  /** Since when it has waited for a server to become ready, monotonic ms; 0 when it does not. */
  heldSinceMs = 0;
  upstream: Upstream | null = null;
  /** The servers that failed it; null until the first has. */
  tried: Upstream[] | null = null;
  /** A server may have executed it. */
  wasSent = false;
  /** The one reply, as latin1, set once. */
  reply: string | null = null;
  /** The same client's next request: replies leave in this order. */
  next: Request | null = null;

  constructor(
    client: ReplySink,
    clientId: Id | undefined,
    policy: string,
    wire: string,
    payload: string | null,
    deadlineMs: number,
  ) {
    this.client = client;
    this.clientId = clientId;
    this.policy = policy;
    this.wire = wire;
    this.payload = payload;
    this.deadlineMs = deadlineMs;
  }

  get isDone(): boolean {
    return this.reply !== null;
  }
}
