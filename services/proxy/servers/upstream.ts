// One registered server as the proxy knows it.
import type { Id } from '../../shared/packet.ts';
import { addressOf } from '../../shared/printable.ts';
import type { Health } from '../health/health.ts';
import type { Request } from '../routing/request.ts';
import { Durations } from './durations.ts';
import type { ProbeOutcome } from './failure.ts';
import { LocalTally, type Tally } from './tally.ts';

const KEPT_PROBES = 50;

/** What a server says of itself, with the address that its connection came from. */
export type Registration = {
  id: Id;
  policy: string;
  host: string;
  port: number;
  keepsAlive: boolean;
  incarnation: string | null;
};

/** `atMs` is ms since the epoch; `detail` a clause about what the server did with the probe, '' where the outcome says all. */
export type ProbeRecord = Readonly<{
  atMs: number;
  outcome: ProbeOutcome;
  roundTripMs: number;
  detail: string;
}>;

export type UpstreamPool = {
  /** A request has had no answer for so long that nothing should be moved here. */
  isSilent(nowMs: number): boolean;
  /** It is silent, and no probe that began after that has passed, which would show that others are served meanwhile. */
  isStuck(nowMs: number): boolean;
  /** Hands a request over; the flusher has it written soon. */
  send(request: Request, nowMs: number): void;
  /**
   * Looks at every connection: ends those that do not get connected and those whose requests all have replies, and reports
   * silence. Called every few milliseconds as long as it returns true.
   * @returns whether anything is under way
   */
  sweep(nowMs: number): boolean;
  /** Takes nothing new: each connection ends when it has nothing left. What has not been sent is reported as broken. */
  retire(): void;
  destroy(): void;
};

/** An operator's order to drain a server; `sinceWallMs` is ms since the epoch. */
export type DrainOrder = { readonly by: string; readonly reason: string; readonly sinceWallMs: number };

/** A connection that may be a server's lease. */
export type LeaseConnection = {
  readonly remoteHost: string;
  /** When the last bytes came, monotonic ms. */
  readonly lastHeardMs: number;
  send(line: string): void;
  /** Ends it as soon as it has nothing left to say. */
  closeWhenIdle(): void;
  destroy(): void;
};

/** A request, as far as a log names it. */
export type NamedRequest = { clientId: Id | undefined; bytes: number };
/** One under which a connection broke, and when, monotonic ms. */
export type Suspect = NamedRequest & { atMs: number };

/**
 * A server of one policy. Written by the health checker: health, stateSinceWallMs, probes, nextProbeMs, answersAs, knownAs,
 * passedMs, brokeUnder; by the pool: capacity, isRetired, answers, slowAnswers; through the traffic, and each second by the
 * history: durations; by the policy table: order; by the registry, its table and its sessions: the rest. Its tally says who
 * writes that. In a worker its copy of the table writes what the keeper has said: health, order, drainOrder.
 */
export class Upstream {
  readonly id: Id;
  readonly policy: string;
  readonly host: string;
  readonly port: number;
  readonly keepsAlive: boolean;
  readonly incarnation: string | null;
  /** `host:port`, with brackets round an IPv6 host. */
  readonly address: string;
  readonly tally: Tally;
  /** The policy as a number or a text, as the server wrote it: it is probed with that. */
  policyAsWritten: Id;
  order: number;
  /** Its place among the servers of its policy when this proxy uses a subset of them: the lowest are in it. */
  rank = 0;
  /** The connection of its session; null without one. */
  lease: LeaseConnection | null = null;
  /** An operator wants it to get nothing new; null when nobody does. Measured health goes on beside it. */
  drainOrder: DrainOrder | null = null;
  /** It asked for a session when it last registered: it is not of the old kind. */
  asksForSession = false;
  pool: UpstreamPool | null = null;

  health: Health;
  stateSinceWallMs: number;
  /** The last ones, at most 50, oldest first. */
  readonly probes: ProbeRecord[] = [];
  /** When the next probe is due, monotonic ms; 0 while one is under way. */
  nextProbeMs = 0;
  /** The id in its answers to probes, as text; null before the first that has one. */
  answersAs: string | null = null;
  /** All ids in its answers to probes that passed: workers behind one port may each have one of their own. */
  readonly knownAs = new Set<string>();
  /** When the last probe that passed had begun, monotonic ms. */
  passedMs = Number.NEGATIVE_INFINITY;

  capacity: number;
  /** Another server has taken its place: it finishes what it has. */
  isRetired = false;
  /** Answers whose time was sampled, and those of them that took longer than an attempt may. */
  answers = 0;
  slowAnswers = 0;
  /** Of the requests that it has answered: from when they came to the proxy. */
  readonly durations = new Durations();
  /** The last request under which one of its connections broke. */
  brokeUnder: Suspect | null = null;

  constructor(
    registration: Registration,
    capacity: number,
    order: number,
    health: Health,
    wallMs: number,
    tally: Tally = new LocalTally(),
  ) {
    this.id = registration.id;
    this.policy = registration.policy;
    this.host = registration.host;
    this.port = registration.port;
    this.keepsAlive = registration.keepsAlive;
    this.incarnation = registration.incarnation;
    this.address = addressOf(registration.host, registration.port);
    this.policyAsWritten = registration.policy;
    this.capacity = capacity;
    this.order = order;
    this.health = health;
    this.stateSinceWallMs = wallMs;
    this.tally = tally;
  }

  get lastProbe(): ProbeRecord | null {
    return this.probes[this.probes.length - 1] ?? null;
  }

  noteProbe(probe: ProbeRecord): void {
    this.probes.push({ ...probe, roundTripMs: Math.round(probe.roundTripMs * 100) / 100 });
    if (this.probes.length > KEPT_PROBES) this.probes.shift();
  }

  /** Before a request is handed over with `send`, or kept with `release`: false when another thread has just taken it. */
  claim(): boolean {
    return this.health.state !== 'trial' || this.tally.claim();
  }

  /** Nothing is handed over, although it was claimed for that. */
  release(): void {
    if (this.health.state === 'trial') this.tally.release();
  }

  /** Hands a request over; every server in rotation was given its pool when it was registered. */
  send(request: Request, nowMs: number): void {
    (this.pool as UpstreamPool).send(request, nowMs);
    this.release();
  }

  get hasSession(): boolean {
    return this.lease !== null;
  }

  /** A server on trial gets one request at a time, one that is retired none. */
  get isFull(): boolean {
    if (this.isRetired) return true;
    const { tally } = this;
    return this.health.state === 'trial' ? tally.awaited > 0 : tally.inFlight >= this.capacity;
  }
}

/** What tells the servers of all policies apart: ids compare as text. */
export function keyOf({ policy, id }: { policy: string; id: Id }): string {
  return JSON.stringify([policy, String(id)]);
}
