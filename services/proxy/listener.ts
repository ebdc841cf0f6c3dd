// shell · the well-known port: accepts connections, and ends those that say nothing, take nothing or never finish a packet.
// Must never look into a packet: each connection reads its own.
import type { Clock } from '../shared/clock.ts';
import { formatError } from '../shared/packet.ts';
import { Bag } from './bag.ts';
import { ClientConnection, type ConnectionHandler } from './client-connection.ts';
import type { Connection, Listening, Network, Receiver } from './network.ts';
import { plainHost, sourceOf } from './source.ts';

// A turn of the loop with nothing to do takes a fraction of this.
const CALM_TURN_MS = 0.05;
// A busy machine may have none that short: for each millisecond waited, so much more is calm enough.
const CALM_GROWS_BY = 0.001;
const CLOSE_WITHIN_MS = 2_000;
const ENDED_AT_A_TIME = 4;
// A turn in which the process was not let run tells nothing, however long it took.
const TURN_COUNTS_MS = 10;

export type ListenerOptions = {
  host: string;
  port: number;
  /** Listening sockets on the one port. Node accepts one connection per socket and turn of the loop. */
  sockets: number;
  maxConnections: number;
  /** From one address; 0 for any number. */
  maxConnectionsPerSource: number;
  maxFrameBytes: number;
  /** A started packet must be complete within this time, counted from its first byte. */
  packetTimeoutMs: number;
  /** A connection on which nothing comes for so long is closed. */
  idleTimeoutMs: number;
  /** A connection is cut when replies wait on it and none has gone for so long. */
  sendTimeoutMs: number;
  network: Network;
  clock: Clock;
};

export class Listener {
  readonly #options: ListenerOptions;
  readonly #handler: ConnectionHandler;
  readonly #connections = new Bag<ClientConnection>();
  readonly #sockets: Listening[] = [];
  /** How many connections are from each source; only where that is limited. */
  readonly #perSource = new Map<string, number>();
  #port = 0;
  #isSweeping = false;
  #acceptedCount = 0;

  constructor(options: ListenerOptions, handler: Omit<ConnectionHandler, 'onClosed'>) {
    this.#options = options;
    this.#handler = { ...handler, onClosed: (connection) => this.#forget(connection) };
  }

  /** The port that it listens on; 0 before `open`. */
  get port(): number {
    return this.#port;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Starts to accept; rejects with the system's error when the port can't be had. */
  async open(): Promise<void> {
    const { host, port, sockets, network } = this.#options;
    const accept = (socket: Connection): Receiver | null => this.#accept(socket);
    // A shared port would let two proxies run on it unawares, so ask for it alone first.
    const alone = await network.listen(host, port, false, accept);
    this.#port = alone.port;
    alone.close();
    const isShared = sockets > 1 && process.platform === 'linux';
    for (let opened = 0; opened < (isShared ? sockets : 1); opened += 1) {
      this.#sockets.push(await network.listen(host, this.#port, isShared, accept));
    }
  }

  #accept(socket: Connection): Receiver | null {
    this.#acceptedCount += 1;
    const { maxConnections, maxConnectionsPerSource } = this.#options;
    if (this.#connections.size >= maxConnections) {
      return this.#refuse(
        socket,
        `The proxy has ${maxConnections} connections open and takes no more: try again later.`,
      );
    }
    if (maxConnectionsPerSource === 0) return this.#add(socket, null);
    const { remoteAddress } = socket;
    // Its peer has reset it already.
    if (remoteAddress === undefined) {
      socket.destroy();
      return null;
    }
    const source = sourceOf(plainHost(remoteAddress));
    const count = this.#perSource.get(source) ?? 0;
    if (count >= maxConnectionsPerSource) {
      return this.#refuse(
        socket,
        `${source} has ${count} connections open and gets no more: close some, or try again later.`,
      );
    }
    this.#perSource.set(source, count + 1);
    return this.#add(socket, source);
  }

  #add(socket: Connection, source: string | null): ClientConnection {
    const { maxFrameBytes, clock } = this.#options;
    const connection = new ClientConnection(socket, source, maxFrameBytes, clock, this.#handler);
    this.#connections.add(connection);
    return connection;
  }

  #refuse(socket: Connection, sentence: string): null {
    this.#handler.onRefusal('OVERLOADED');
    socket.end(formatError('OVERLOADED', sentence), () => socket.destroy());
    return null;
  }

  #forget(connection: ClientConnection): void {
    this.#connections.delete(connection);
    const { source } = connection;
    if (source === null) return;
    const left = (this.#perSource.get(source) ?? 1) - 1;
    if (left === 0) this.#perSource.delete(source);
    else this.#perSource.set(source, left);
  }

  /** Refuses packets that take too long, and ends connections that are idle or stuck; `isKept` names those that may be idle. */
  sweep(isKept: (connection: ClientConnection) => boolean): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#sweepSome([...this.#connections.members].values(), isKept);
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
      connection.refuseSlow(packetTimeoutMs);
      return true;
    }
    if (connection.isStuck(nowMs, sendTimeoutMs)) {
      this.#handler.onRefusal('TOO_SLOW');
      connection.socket.destroy();
      return true;
    }
    const isIdle = nowMs - connection.lastHeardMs >= idleTimeoutMs && !connection.isWaitedFor;
    if (!isIdle || isKept(connection)) return false;
    connection.socket.destroy();
    return true;
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
    for (const connection of [...this.#connections.members]) connection.closeWhenIdle();
  }

  /** Cuts every connection. */
  destroyConnections(): void {
    for (const connection of [...this.#connections.members]) connection.socket.destroy();
  }
}
