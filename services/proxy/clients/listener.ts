// The well-known port: accepts connections, and ends those that say nothing, take nothing or never finish a packet.
import type { Clock } from '../../shared/clock.ts';
import { IntrusiveSet } from '../../shared/intrusive-set.ts';
import type { LimitedLog, Log } from '../../shared/log.ts';
import { formatError } from '../../shared/packet.ts';
import { LISTENING_SOCKETS, type Places } from '../network/descriptors.ts';
import {
  type Connection,
  claimPort,
  type Listening,
  type Network,
  type Receiver,
} from '../network/network.ts';
import { plainHost } from '../network/sources.ts';
import type { ProxyOptions } from '../options.ts';
import { ClientConnection, type ConnectionContext, type PacketHandlers } from './client-connection.ts';
import { ReadTurns } from './read-turns.ts';
import { SourceLimit } from './source-limit.ts';

// A turn of the loop with nothing to do takes a fraction of this.
const CALM_TURN_MS = 0.05;
// A busy machine may have none that short: for each millisecond waited, so much more is calm enough.
const CALM_GROWS_BY = 0.001;
const CLOSE_WITHIN_MS = 2_000;
const ENDED_AT_A_TIME = 4;
// A connection in a place that is kept back for servers has to register within this time.
const SETUP_WITHIN_MS = 1_000;
// A turn in which the process was not let run says nothing, however long it took.
const TURN_COUNTS_MS = 10;

/** How often `sweep` has to be called. */
export const LISTENER_SWEEP_MS = 250;

export type ListenerOptions = Places &
  Pick<ProxyOptions, 'host' | 'port' | 'maxConnectionsPerSource' | 'idleTimeoutMs' | 'clientTimeoutMs'> & {
    /** A connection with a descriptor from here on is refused; Infinity where there is no such limit. */
    maxDescriptor: number;
  };

export type ListenerWorld = {
  network: Network;
  clock: Clock;
  /** Whether an address is that of a server: `known` is in the table or named by the operator. */
  standingOf(host: string): 'known' | 'unknown' | 'excluded';
  /** Gets a line for each connection that the proxy ends for a reason of its own. */
  log: LimitedLog;
  /** Where other threads listen on the same port. */
  occupancy?: Occupancy | undefined;
};

/** How many connections all threads together have; each notes its own. */
export type Occupancy = {
  readonly clients: number;
  /** Those in the places that are kept back for servers. */
  readonly servers: number;
  note(clients: number, servers: number): void;
};

export type ListenerCounters = {
  /** Connections that were refused because all places, or those of their source, are taken. */
  refusedConnections: number;
  /** Connections that were refused, or lost, because this machine has run out of something. */
  acceptFailures: number;
};

export class Listener {
  readonly #options: ListenerOptions;
  readonly #world: ListenerWorld;
  readonly #handlers: PacketHandlers;
  /** Those that may ask. */
  readonly #clients = new IntrusiveSet<ClientConnection>();
  /** Those in the places that are kept back for servers. */
  readonly #servers = new IntrusiveSet<ClientConnection>();
  readonly #sockets: Listening[] = [];
  readonly #perSource: SourceLimit;
  readonly #context: ConnectionContext;
  /** The port that it listens on; 0 before `open`. */
  port = 0;
  readonly counters: ListenerCounters = { refusedConnections: 0, acceptFailures: 0 };
  #isSweeping = false;
  #acceptedCount = 0;
  #logged: ListenerCounters = { ...this.counters };

  constructor(options: ListenerOptions, world: ListenerWorld, handlers: PacketHandlers) {
    this.#options = options;
    this.#world = world;
    this.#handlers = handlers;
    this.#perSource = new SourceLimit(options.maxConnectionsPerSource);
    const { clock } = world;
    this.#context = { clock, turns: new ReadTurns(clock.soon), handlers, onClosed: this.#forget };
  }

  get connectionCount(): number {
    return this.#clients.size + this.#servers.size;
  }

