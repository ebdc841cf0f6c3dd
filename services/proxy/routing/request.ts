// One client request and what has become of it: a small object with fields, made once per request. On the data path.
import type { Id } from '../../shared/packet.ts';
import type { PolicyTraffic } from '../metrics/traffic.ts';
import { FAILURE_KINDS, LACK_LASTS_MS } from '../servers/failure.ts';
import type { Sharer } from './waiting/fair-queue.ts';

/** The client's connection, as a request knows it. */
export type ReplySink = Sharer & {
  readonly isClosed: boolean;
  /** Notes a request's place in the order of the replies. Called once for each request, before `deliver`. */
  expect(request: Request): void;
  /** Called once for each request, when its `reply` has been set. */
  deliver(request: Request): void;
  /** Writes what was delivered; nothing when there is nothing. */
  flush(): void;
};

/** A server, as a request knows it. */
export type TriedServer = { readonly id: Id };

/** Why a request is sent once more: how its attempt failed, or what became of a request before it on the same connection. */
export type RetryReason = (typeof RETRY_REASONS)[number];
export const RETRY_REASONS = [...FAILURE_KINDS, 'behind-broken', 'behind-silent'] as const;

/**
 * What has gone wrong with a request so far: kept apart, since nearly all have none of it. Written by the retries, and by
 * the routes where it is handed over.
 */
export class Trouble {
  /** When it was first handed to a server, monotonic ms. */
  readonly firstAttemptMs: number;
  /** The servers that it must not be sent to any more. */
  tried: TriedServer[] = [];
  /** Where it should not go next, as long as another server can take it. */
  avoid: TriedServer | null = null;
  /** How often it was handed to a server. */
  attempts = 1;
  /** The servers that may have worked on it and have not answered. */
  exposedTo: TriedServer[] = [];
  /** How many connections have broken on which it was not the first without an answer. */
  breaks = 0;
  /** How often it was sent to another server because a request before it was silent. */
  moves = 0;
  /** Where the last of those moves has taken it; null before the first. */
  movedTo: TriedServer | null = null;
  /** Where it waits behind a silent request: not to be sent there once more while others can take it. */
  leftBehind: TriedServer[] = [];
  /** A reused connection to this server broke before its answer began, and it was sent once more for that. */
  staleOn: TriedServer | null = null;
  /** It gets connections of its own: one that it was on has broken, or it is being hedged. */
  isAlone = false;
  /** It has had its second attempt because the first was silent. */
  isHedged = false;
  /** The next hand-over is a retry, which its policy's budget has to pay for. */
  isRetry = false;
  /** Its last hand-over that its policy's budget has paid for, `atMs` monotonic; null before the first. */
  payment: { readonly to: TriedServer; readonly atMs: number } | null = null;
  /** Why it is to be sent once more; null when that has been counted. */
  reason: RetryReason | null = null;
  /** When the proxy itself had last run out of something as it was to be sent, monotonic ms; null for never. */
  lackedMs: number | null = null;
  /** Of `tried`, those that it was not sent to for that. */
  unreached: TriedServer[] = [];

  constructor(firstAttemptMs: number) {
    this.firstAttemptMs = firstAttemptMs;
  }

  get exposures(): number {
    return this.exposedTo.length;
  }

  /** After a while the servers that only the proxy's own lack has kept it from may be tried again. */
  forgetLack(nowMs: number): void {
    if (this.lackedMs === null || nowMs - this.lackedMs < LACK_LASTS_MS) return;
    const { unreached } = this;
    this.tried = this.tried.filter((server) => !unreached.includes(server));
    this.unreached = [];
  }
}

export class Request {
  readonly client: ReplySink;
  readonly clientId: Id | undefined;
  readonly policy: string;
  /**
   * The client's own bytes, one character a byte (latin1), so that they can be sent again to another server. Written by the
   * tracing, where it is on and the request is traced.
   */
  wire: string;
  /** Kept only where answers are verified. */
  readonly payload: string | null;
  readonly deadlineMs: number;
  /** Where its end is counted; null for what is no request of a client's. */
  traffic: PolicyTraffic | null = null;
  /** When it was last handed to a server, monotonic ms. */
  attemptMs = 0;
  /** Since when it has waited for a server to become ready, monotonic ms; 0 when it does not. */
  heldSinceMs = 0;
  /** The server that it was last handed to. */
  upstream: TriedServer | null = null;
  /** On how many connections it is, without an answer yet. Written by the pools. */
  placements = 0;
  trouble: Trouble | null = null;
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

  /** The servers that it must not be sent to any more; null when there is none. */
  get tried(): readonly TriedServer[] | null {
    return this.trouble === null ? null : this.trouble.tried;
  }

  get isDone(): boolean {
    return this.reply !== null;
  }
}
