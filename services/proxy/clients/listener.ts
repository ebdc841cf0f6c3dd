// shell · the well-known port: accepts connections, and ends those that say nothing, take nothing or never finish a packet.
// Must never look into a packet: each connection reads its own.
import type { Clock } from '../../shared/clock.ts';
import type { Line } from '../../shared/log.ts';
import { formatError } from '../../shared/packet.ts';
import type { Connection, Listening, Network, Receiver } from '../network/network.ts';
import { Bag } from '../servers/bag.ts';
import { ClientConnection, type ConnectionHandler } from './client-connection.ts';
import { ReadTurns } from './read-turns.ts';
import { plainHost } from './source.ts';
import { SourceLimit } from './source-limit.ts';

// A turn of the loop with nothing to do takes a fraction of this.
const CALM_TURN_MS = 0.05;
// A busy machine may have none that short: for each millisecond waited, so much more is calm enough.
const CALM_GROWS_BY = 0.001;
const CLOSE_WITHIN_MS = 2_000;
const ENDED_AT_A_TIME = 4;
// Who takes a place that is kept back for servers has to register within this time.
const SETUP_WITHIN_MS = 1_000;
// A turn in which the process was not let run tells nothing, however long it took.
const TURN_COUNTS_MS = 10;

export type ListenerOptions = {
  host: string;
  port: number;
  /** Listening sockets on the one port. Node accepts one connection per socket and turn of the loop. */
  sockets: number;
  maxConnections: number;
  /** Of those from one address; 0 for nine tenths. */
  maxConnectionsPerSource: number;
  /** Connections above `maxConnections`, which may only register servers; half of them are for known servers. */
  serverPlaces: number;
  /** Who has a descriptor from here on is refused; Infinity where there is no such limit. */
  maxDescriptor: number;
  /** A started packet must be complete within this time, counted from its first byte. */
  packetTimeoutMs: number;
  /** A connection on which nothing comes for so long is closed. */
  idleTimeoutMs: number;
  /** A connection is cut when replies wait on it and none has gone for so long. */
  sendTimeoutMs: number;
  network: Network;
  clock: Clock;
};

/** Whether an address is that of a server: `known` is in the table or named by the operator. */
type Standing = 'known' | 'unknown' | 'excluded';

export type ListenerHandler = Omit<ConnectionHandler, 'onClosed'> & {
  standingOf(host: string): Standing;
  /** The proxy ends a connection for a reason of its own. */
  onCut(connection: ClientConnection, why: string): void;
};

export type ListenerCounters = {
  /** Connections that were refused because all places, or those of their source, are taken. */
  refusedConnections: number;
  /** Connections that were refused, or lost, because this machine has run out of something. */
  acceptFailures: number;
};

export class Listener {
  readonly #options: ListenerOptions;
  readonly #handler: ConnectionHandler & ListenerHandler;
  /** Those that may ask. */
  readonly #clients = new Bag<ClientConnection>();
  /** Those in the places that are kept back for servers. */
  readonly #servers = new Bag<ClientConnection>();
  readonly #sockets: Listening[] = [];
  readonly #perSource: SourceLimit;
  readonly #turns: ReadTurns;
  readonly counters: ListenerCounters = { refusedConnections: 0, acceptFailures: 0 };
  #port = 0;
  #isSweeping = false;
  #acceptedCount = 0;
  #toldFailures = 0;
  #toldRefused = 0;

  constructor(options: ListenerOptions, handler: ListenerHandler) {
    this.#options = options;
    this.#perSource = new SourceLimit(options.maxConnectionsPerSource, options.maxConnections);
    this.#turns = new ReadTurns(options.clock.soon);
    this.#handler = { ...handler, onClosed: (connection) => this.#forget(connection) };
  }

  /** The port that it listens on; 0 before `open`. */
  get port(): number {
    return this.#port;
  }

  get connectionCount(): number {
    return this.#clients.size + this.#servers.size;
  }

  /** Starts to accept; rejects with the system's error when the port can't be had. */
  async open(): Promise<void> {
    const { host, port, sockets, network } = this.#options;
    const accept = (socket: Connection): Receiver | null => this.#accept(socket);
    const onFailure = (): void => {
      this.counters.acceptFailures += 1;
    };
    // A shared port would let two proxies run on it unawares, so ask for it alone first.
    const alone = await network.listen(host, port, false, accept, onFailure);
    this.#port = alone.port;
    alone.close();
    const isShared = sockets > 1 && process.platform === 'linux';
    for (let opened = 0; opened < (isShared ? sockets : 1); opened += 1) {
      this.#sockets.push(await network.listen(host, this.#port, isShared, accept, onFailure));
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
    const { clock } = this.#options;
    const connection = new ClientConnection(socket, overload, clock, this.#turns, this.#handler);
    if (overload === null) {
      this.#clients.add(connection);
      this.#perSource.add(connection);
    } else {
      this.#servers.add(connection);
    }
    return connection;
  }

  // Why a connection can have no place among the clients; null when it can.
  #overloadFor(socket: Connection): string | null {
    const { maxConnections } = this.#options;
    if (this.#clients.size >= maxConnections) {
      return `The proxy has ${maxConnections} connections open and takes no more: try again later.`;
    }
    const source = this.#perSource.fullSource(this.#clients.members, socket);
    if (source === null) return null;
    return `${source} has ${this.#perSource.limit} connections open and gets no more: close some, or try again later.`;
  }

  // Clients must not keep servers from registering. Half of the places are for servers that are known, so that strangers
  // who take places and do not register keep out nobody but other strangers.
  #hasServerPlace({ remoteAddress }: Connection): boolean {
    const { serverPlaces } = this.#options;
    // Its peer has reset it already.
    if (remoteAddress === undefined || this.#servers.size >= serverPlaces) return false;
    const standing = this.#handler.standingOf(plainHost(remoteAddress));
    return standing === 'known' || (standing === 'unknown' && this.#servers.size < serverPlaces / 2);
  }

  #refuse(socket: Connection, sentence: string): null {
    this.#handler.onRefusal('OVERLOADED');
    socket.write(formatError('OVERLOADED', sentence), 'utf8');
    // To end it in good order takes some turns of the loop, in which others come: with a flood that is dozens of descriptors.
    if (socket.writableLength === 0) socket.destroy();
    else socket.end(() => socket.destroy());
    return null;
  }

  #forget(connection: ClientConnection): void {
    if (connection.overload === null) {
      this.#clients.delete(connection);
      this.#perSource.delete(connection);
    } else {
      this.#servers.delete(connection);
    }
  }