  /**
   * Starts to accept; rejects with the system's error when the port can't be had.
   * @param claimed a port that this process has for itself already; null claims that of the options
   */
  async open(claimed: number | null = null): Promise<void> {
    const { host, port } = this.#options;
    const { network } = this.#world;
    const accept = (socket: Connection): Receiver | null => this.#accept(socket);
    const onFailure = (): void => {
      this.counters.acceptFailures += 1;
    };
    this.port = claimed ?? (await claimPort(network, host, port, accept, onFailure));
    const isShared = process.platform === 'linux';
    for (let opened = 0; opened < (isShared ? LISTENING_SOCKETS : 1); opened += 1) {
      this.#sockets.push(await network.listen(host, this.port, isShared, accept, onFailure));
    }
  }

  #accept(socket: Connection): Receiver | null {
    this.#acceptedCount += 1;
    // The system gives the lowest number that is free: with this one, so many are open.
    if ((socket.descriptor ?? 0) >= this.#options.maxDescriptor) {
      this.counters.acceptFailures += 1;
      return this.#refuse(socket, 'The proxy has run out of file descriptors: try again later.');
    }
    const overload = this.#overloadFor(socket);
    if (overload !== null && !this.#hasServerPlace(socket)) {
      this.counters.refusedConnections += 1;
      return this.#refuse(socket, overload);
    }
    const connection = new ClientConnection(socket, overload, this.#context);
    if (overload === null) {
      this.#clients.add(connection);
      this.#perSource.add(connection);
    } else {
      this.#servers.add(connection);
    }
    this.#noteCounts();
    return connection;
  }

  // Why a connection can have no place among the clients; null when it can.
  #overloadFor(socket: Connection): string | null {
    const { maxConnections } = this.#options;
    if ((this.#world.occupancy?.clients ?? this.#clients.size) >= maxConnections) {
      return `The proxy has ${maxConnections} connections open and takes no more: try again later.`;
    }
    const source = this.#perSource.fullSource(this.#clients.members, socket);
    if (source === null) return null;
    return `${source} has ${this.#perSource.limit} connections open and gets no more: close some, or try again later.`;
  }

