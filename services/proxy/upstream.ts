// pure · one registered server as the proxy knows it. Routing reads it, each field has one writer.
// Must never hold sockets or timers: its connections are the pool's, its probes the health checker's.
import { hostAndPort } from '../shared/host-port.ts';
import type { Id } from '../shared/packet.ts';
import type { Health, ProbeOutcome } from './health.ts';
import type { Request } from './request.ts';

/** What a server says of itself, with the address that its connection came from. */
export type Registration = {
  id: Id;
  policy: string;
  host: string;
  port: number;
  keepsAlive: boolean;
  incarnation: string | null;
};

export type ProbeRecord = { atWallMs: number; outcome: ProbeOutcome; roundTripMs: number };

/** Carries requests to one server; the seam between routing and sockets. */
export type Carrier = {
  /** Hands a request over; the flusher has it written soon. */
  send(request: Request, nowMs: number): void;
  /**
   * Gives up on connections with a request that has had no answer since `beforeMs` and may be given up, and on those
   * that nobody waits for any more.
   */
  breakSilent(beforeMs: number, mayGiveUp: (request: Request) => boolean): void;
  /** Gives up on connections that have been connecting since before `beforeMs`. */
  breakConnecting(beforeMs: number): void;
  /** Ends every connection and reports what was on them. */
  destroy(): void;
};

/** A server of one policy. Written by: the health checker (health, lastProbe, answersAs), the pool and the forwarder (counters). */
export class Upstream {
  readonly id: Id;
  readonly policy: string;
  readonly host: string;
  readonly port: number;
  readonly keepsAlive: boolean;
  readonly incarnation: string | null;
  readonly capacity: number;
  /** Place in the order of registration. */
  order: number;

  health: Health;
  stateSinceWallMs: number;
  lastProbe: ProbeRecord | null = null;
  /** The id in its answers to probes, as text; null before the first that has one. */
  answersAs: string | null = null;
  hasSession = false;
  carrier: Carrier | null = null;

  inFlight = 0;
  /** Real requests handed over so far, answered or not; it never goes down. */
  sent = 0;
  served = 0;
  failed = 0;
  /** Real requests that failed since the last one that was answered. */
  failuresInARow = 0;

  /** @param capacity how many requests it may have in flight */
  constructor(registration: Registration, capacity: number, order: number, health: Health, wallMs: number) {
    this.id = registration.id;
    this.policy = registration.policy;
    this.host = registration.host;
    this.port = registration.port;
    this.keepsAlive = registration.keepsAlive;
    this.incarnation = registration.incarnation;
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

  /** A server on trial gets one request at a time. */
  get isFull(): boolean {
    return this.inFlight >= (this.health.state === 'trial' ? 1 : this.capacity);
  }
}

/** `host:port`, with brackets round an IPv6 host. */
export function addressOf(host: string, port: number): string {
  return hostAndPort(host, port);
}
