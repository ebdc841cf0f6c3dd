// pure · the simulated network: who listens where, how long packets take, what is cut off, and the ports of one machine.
import type { Network } from '../../services/proxy/network/network.ts';
import type { Random } from '../kit/random.ts';
import { Host, type Timeline } from './host.ts';
import { SimulatedSocket } from './socket.ts';

const NO_ROUTE_MS = 3000;
const MAX_RETRANSMISSION_MS = 200;
const MAX_PIECE_BYTES = 32_768;
const READ_BUFFER = Buffer.alloc(MAX_PIECE_BYTES);
// Linux sends a SYN again after 1, 3 and 7 s; nothing here waits for longer.
const SYN_AGAIN_MS = [1000, 2000, 4000];
// RFC 9293, 3.6.1, as Linux has it: the end that closes first keeps its port for so long.
const TIME_WAIT_MS = 60_000;

type Listener = {
  host: Host;
  allowsHalfOpen: boolean;
  /** Takes a new connection at once, or queues it until the process accepts it. */
  onConnection: ((socket: SimulatedSocket) => void) | AcceptQueue;
};

export type Latency = {
  /** Of one way, hundredths of a millisecond. */
  min: number;
  max: number;
  /** The bytes of so many writes in a hundred arrive in pieces. */
  splitPercent: number;
};

/** What dialling fails with while a machine has no descriptors or no local ports left. */
export type DialFault = 'EMFILE' | 'EADDRNOTAVAIL';

/** TCP: what one end sends arrives in order, or the connection is lost. */
export class SimulatedNetwork {
  /** Who has an address. */
  readonly hosts = new Map<string, Host>();
  /** The addresses and pairs of addresses that are cut off, each with what waits until it is reached again. */
  readonly cuts = new Map<string, { from: SimulatedSocket; work: () => void }[]>();
  /** That of the one machine whose local ports and descriptors are limited; null for none. */
  limitedAddress: string | null = null;
  /** How many connections to one address and port it can have. */
  portsPerDestination = Number.POSITIVE_INFINITY;
  /** What every dial of that machine fails with now. */
  dialFault: DialFault | null = null;
  /** When a dial of that machine last failed for want of a port or descriptor. */
  lastDialFaultMs = Number.NEGATIVE_INFINITY;
  /** After so much silence a middlebox forgets a connection that the machine has opened. */
  forgetsAfterMs = Number.POSITIVE_INFINITY;
  /** How often a SYN found an accept queue full. */
  droppedSyns = 0;
  /** How often a middlebox has forgotten a connection. */
  forgotten = 0;
  /** Called for each connection that a machine dials. */
  readonly onDial = new Map<Host, (socket: SimulatedSocket, address: string, port: number) => void>();
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #latency: Latency;
  readonly #listeners = new Map<string, Listener[]>();
  readonly #portsInUse = new Map<string, number>();
  #lastAddress = 0;

  constructor(timeline: Timeline, random: Random, latency: Latency) {
    this.#timeline = timeline;
    this.#random = random;
    this.#latency = latency;
  }

