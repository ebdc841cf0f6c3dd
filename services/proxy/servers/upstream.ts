// pure · one registered server as the proxy knows it. Routing reads it, each field has one writer.
// Must never hold sockets or timers: its connections are the pool's, its probes the health checker's.
import { addressOf } from '../../shared/address-text.ts';
import type { Id } from '../../shared/packet.ts';
import type { Health, ProbeOutcome } from '../health/health.ts';
import type { Request } from '../routing/request.ts';

/** What a server says of itself, with the address that its connection came from. */
export type Registration = {
  id: Id;
  policy: string;
  host: string;
  port: number;
  keepsAlive: boolean;
  incarnation: string | null;
};

/** `detail` is a clause about what the server did with the probe; '' where the outcome says all. */
export type ProbeRecord = { atWallMs: number; outcome: ProbeOutcome; roundTripMs: number; detail: string };

/** Carries requests to one server; the seam between routing and sockets. */
export type Carrier = {
  /** A request has had no answer for so long that nothing should be moved here. */
  isSilent(nowMs: number): boolean;
  /** It is silent, and no probe that began after that has passed, which would show that others are served meanwhile. */
  isStuck(nowMs: number): boolean;
  /** Hands a request over; the flusher has it written soon. */
  send(request: Request, nowMs: number): void;
  /**
   * Looks at every connection: ends those that stay unconnected and those that nobody waits for, and tells of silence.
   * Called every few milliseconds as long as it returns true.
   * @returns whether anything is under way
   */
  sweep(nowMs: number): boolean;
  /**
   * Takes nothing new: each connection ends when it has nothing left, or when its requests are given up. What has not been
   * sent is reported as broken.
   */
  retire(): void;
  /** Ends every connection and reports what was on them. */
  destroy(): void;
};

/** A request that was being worked on when its connection broke. */
export type Suspect = { clientId: Id | undefined; bytes: number; atMs: number };

/** A server of one policy. Written by: the health checker (health, lastProbe, answersAs, knownAs, provenMs), the pool (capacity, isRetired, inFlight, hanging, sent, answers, slowAnswers), the forwarder (the other counters). */
export class Upstream {
  readonly id: Id;
  readonly policy: string;
  readonly host: string;
  readonly port: number;
  readonly keepsAlive: boolean;
  readonly incarnation: string | null;
  /** The policy as a number or a text, as the server wrote it: it is probed with that. */
  policyAsWritten: Id;
  /** How many requests it may have under way. */
  capacity: number;
  /** Place in the order of registration. */
  order: number;

  health: Health;
  stateSinceWallMs: number;
  lastProbe: ProbeRecord | null = null;
  /** The id in its answers to probes, as text; null before the first that has one. */
  answersAs: string | null = null;
  /** All ids in its answers to probes that passed: workers behind one port may each have one of their own. */
  readonly knownAs = new Set<string>();
  /** When the last complete request that it answered as a probe had begun, monotonic ms. */
  provenMs = Number.NEGATIVE_INFINITY;
  hasSession = false;
  /** It asked for a session when it last registered: it is not of the old kind. Written by the registry. */
  asksForSession = false;
  carrier: Carrier | null = null;

  /** Somebody else has taken its place: it finishes what it has. */
  isRetired = false;

  inFlight = 0;
  /** Of those, the ones on silent connections of a server that serves others meanwhile. */
  hanging = 0;
  /** Answers whose time was sampled, and those of them that took longer than an attempt may. */
  answers = 0;
  slowAnswers = 0;
  /** Real requests handed over so far, answered or not; it never goes down. */
  sent = 0;
  served = 0;
  failed = 0;
  /** Real requests that failed since the last one that was answered. */
  failuresInARow = 0;
  /** The last request under which one of its connections broke. */
  brokeUnder: Suspect | null = null;

  /** @param capacity how many requests it may have in flight */
  constructor(registration: Registration, capacity: number, order: number, health: Health, wallMs: number) {
    this.id = registration.id;
    this.policy = registration.policy;
    this.host = registration.host;
    this.port = registration.port;
    this.keepsAlive = registration.keepsAlive;
    this.incarnation = registration.incarnation;
    this.policyAsWritten = registration.policy;
    this.capacity = capacity;
    this.order = order;
    this.health = health;
    this.stateSinceWallMs = wallMs;
  }

  /** `host:port`, with brackets round an IPv6 host. */
  get address(): string {
    return addressOf(this.host, this.port);
  }

  /** Hands a request over; every server in rotation has been given its carrier when it was registered. */
  send(request: Request, nowMs: number): void {
    (this.carrier as Carrier).send(request, nowMs);
  }

  /** A server on trial gets one request at a time, one that is retired none. */
  get isFull(): boolean {
    if (this.isRetired) return true;
    return this.health.state === 'trial' ? this.inFlight > this.hanging : this.inFlight >= this.capacity;
  }
}