  // Clients must not keep servers from registering. Half of the places are for servers that are known, so that unknown peers
  // that take places and do not register keep out only other unknown peers.
  #hasServerPlace({ remoteAddress }: Connection): boolean {
    const { serverPlaces } = this.#options;
    const taken = this.#world.occupancy?.servers ?? this.#servers.size;
    // Its peer has reset it already.
    if (remoteAddress === undefined || taken >= serverPlaces) return false;
    const standing = this.#world.standingOf(plainHost(remoteAddress));
    return standing === 'known' || (standing === 'unknown' && taken < serverPlaces / 2);
  }

  #refuse(socket: Connection, sentence: string): null {
    const trace = this.#handlers.forwarder.noteRefusal('OVERLOADED', {});
    socket.write(formatError('OVERLOADED', sentence, { trace }), 'utf8');
    // To end it cleanly takes some turns of the loop, in which others come: with a flood that is dozens of descriptors.
    if (socket.writableLength === 0) socket.destroy();
    else socket.end(() => socket.destroy());
    return null;
  }

  readonly #forget = (connection: ClientConnection): void => {
    if (connection.overload === null) {
      this.#clients.delete(connection);
      this.#perSource.delete(connection);
    } else {
      this.#servers.delete(connection);
    }
    this.#noteCounts();
  };

  #noteCounts(): void {
    this.#world.occupancy?.note(this.#clients.size, this.#servers.size);
  }

  /** Refuses packets that take too long, and ends connections that are idle, unless they are sessions, or stuck. */
  sweep(nowMs: number): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#sweepSome(this.#all.values(), nowMs);
  }

  get #all(): ClientConnection[] {
    return [...this.#clients.members, ...this.#servers.members];
  }

  // A flood of them that is due at the same moment must not hold up all others.
  #sweepSome(connections: IterableIterator<ClientConnection>, nowMs: number): void {
    let ended = 0;
    for (const connection of connections) {
      if (this.#endIfDue(connection, nowMs)) ended += 1;
      if (ended < ENDED_AT_A_TIME) continue;
      this.#world.clock.soon(() => this.#sweepSome(connections, nowMs));
      return;
    }
    this.#isSweeping = false;
  }

  #endIfDue(connection: ClientConnection, nowMs: number): boolean {
    const { clientTimeoutMs, idleTimeoutMs } = this.#options;
    const quietMs = quietFor(connection, nowMs);
    const { partialSinceMs, overload, foundMs } = connection;
    const { sessions } = this.#handlers;
    if (partialSinceMs > 0 && nowMs - partialSinceMs >= clientTimeoutMs) {
      this.#noteCut(connection, 'a packet was not complete in time');
      const limit = `${clientTimeoutMs / 1000} s of its first byte`;
      connection.refuseAll('TOO_SLOW', `The packet was not complete within ${limit}: send it in one go.`);
    } else if (connection.isStuck(nowMs, clientTimeoutMs)) {
      this.#noteCut(connection, 'it did not read its replies');
      this.#handlers.forwarder.noteRefusal('TOO_SLOW', {});
      connection.destroy();
    } else if (overload !== null && nowMs - foundMs >= SETUP_WITHIN_MS && !sessions.has(connection)) {
      if (connection.hasSetUp) connection.closeWhenIdle();
      else connection.refuseAll('OVERLOADED', overload);
    } else if (quietMs >= idleTimeoutMs && this.#isIdle(connection)) {
      this.#noteCut(connection, 'nothing came on it');
      connection.destroy();
    } else return false;
    return true;
  }

  #isIdle(connection: ClientConnection): boolean {
    return !connection.isInUse && !this.#handlers.sessions.has(connection);
  }

  #noteCut({ remoteHost: from }: ClientConnection, why: string): void {
    this.#world.log.write({ level: 'debug', message: 'connection ended', from, why });
  }

  /** Logs how many connections could not be let in since the last time; called once a second. */
  logRefused(log: Log): void {
    const failed = this.counters.acceptFailures - this.#logged.acceptFailures;
    const refused = this.counters.refusedConnections - this.#logged.refusedConnections;
    this.#logged = { ...this.counters };
    const open = this.connectionCount;
    if (failed > 0) {
      const message = 'connections could not be accepted: this machine has run out of descriptors or memory';
      log({ level: 'warn', message, count: failed, open });
    }
    if (refused > 0)
      log({ level: 'debug', message: 'connections refused: no place is free', count: refused, open });
  }

  /** Accepts the connections that have been made by now, and then no more, at the latest by then; those that are open stay. */
  async stopAccepting(deadlineMs: number): Promise<void> {
    let waitedMs = 0;
    for (const socket of this.#sockets) {
      let isCalm = false;
      while (!isCalm && waitedMs < CLOSE_WITHIN_MS && this.#world.clock.now() < deadlineMs) {
        const acceptedBefore = this.#acceptedCount;
        const turnMs = await this.#turn();
        isCalm = this.#acceptedCount === acceptedBefore && turnMs < CALM_TURN_MS + waitedMs * CALM_GROWS_BY;
        waitedMs += Math.min(turnMs, TURN_COUNTS_MS);
      }
      socket.close();
    }
  }

  // The kernel resets the connections that still wait in the queue of a socket that closes, and the work of a turn of the loop
  // after it has looked for them makes them more. So a socket closes right after a turn that found none and had nothing
  // to do, and until then requests are refused as before; a flood must not keep it open for ever.
  #turn(): Promise<number> {
    const { clock } = this.#world;
    const beganMs = clock.now();
    return new Promise((resolve) => {
      clock.soon(() => resolve(clock.now() - beganMs));
    });
  }

  /**
   * Closes a share of the clients' connections that have no request and have said nothing for `quietMs`, at least one of them.
   * One that has just come has its first request on the way.
   */
  closeQuiet(nowMs: number, quietMs: number, share: number): void {
    const quiet = this.#clients.members.filter((connection) => {
      const isQuiet = quietFor(connection, nowMs) > quietMs && connection.partialSinceMs === 0;
      return isQuiet && !connection.isClosing && this.#isIdle(connection);
    });
    for (const connection of quiet.slice(0, Math.ceil(quiet.length * share))) connection.closeWhenIdle();
  }

  closeConnections(): void {
    for (const connection of this.#all) connection.closeWhenIdle();
  }

  destroyConnections(): void {
    for (const connection of this.#all) connection.destroy();
  }
}

// For how long nothing has come on it, ms. It may never have been looked at before.
function quietFor(connection: ClientConnection, nowMs: number): number {
  if (connection.foundMs === 0) connection.foundMs = nowMs;
  return nowMs - Math.max(connection.foundMs, connection.lastHeardMs);
}
