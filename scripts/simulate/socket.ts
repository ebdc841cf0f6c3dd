// pure · one end of a simulated TCP connection, which behaves as a `net.Socket` does: for the proxy and for its peers.
import type { DialledConnection } from '../../services/proxy/network/network.ts';
import { FrameReader } from '../../services/shared/framing.ts';
import type { Host } from './host.ts';
import type { SimulatedNetwork } from './network.ts';

// What a kernel takes before a writer has to wait for its reader.
const WINDOW_BYTES = 65_536;
const HIGH_WATER_BYTES = 16_384;

// Made once each: its stack is most of what a simulated error costs.
const ERRORS = new Map<string, NodeJS.ErrnoException>();

type Events = Record<'connect' | 'end' | 'drain' | 'close', []> & {
  data: [chunk: Buffer];
  error: [error: NodeJS.ErrnoException];
};
type Listeners = { [Event in keyof Events]: ((...values: Events[Event]) => void)[] };

export class SimulatedSocket implements DialledConnection {
  readonly host: Host;
  remoteAddress: string | undefined;
  /** The other end; null until the connection is established. */
  peer: SimulatedSocket | null = null;
  writableLength = 0;
  writableEnded = false;
  writableNeedDrain = false;
  isDestroyed = false;
  /** Bytes that the process has read. */
  bytesRead = 0;
  /** False while the connection waits in the accept queue of a process. */
  isAccepted = true;
  /** Nothing that this end sends arrives any more. */
  isBlackholed = false;
  /** The address of this end that its machine has lost: a machine that has it now knows nothing of the connection. */
  lostAddress: string | null = null;
  /** When the last of what it has sent arrives. */
  lastArrivalMs = 0;
  /** When something was last on its way, in either direction. */
  lastCarriedMs = Number.NEGATIVE_INFINITY;
  /** After so much silence a middlebox on the way forgets the connection. */
  forgottenAfterMs = Number.POSITIVE_INFINITY;
  /** Called with what is written, before it is on its way. */
  onWrite: ((text: string) => void) | null = null;
  /** Called once when the kernel has closed this end; `isTimeWait` when it has closed first and keeps its port. */
  onReleased: ((isTimeWait: boolean) => void) | null = null;
  readonly #network: SimulatedNetwork;
  readonly #allowsHalfOpen: boolean;
  readonly #listeners: Listeners = { connect: [], data: [], end: [], drain: [], error: [], close: [] };
  #isConnected = false;
  #outbox: Buffer[] = [];
  #inbox: Buffer[] = [];
  /** Bytes sent that the other process has not read yet. */
  #unreadByPeer = 0;
  #isPaused = false;
  #hasPeerEnded = false;
  #hasEmittedEnd = false;
  #isFinSent = false;
  #isReset = false;
  #isFirstToEnd = false;
  #onFinish: (() => void)[] = [];

  constructor(network: SimulatedNetwork, host: Host, remoteAddress: string, allowsHalfOpen: boolean) {
    this.#network = network;
    this.host = host;
    this.remoteAddress = remoteAddress;
    this.#allowsHalfOpen = allowsHalfOpen;
    host.sockets.add(this);
  }