  /** A machine of its own, which runs. */
  addHost(name: string, address: string): Host {
    const host = new Host(name, address, this.#timeline);
    this.attach(host);
    return host;
  }

  attach(host: Host): void {
    this.hosts.set(host.address, host);
  }

  /** Frees the host's address for others. */
  detach(host: Host): void {
    if (this.hosts.get(host.address) === host) this.hosts.delete(host.address);
  }

  /** @returns an address that no host has had yet */
  freeAddress(): string {
    this.#lastAddress += 1;
    return `10.0.3.${this.#lastAddress}`;
  }

  /** Gives a running machine another address; its connections keep the former one, and are lost. */
  move(host: Host, address: string): void {
    this.detach(host);
    for (const socket of host.sockets) {
      socket.isBlackholed = true;
      socket.lostAddress ??= host.address;
    }
    host.address = address;
    this.attach(host);
  }

  listen(host: Host, port: number, allowsHalfOpen: boolean, onConnection: Listener['onConnection']): void {
    const key = `${host.address}:${port}`;
    this.#listeners.set(key, [...(this.#listeners.get(key) ?? []), { host, allowsHalfOpen, onConnection }]);
  }

  stopListening(host: Host): void {
    for (const [key, listeners] of this.#listeners) {
      const others = listeners.filter((listener) => listener.host !== host);
      if (others.length === 0) this.#listeners.delete(key);
      else this.#listeners.set(key, others);
    }
  }

  dial(host: Host, address: string, port: number): SimulatedSocket {
    const local = new SimulatedSocket(this, host, address, false);
    this.onDial.get(host)?.(local, address, port);
    if (host.address === this.limitedAddress && !this.#takePort(local, `${address}:${port}`)) return local;
    this.#carryTo(local, address, () => this.#onSyn(local, address, port, 0));
    return local;
  }

  #takePort(local: SimulatedSocket, destination: string): boolean {
    const used = this.#portsInUse.get(destination) ?? 0;
    const fault = this.dialFault ?? (used >= this.portsPerDestination ? 'EADDRNOTAVAIL' : null);
    if (fault !== null) {
      this.lastDialFaultMs = this.#timeline.nowMs;
      this.#timeline.last(() => local.fail(fault));
      return false;
    }
    this.#portsInUse.set(destination, used + 1);
    const free = (): void =>
      void this.#portsInUse.set(destination, (this.#portsInUse.get(destination) ?? 1) - 1);
    const { onReleased } = local;
    local.onReleased = (isTimeWait) => {
      if (isTimeWait) this.#timeline.after(TIME_WAIT_MS, free);
      else free();
      onReleased?.(isTimeWait);
    };
    local.forgottenAfterMs = this.forgetsAfterMs;
    return true;
  }

  #onSyn(local: SimulatedSocket, address: string, port: number, attempt: number): void {
    if (local.isDestroyed) return;
    if (!this.hosts.has(address)) {
      this.#timeline.after(NO_ROUTE_MS, () => local.fail('EHOSTUNREACH'));
      return;
    }
    const listeners = this.#listeners.get(`${address}:${port}`);
    if (listeners === undefined) {
      this.#carryTo(local, address, () => local.fail('ECONNREFUSED'));
      return;
    }
    const { host, onConnection, allowsHalfOpen } = this.#random.pick(listeners);
    if (onConnection instanceof AcceptQueue && onConnection.isFull) {
      this.droppedSyns += 1;
      const againMs = SYN_AGAIN_MS[attempt];
      if (againMs === undefined) return;
      this.#timeline.after(againMs, () => {
        if (!local.isDestroyed)
          this.#carryTo(local, address, () => this.#onSyn(local, address, port, attempt + 1));
      });
      return;
    }
    const remote = new SimulatedSocket(this, host, local.host.address, allowsHalfOpen);
    local.join(remote);
    this.carry(remote, () => local.onConnected());
    if (onConnection instanceof AcceptQueue) onConnection.push(remote);
    else host.run(() => onConnection(remote));
  }

  /** `work` is the arrival at the peer of something that `from` sends, after everything that it has sent before. */
  carry(from: SimulatedSocket, work: () => void): void {
    this.#forgetIfIdle(from);
    if (from.isBlackholed) return;
    const lostAddress = from.peer?.lostAddress ?? null;
    if (lostAddress === null) this.#carryTo(from, from.peer?.host.address ?? '', work);
    else if (this.hosts.has(lostAddress)) this.#carryTo(from, lostAddress, () => from.onReset());
  }

  #forgetIfIdle(from: SimulatedSocket): void {
    const { peer } = from;
    if (peer === null) return;
    const { nowMs } = this.#timeline;
    const idleMs = nowMs - Math.max(from.lastCarriedMs, peer.lastCarriedMs);
    from.lastCarriedMs = nowMs;
    const limitMs = Math.min(from.forgottenAfterMs, peer.forgottenAfterMs);
    // The first thing that is carried has no silence before it.
    if (idleMs === Number.POSITIVE_INFINITY || idleMs <= limitMs) return;
    this.forgotten += 1;
    from.isBlackholed = true;
    peer.isBlackholed = true;
  }

  #carryTo(from: SimulatedSocket, address: string, work: () => void): void {
    const { nowMs } = this.#timeline;
    const latencyMs = this.#random.between(this.#latency.min, this.#latency.max) / 100;
    const arrivalMs = Math.max(from.lastArrivalMs, nowMs + latencyMs);
    from.lastArrivalMs = arrivalMs;
    this.#timeline.after(arrivalMs - nowMs, () => {
      if (from.isBlackholed) return;
      const held = this.cuts.size === 0 ? undefined : this.#heldBetween(address, from.host.address);
      if (held === undefined) work();
      else held.push({ from, work });
    });
  }

  #heldBetween(one: string, other: string) {
    return this.cuts.get(one) ?? this.cuts.get(other) ?? this.cuts.get(cutOf(one, other));
  }

  /** The bytes in the pieces in which they arrive. */
  split(bytes: Buffer): Buffer[] {
    if (bytes.length > MAX_PIECE_BYTES) {
      const [first, rest] = [bytes.subarray(0, MAX_PIECE_BYTES), bytes.subarray(MAX_PIECE_BYTES)];
      return [...this.split(first), ...this.split(rest)];
    }
    if (bytes.length < 2 || this.#random.between(1, 100) > this.#latency.splitPercent) return [bytes];
    const first = this.#random.between(1, bytes.length - 1);
    const isInTwo = this.#random.between(0, 1) === 0;
    const second = isInTwo ? bytes.length : this.#random.between(first, bytes.length);
    const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
    return pieces.filter(({ length }) => length > 0);
  }

  /** From now on nothing reaches an address or leaves it. @param other only between the two */
  cut(address: string, other?: string): void {
    const key = cutOf(address, other);
    if (!this.cuts.has(key)) this.cuts.set(key, []);
  }

  /** Ends `cut`: what has waited is sent once more. */
  heal(address: string, other?: string): void {
    const key = cutOf(address, other);
    const held = this.cuts.get(key) ?? [];
    this.cuts.delete(key);
    const againMs = this.#random.between(1, MAX_RETRANSMISSION_MS);
    for (const { from, work } of held) {
      from.lastArrivalMs = Math.max(from.lastArrivalMs, this.#timeline.nowMs + againMs);
      this.#timeline.after(againMs, work);
    }
  }

  /** The network as a process on `host` sees it. */
  of(host: Host): Network {
    return {
      connect: (address, port, onConnected, onRead) => {
        const socket = this.dial(host, address, port);
        socket.on('connect', onConnected);
        readInto(socket, onRead);
        return socket;
      },
      listen: async (_host, port, _isShared, accept) => {
        this.listen(host, port, true, (socket) => {
          const receiver = accept(socket);
          if (receiver === null) return;
          readInto(socket, (chunk) => receiver.onRead(chunk));
          socket.on('end', () => receiver.onEnd());
          socket.on('drain', () => receiver.onDrain());
          socket.on('close', () => receiver.onClose());
        });
        // A process that stops listening on one port stops on all.
        return { port, close: () => this.stopListening(host) };
      },
    };
  }
}

function cutOf(address: string, other?: string): string {
  return other === undefined ? address : [address, other].sort().join(' ');
}

// The bytes are the reader's only until it returns: they are overwritten then, so that keeping them shows.
function readInto(socket: SimulatedSocket, onRead: (chunk: Buffer) => void): void {
  socket.on('data', (piece) => {
    piece.copy(READ_BUFFER);
    onRead(READ_BUFFER.subarray(0, piece.length));
    READ_BUFFER.fill(0xff, 0, piece.length);
  });
}

/** The kernel's accept queue of a server that serves one connection at a time. */
export class AcceptQueue {
  readonly #host: Host;
  readonly #backlog: number;
  readonly #serveOne: (connection: SimulatedSocket, done: () => void) => void;
  readonly #waiting: SimulatedSocket[] = [];
  #isServing = false;

  /** @param backlog as in listen(2) */
  constructor(
    host: Host,
    backlog: number,
    serveOne: (connection: SimulatedSocket, done: () => void) => void,
  ) {
    this.#host = host;
    this.#backlog = backlog;
    this.#serveOne = serveOne;
  }

  /** Linux compares with "greater than": one more than the backlog fits. */
  get isFull(): boolean {
    return this.#waiting.length > this.#backlog;
  }

  push(connection: SimulatedSocket): void {
    connection.isAccepted = false;
    this.#waiting.push(connection);
    this.#host.run(() => this.#acceptNext());
  }

  #acceptNext(): void {
    while (!this.#isServing) {
      const connection = this.#waiting.shift();
      if (connection === undefined) return;
      // Its peer has reset it meanwhile: the first read fails, and the server continues.
      if (connection.isDestroyed) continue;
      this.#isServing = true;
      let isDone = false;
      this.#serveOne(connection, () => {
        if (isDone) return;
        isDone = true;
        this.#isServing = false;
        this.#host.runLast(() => this.#acceptNext());
      });
      connection.accept();
    }
  }
}
