// shell · the leases: registration connections that stay open, with a heartbeat each second in both directions.
// Must never judge a server: an ended or silent session makes it suspect, and the health checker decides.
import { formatHeartbeat, type HeartbeatPacket, type LeavePacket } from '../../shared/packet.ts';
import type { ClientConnection } from '../clients/client-connection.ts';
import type { Upstream } from '../servers/upstream.ts';

const MISSED_HEARTBEATS = 3;

export type SessionObserver = {
  onLeaseLost(upstream: Upstream, why: string): void;
  onLeave(upstream: Upstream): void;
};

export class Sessions {
  readonly #byConnection = new Map<ClientConnection, Upstream>();
  readonly #byUpstream = new Map<Upstream, ClientConnection>();
  readonly #heartbeatMs: number;
  readonly #now: () => number;
  readonly #observer: SessionObserver;
  #lastBeatMs: number;

  constructor(heartbeatMs: number, now: () => number, observer: SessionObserver) {
    this.#heartbeatMs = heartbeatMs;
    this.#now = now;
    this.#observer = observer;
    this.#lastBeatMs = now();
  }

  /** Makes `connection` the server's lease; one that it had before ends without blame. */
  open(connection: ClientConnection, upstream: Upstream): void {
    if (this.#byUpstream.get(upstream) === connection) return;
    this.close(upstream);
    this.#forget(connection);
    this.#byConnection.set(connection, upstream);
    this.#byUpstream.set(upstream, connection);
    upstream.hasSession = true;
  }

  /** The connection registers again: whatever it was the lease of is decided by that. @returns what it was the lease of */
  release(connection: ClientConnection): Upstream | null {
    const upstream = this.#byConnection.get(connection) ?? null;
    this.#forget(connection);
    return upstream;
  }

  /** Ends the server's session from our side, with `lastWords`, a line, if there are any. */
  close(upstream: Upstream, lastWords: string | null = null): void {
    const connection = this.#byUpstream.get(upstream);
    if (connection === undefined) return;
    this.#forget(connection);
    if (lastWords !== null) connection.send(lastWords);
    connection.closeWhenIdle();
  }

  /** Takes a heartbeat or a leave; false when the connection is no session. */
  onPacket(connection: ClientConnection, packet: HeartbeatPacket | LeavePacket): boolean {
    const upstream = this.#byConnection.get(connection);
    if (upstream === undefined) return false;
    // A heartbeat needs no note of its own: the connection knows when it was last heard.
    if (packet.kind === 'leave') this.#observer.onLeave(upstream);
    return true;
  }

  /** Whether the connection is some server's lease. */
  has(connection: ClientConnection): boolean {
    return this.#byConnection.has(connection);
  }

  /** The connection has ended; if it was a lease, the lease is lost. */
  onEnded(connection: ClientConnection): void {
    const upstream = this.#byConnection.get(connection);
    if (upstream === undefined) return;
    this.#forget(connection);
    this.#observer.onLeaseLost(upstream, 'its session ended');
  }

  /** Sends the heartbeats and finds those that have not echoed; called once per heartbeat interval. */
  beat(): void {
    const nowMs = this.#now();
    // Nobody can echo what was sent late.
    const lateMs = Math.max(0, nowMs - this.#lastBeatMs - this.#heartbeatMs);
    this.#lastBeatMs = nowMs;
    const silentBeforeMs = nowMs - MISSED_HEARTBEATS * this.#heartbeatMs - lateMs;
    for (const [connection, upstream] of [...this.#byConnection]) {
      if (connection.lastHeardMs >= silentBeforeMs) {
        connection.send(formatHeartbeat('proxy'));
        continue;
      }
      this.#forget(connection);
      connection.socket.destroy();
      this.#observer.onLeaseLost(upstream, `its session missed ${MISSED_HEARTBEATS} heartbeats`);
    }
  }

  /** Ends every session. */
  closeAll(): void {
    for (const upstream of [...this.#byUpstream.keys()]) this.close(upstream);
  }

  #forget(connection: ClientConnection): void {
    const upstream = this.#byConnection.get(connection);
    if (upstream === undefined) return;
    this.#byConnection.delete(connection);
    this.#byUpstream.delete(upstream);
    upstream.hasSession = false;
  }
}