  /** The process takes the connection out of its accept queue. */
  accept(): void {
    this.isAccepted = true;
    this.host.runLast(() => this.#read());
  }

  on<Event extends keyof Listeners>(event: Event, listener: Listeners[Event][number]): this {
    (this.#listeners[event] as unknown[]).push(listener);
    return this;
  }

  /** Joins this dialled end with the accepted one, which is connected at once. */
  join(peer: SimulatedSocket): void {
    this.peer = peer;
    peer.peer = this;
    peer.#isConnected = true;
  }

  /** The kernel of the dialled end learns that it is connected. */
  onConnected(): void {
    if (this.isDestroyed) return;
    this.#isConnected = true;
    this.host.run(() => {
      if (this.isDestroyed) return;
      for (const listener of this.#listeners.connect) listener();
      this.#pump();
    });
  }

  write(data: string, encoding: 'latin1' | 'utf8' = 'utf8'): boolean {
    if (this.isDestroyed) return false;
    if (this.writableEnded) {
      this.fail('ERR_STREAM_WRITE_AFTER_END');
      return false;
    }
    this.onWrite?.(data);
    const bytes = Buffer.from(data, encoding);
    this.#outbox.push(bytes);
    this.writableLength += bytes.length;
    this.#pump();
    if (this.writableLength >= HIGH_WATER_BYTES) this.writableNeedDrain = true;
    return !this.writableNeedDrain;
  }

  end(...args: [callback?: () => void] | [data: string, callback: () => void]): void {
    if (this.isDestroyed || this.writableEnded) return;
    const [first, second] = args;
    if (typeof first === 'string') this.write(first);
    const callback = typeof first === 'function' ? first : second;
    if (callback !== undefined) this.#onFinish.push(callback);
    this.writableEnded = true;
    this.#pump();
  }

  /** The process closes its end: with a reset when it has left something unread. */
  destroy(): void {
    if (this.isDestroyed) return;
    this.abandon();
    this.host.runLast(() => this.#emitClose());
  }

  /** As `destroy`, always with a reset. */
  resetAndDestroy(): void {
    if (this.isDestroyed) return;
    this.#inbox.push(Buffer.alloc(0));
    this.destroy();
  }

  /** The kernel closes this end without an event: its process is gone. */
  abandon(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.host.sockets.delete(this);
    const hadUnread = this.#inbox.length > 0;
    const { peer } = this;
    this.#outbox = [];
    this.#inbox = [];
    this.writableLength = 0;
    if (peer !== null && !this.#isReset) {
      if (hadUnread) this.#network.carry(this, () => peer.onReset());
      else this.#sendFin(peer);
    }
    this.onReleased?.(this.#isFirstToEnd && !this.#isReset && !hadUnread);
  }

  #sendFin(peer: SimulatedSocket): void {
    if (this.#isFinSent) return;
    this.#isFinSent = true;
    this.#isFirstToEnd = !this.#hasPeerEnded;
    this.#network.carry(this, () => peer.#onFin());
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.host.runLast(() => this.#read());
  }

  setNoDelay(): void {}

  // A middlebox takes the kernel's own probes for traffic.
  setKeepAlive(isSet: boolean, initialDelayMs: number): void {
    if (isSet && initialDelayMs < this.forgottenAfterMs) this.forgottenAfterMs = Number.POSITIVE_INFINITY;
  }

  /** Dialling has failed, or what the process did is an error. */
  fail(code: string): void {
    if (this.isDestroyed) return;
    this.abandon();
    this.host.run(() => this.#emitError(code));
  }

  #pump(): void {
    const { peer } = this;
    if (!this.#isConnected || peer === null || this.isDestroyed) return;
    while (this.#outbox.length > 0 && this.#unreadByPeer < WINDOW_BYTES) {
      const bytes = this.#outbox.shift() as Buffer;
      this.writableLength -= bytes.length;
      this.#unreadByPeer += bytes.length;
      for (const piece of this.#network.split(bytes)) {
        this.#network.carry(this, () => peer.#onArrival(piece));
      }
    }
    if (this.#outbox.length > 0) return;
    if (this.writableNeedDrain) {
      this.writableNeedDrain = false;
      this.host.runLast(() => {
        if (!this.isDestroyed) for (const listener of this.#listeners.drain) listener();
      });
    }
    if (!this.writableEnded || this.#isFinSent) return;
    this.#sendFin(peer);
    const callbacks = this.#onFinish.splice(0);
    this.host.runLast(() => {
      for (const callback of callbacks) callback();
      this.#closeIfBothEnded();
    });
  }

  #onArrival(piece: Buffer): void {
    if (this.isDestroyed) {
      const peer = this.peer as SimulatedSocket;
      this.#network.carry(this, () => peer.onReset());
      return;
    }
    if (this.#isReset) return;
    this.#inbox.push(piece);
    this.host.run(() => this.#read());
  }

  #onFin(): void {
    if (this.isDestroyed) return;
    this.#hasPeerEnded = true;
    this.host.run(() => this.#read());
  }

  /** A reset arrives: the peer's kernel knows of no such connection. */
  onReset(): void {
    if (this.isDestroyed || this.#isReset) return;
    this.#isReset = true;
    this.#inbox = [];
    this.remoteAddress = undefined;
    this.host.run(() => {
      if (this.isDestroyed) return;
      this.abandon();
      this.#emitError('ECONNRESET');
    });
  }

  #emitError(code: string): void {
    const error = ERRORS.get(code) ?? Object.assign(new Error(code), { code });
    ERRORS.set(code, error);
    for (const listener of this.#listeners.error) listener(error);
    this.host.runLast(() => this.#emitClose());
  }

  #emitClose(): void {
    for (const listener of this.#listeners.close) listener();
  }

  #read(): void {
    if (!this.isAccepted) return;
    while (!this.#isPaused && !this.isDestroyed && this.#inbox.length > 0) {
      const piece = this.#inbox.shift() as Buffer;
      const peer = this.peer as SimulatedSocket;
      peer.#unreadByPeer -= piece.length;
      this.bytesRead += piece.length;
      if (peer.#outbox.length > 0) peer.#pump();
      for (const listener of this.#listeners.data) listener(piece);
    }
    // A paused `net.Socket` that has nothing left to read emits its end all the same.
    const hasReadAll = this.#inbox.length === 0 && !this.isDestroyed;
    if (!this.#hasPeerEnded || !hasReadAll || this.#hasEmittedEnd) return;
    this.#hasEmittedEnd = true;
    for (const listener of this.#listeners.end) listener();
    if (!this.#allowsHalfOpen) this.end();
    this.#closeIfBothEnded();
  }

  #closeIfBothEnded(): void {
    if (this.#hasEmittedEnd && this.#isFinSent) this.destroy();
  }
}

/** Calls `onPacket` with each packet that arrives, parsed, unless `isOver`. @returns what knows of text that is no packet */
export function readPackets<Packet>(
  socket: SimulatedSocket,
  onPacket: (packet: Packet) => void,
  isOver = (): boolean => false,
): FrameReader {
  const reader = new FrameReader();
  socket.on('data', (chunk) => {
    reader.feed(chunk);
    while (!isOver() && reader.next())
      onPacket(JSON.parse(reader.bytes.toString('utf8', reader.start, reader.end)));
  });
  return reader;
}
