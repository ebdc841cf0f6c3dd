// shell · the connections to one server: opened when needed, few, shared by many requests. On the data path.
// Must never keep a connection that missed an answer: what arrives on it late could not be told from the next one.
import { Bag } from './bag.ts';
import type { FailureKind } from './failure.ts';
import type { Flusher } from './flusher.ts';
import type { Network } from './network.ts';
import type { Request } from './request.ts';
import type { Carrier, Upstream } from './upstream.ts';
import { type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts';

/** What the forwarder learns of the traffic to a server. */
export type TrafficObserver = {
  /** It had nothing in flight, and now it has. */
  onBusy(upstream: Upstream): void;
  /** False when the answer is wrong: what follows on its connection may be somebody else's. */
  onAnswer(upstream: Upstream, request: Request, answer: string): boolean;
  onAnswersEnd(upstream: Upstream): void;
  /** A connection is over. `wasConnected` false means that nothing of `unanswered` was sent. */
  onBroken(
    upstream: Upstream,
    failure: FailureKind,
    unanswered: readonly Request[],
    wasConnected: boolean,
  ): void;
};

export type PoolLimits = {
  /** Reusable connections that are kept to one server. */
  connections: number;
  maxFrameBytes: number;
};

export class Pool implements Carrier, ConnectionOwner {
  readonly #upstream: Upstream;
  readonly #limits: PoolLimits;
  readonly #network: Network;
  readonly #flusher: Flusher;
  readonly #observer: TrafficObserver;
  readonly #connections = new Bag<UpstreamConnection>();
  #isRetired = false;

  constructor(
    upstream: Upstream,
    limits: PoolLimits,
    network: Network,
    flusher: Flusher,
    observer: TrafficObserver,
  ) {
    this.#upstream = upstream;
    this.#limits = limits;
    this.#network = network;
    this.#flusher = flusher;
    this.#observer = observer;
  }

  send(request: Request, nowMs: number): void {
    const connection = this.#connectionFor(nowMs);
    request.attemptMs = nowMs;
    request.upstream = this.#upstream;
    this.#upstream.inFlight += 1;
    if (this.#upstream.inFlight === 1) this.#observer.onBusy(this.#upstream);
    this.#upstream.sent += 1;
    this.#flusher.add(connection);
    connection.push(request);
  }

  #connectionFor(nowMs: number): UpstreamConnection {
    if (this.#upstream.keepsAlive) {
      let least: UpstreamConnection | null = null;
      for (const connection of this.#connections.members) {
        if (connection.isStalled) continue;
        if (least === null || connection.inFlight < least.inFlight) least = connection;
      }
      if (least !== null && (least.inFlight === 0 || this.#connections.size >= this.#limits.connections))
        return least;
    }
    const { maxFrameBytes } = this.#limits;
    const opened = new UpstreamConnection(this.#network, this.#upstream, maxFrameBytes, nowMs, this);
    this.#connections.add(opened);
    return opened;
  }

  breakSilent(beforeMs: number, mayGiveUp: (request: Request) => boolean): void {
    for (const connection of [...this.#connections.members]) {
      const isSilent = connection.isConnected && connection.hasSilent(beforeMs, mayGiveUp);
      if (isSilent || connection.isAbandoned) connection.fail('silent');
    }
  }

  breakConnecting(beforeMs: number): void {
    for (const connection of [...this.#connections.members]) {
      if (!connection.isConnected && connection.startedMs < beforeMs) connection.fail('connect-timeout');
    }
  }

  retire(): void {
    this.#isRetired = true;
    for (const connection of [...this.#connections.members]) {
      if (connection.inFlight === 0) this.#end(connection);
      else if (!connection.isConnected) connection.fail('evicted');
    }
  }

  #end(connection: UpstreamConnection): void {
    this.#connections.delete(connection);
    connection.close();
  }

  destroy(): void {
    for (const connection of [...this.#connections.members]) connection.fail('evicted');
  }

  onAnswer(connection: UpstreamConnection, request: Request, answer: string): void {
    this.#upstream.inFlight -= 1;
    if (!connection.isReusable || (this.#isRetired && connection.inFlight === 0)) this.#end(connection);
    // A lie can't be told from an answer that slipped by one place: then all that follow would be wrong too, and one that
    // is right by chance would carry another client's id.
    if (!this.#observer.onAnswer(this.#upstream, request, answer)) connection.fail('distrusted');
  }

  onAnswersEnd(): void {
    this.#observer.onAnswersEnd(this.#upstream);
  }

  onBroken(connection: UpstreamConnection, failure: FailureKind, unanswered: Request[]): void {
    this.#connections.delete(connection);
    this.#upstream.inFlight -= unanswered.length;
    this.#observer.onBroken(this.#upstream, failure, unanswered, connection.isConnected);
  }
}