  /** Refuses packets that take too long, and ends connections that are idle or stuck; `isKept` names those that may be idle. */
  sweep(isKept: (connection: ClientConnection) => boolean): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#sweepSome(this.#all.values(), isKept);
  }

  get #all(): ClientConnection[] {
    return [...this.#clients.members, ...this.#servers.members];
  }

  // A flood of them that is due at the same moment must not hold up everybody else.
  #sweepSome(
    connections: IterableIterator<ClientConnection>,
    isKept: (connection: ClientConnection) => boolean,
  ): void {
    const nowMs = this.#options.clock.now();
    let ended = 0;
    for (const connection of connections) {
      if (this.#isEnded(connection, nowMs, isKept)) ended += 1;
      if (ended < ENDED_AT_A_TIME) continue;
      this.#options.clock.soon(() => this.#sweepSome(connections, isKept));
      return;
    }
    this.#isSweeping = false;
  }

  #isEnded(
    connection: ClientConnection,
    nowMs: number,
    isKept: (connection: ClientConnection) => boolean,
  ): boolean {
    const { packetTimeoutMs, idleTimeoutMs, sendTimeoutMs } = this.#options;
    if (connection.partialSinceMs > 0 && nowMs - connection.partialSinceMs >= packetTimeoutMs) {
      this.#handler.onCut(connection, 'a packet was not complete in time');
      connection.refuseSlow(packetTimeoutMs);
      return true;
    }
    if (connection.isStuck(nowMs, sendTimeoutMs)) {
      this.#handler.onCut(connection, 'it did not read its replies');
      this.#handler.onRefusal('TOO_SLOW');
      connection.socket.destroy();
      return true;
    }
    if (
      connection.overload !== null &&
      nowMs - connection.acceptedMs >= SETUP_WITHIN_MS &&
      !isKept(connection)
    ) {
      if (connection.hasSetUp) connection.closeWhenIdle();
      else connection.refuseOverloaded();
      return true;
    }
    const isIdle = nowMs - connection.lastHeardMs >= idleTimeoutMs && !connection.isWaitedFor;
    if (!isIdle || isKept(connection)) return false;
    this.#handler.onCut(connection, 'nothing came on it');
    connection.socket.destroy();
    return true;
  }

  /** Says how many connections could not be let in since the last time; called once a second. */
  tellRefused(log: (line: Line) => void): void {
    const { acceptFailures, refusedConnections } = this.counters;
    const failed = acceptFailures - this.#toldFailures;
    const refused = refusedConnections - this.#toldRefused;
    this.#toldFailures = acceptFailures;
    this.#toldRefused = refusedConnections;
    const open = this.connectionCount;
    if (failed > 0) {
      const message = 'connections could not be accepted: this machine has run out of descriptors or memory';
      log({ level: 'warn', message, count: failed, open });
    }
    if (refused > 0)
      log({ level: 'debug', message: 'connections refused: no place is free', count: refused, open });
  }

  /** Accepts whoever has connected by now, and then nobody any more, at the latest by then; what is connected stays. */
  async stopAccepting(deadlineMs: number): Promise<void> {
    let waitedMs = 0;
    for (const socket of this.#sockets) {
      let isCalm = false;
      while (!isCalm && waitedMs < CLOSE_WITHIN_MS && this.#options.clock.now() < deadlineMs) {
        const acceptedBefore = this.#acceptedCount;
        const turnMs = await this.#turn();
        isCalm = this.#acceptedCount === acceptedBefore && turnMs < CALM_TURN_MS + waitedMs * CALM_GROWS_BY;
        waitedMs += Math.min(turnMs, TURN_COUNTS_MS);
      }
      socket.close();
    }
  }

  // The kernel resets whoever still waits in the queue of a socket that closes, and whatever a turn of the loop has to do
  // after it has looked for them makes them more. So a socket closes right after a turn that found nobody and had nothing
  // to do, and until then everybody is told as before; a flood must not keep it open for ever.
  #turn(): Promise<number> {
    const { clock } = this.#options;
    const beganMs = clock.now();
    return new Promise((resolve) => {
      clock.soon(() => resolve(clock.now() - beganMs));
    });
  }

  /** Ends every connection once it has had its replies. */
  closeConnections(): void {
    for (const connection of this.#all) connection.closeWhenIdle();
  }

  /** Cuts every connection. */
  destroyConnections(): void {
    for (const connection of this.#all) connection.socket.destroy();
  }
}
