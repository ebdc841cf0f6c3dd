// The leases: registration connections that stay open, with a heartbeat each second in both directions.
import type { LimitedLog } from '../../shared/log.ts';
import {
  formatHeartbeat,
  formatLameDuck,
  type HeartbeatPacket,
  type LeavePacket,
} from '../../shared/packet.ts';
import type { HealthChecker } from '../health/health-checker.ts';
import type { LeaseConnection, Upstream } from '../servers/upstream.ts';

/** How often `beat` has to be called. */
export const HEARTBEAT_MS = 1000;
const MISSED_HEARTBEATS = 3;

export class Sessions {
  readonly #byConnection = new Map<LeaseConnection, Upstream>();
  readonly #checker: Pick<HealthChecker, 'onLeaseLost' | 'onLeave'>;
  readonly #log: LimitedLog;
  #lastBeatMs: number;
  #heartbeat = formatHeartbeat('proxy');

  /** @param log gets a line for each session that begins or ends */
  constructor(nowMs: number, checker: Pick<HealthChecker, 'onLeaseLost' | 'onLeave'>, log: LimitedLog) {
    this.#checker = checker;
    this.#log = log;
    this.#lastBeatMs = nowMs;
  }

  /** Makes `connection` the server's lease; one that it had before ends without blame. */
  open(connection: LeaseConnection, upstream: Upstream): void {
    if (upstream.lease === connection) return;
    this.close(upstream);
    this.#forget(connection);
    this.#byConnection.set(connection, upstream);
    upstream.lease = connection;
    this.#note('session opened', connection, upstream);
  }

  /** The connection registers again, which decides what it is the lease of. @returns what it was the lease of */
  release(connection: LeaseConnection): Upstream | null {
    const upstream = this.#byConnection.get(connection) ?? null;
    this.#forget(connection);
    return upstream;
  }

  /** Ends the server's session from our side, with `lastWords`, a line, if there are any. */
  close(upstream: Upstream, lastWords: string | null = null): void {
    const { lease: connection } = upstream;
    if (connection === null) return;
    this.#forget(connection);
    if (lastWords !== null) connection.send(lastWords);
    connection.closeWhenIdle();
  }

  /** Takes a heartbeat or a leave; false when the connection is no session. */
  onPacket(connection: LeaseConnection, packet: HeartbeatPacket | LeavePacket): boolean {
    const upstream = this.#byConnection.get(connection);
    if (upstream === undefined) return false;
    // A heartbeat needs no note of its own: the connection knows when it was last heard.
    if (packet.kind === 'leave') this.#checker.onLeave(upstream);
    return true;
  }

  /** Whether the connection is some server's lease. */
  has(connection: LeaseConnection): boolean {
    return this.#byConnection.has(connection);
  }

  /** The connection has ended; if it was a lease, the lease is lost. */
  onEnded(connection: LeaseConnection): void {
    const upstream = this.#byConnection.get(connection);
    if (upstream === undefined) return;
    this.#note('session ended', connection, upstream);
    this.#forget(connection);
    this.#checker.onLeaseLost(upstream, 'its session ended');
  }

  /**
   * Sends the heartbeats and finds those that have not echoed.
   * @param nowMs what came before it has been read
   */
  beat(nowMs: number): void {
    // No server can echo what was sent late.
    const lateMs = Math.max(0, nowMs - this.#lastBeatMs - HEARTBEAT_MS);
    this.#lastBeatMs = nowMs;
    const silentBeforeMs = nowMs - MISSED_HEARTBEATS * HEARTBEAT_MS - lateMs;
    for (const [connection, upstream] of [...this.#byConnection]) {
      if (connection.lastHeardMs >= silentBeforeMs) {
        connection.send(this.#heartbeat);
        continue;
      }
      this.#forget(connection);
      connection.destroy();
      this.#checker.onLeaseLost(upstream, `its session missed ${MISSED_HEARTBEATS} heartbeats`);
    }
  }

  /** Tells every server, from now on with each heartbeat, that this proxy will stop soon. */
  announceStop(): void {
    this.#heartbeat = formatLameDuck();
    for (const connection of this.#byConnection.keys()) connection.send(this.#heartbeat);
  }

  closeAll(): void {
    for (const upstream of [...this.#byConnection.values()]) this.close(upstream);
  }

  #note(message: string, { remoteHost: from }: LeaseConnection, { id, policy }: Upstream): void {
    this.#log.write({ level: 'debug', message, policy, id, from });
  }

  #forget(connection: LeaseConnection): void {
    const upstream = this.#byConnection.get(connection);
    if (upstream === undefined) return;
    this.#byConnection.delete(connection);
    upstream.lease = null;
  }
}
