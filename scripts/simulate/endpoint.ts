// pure · one end of a simulated TCP connection, with the manners of a `net.Socket`: for the proxy as for its peers.
// Must never deliver out of order, or anything to a process that has closed its end.
import type { DialledConnection } from '../../services/proxy/network/network.ts';
import type { Host } from './host.ts';
import type { SimulatedNetwork } from './network.ts';

// What a kernel takes before a writer has to wait for its reader.
const WINDOW_BYTES = 65_536;
const HIGH_WATER_BYTES = 16_384;

// Made once each: a stack costs more than all else that a simulated error does.
const ERRORS = new Map<string, NodeJS.ErrnoException>();

type Listeners = {
  connect: (() => void)[];
  data: ((chunk: Buffer) => void)[];
  end: (() => void)[];
  drain: (() => void)[];
  error: ((error: NodeJS.ErrnoException) => void)[];
  close: (() => void)[];
};

export class Endpoint implements DialledConnection {
  readonly host: Host;
  remoteAddress: string | undefined;
  writableLength = 0;
  writableEnded = false;
  isDestroyed = false;
  /** Nothing that this end sends arrives any more. */
  isBlackholed = false;
  /** The address that this end was reached at, and that its machine has lost: whoever has it now knows nothing of it. */
  lostAddress: string | null = null;
  /** When the last of what it has sent arrives. */
  lastArrivalMs = 0;
  /** Called with what is written, before it is on its way. */
  onWrite: ((text: string) => void) | null = null;
  /** Called once when the kernel has closed this end; `isTimeWait` when it has closed first, so that its port stays taken. */
  onReleased: ((isTimeWait: boolean) => void) | null = null;
  /** Bytes that the process has read. */
  bytesRead = 0;
  /** After so much silence a middlebox on the way forgets the connection; Infinity where there is none. */
  forgottenAfterMs = Number.POSITIVE_INFINITY;
  /** When something was last on its way, in either direction. */
  lastCarriedMs = Number.NEGATIVE_INFINITY;
  readonly #network: SimulatedNetwork;
  readonly #allowsHalfOpen: boolean;
  readonly #listeners: Listeners = { connect: [], data: [], end: [], drain: [], error: [], close: [] };
  #peer: Endpoint | null = null;
  #isConnected = false;
  #outbox: Buffer[] = [];
  #inbox: Buffer[] = [];
  /** Sent, and not read by the other process yet. */
  #unreadByPeer = 0;
  #isPaused = false;
  #needsDrain = false;
  #hasPeerEnded = false;
  #isEndTold = false;
  #isFinSent = false;
  #isReset = false;
  #isFirstToEnd = false;
  #isAccepted = true;
  #onFinish: (() => void)[] = [];

  constructor(network: SimulatedNetwork, host: Host, remoteAddress: string, allowsHalfOpen: boolean) {
    this.#network = network;
    this.host = host;
    this.remoteAddress = remoteAddress;
    this.#allowsHalfOpen = allowsHalfOpen;
    host.endpoints.add(this);
  }

  /** It stays in the kernel until the process accepts it. */
  awaitAccept(): void {
    this.#isAccepted = false;
  }

  /** The process takes it out of its accept queue. */
  accept(): void {
    this.#isAccepted = true;
    this.host.dealLast(() => this.#read());
  }

  get writableNeedDrain(): boolean {
    return this.#needsDrain;
  }

  get peer(): Endpoint | null {
    return this.#peer;
  }

  on<Event extends keyof Listeners>(event: Event, listener: Listeners[Event][number]): this {
    (this.#listeners[event] as unknown[]).push(listener);
    return this;
  }

  /** Joins two ends; the one that was dialled is connected at once, the other when it is told. */
  join(peer: Endpoint): void {
    this.#peer = peer;
    peer.#peer = this;
    peer.#isConnected = true;
  }

  /** The kernel of the end that has dialled learns that it is connected. */
  onConnected(): void {
    if (this.isDestroyed) return;
    this.#isConnected = true;
    this.host.deal(() => {
      if (this.isDestroyed) return;
      for (const listener of this.#listeners.connect) listener();
      this.#pump();
    });
  }

  write(data: string, encoding: 'latin1' | 'utf8'): boolean {
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
    if (this.writableLength >= HIGH_WATER_BYTES) this.#needsDrain = true;
    return !this.#needsDrain;
  }

  end(...args: [callback?: () => void] | [data: string, callback: () => void]): void {
    if (this.isDestroyed || this.writableEnded) return;
    const [first, second] = args;
    if (typeof first === 'string') this.write(first, 'utf8');
    const callback = typeof first === 'function' ? first : second;
    if (callback !== undefined) this.#onFinish.push(callback);
    this.writableEnded = true;
    this.#pump();
  }

  /** The process closes its end. What it has not read makes that a reset. */
  destroy(): void {
    if (this.isDestroyed) return;
    this.#closeInKernel();
    this.host.dealLast(() => this.#tellClose());
  }

  /** The process is gone, and nobody is told. */
  abandon(): void {
    if (!this.isDestroyed) this.#closeInKernel();
  }

  /** Resets the connection, as a process can ask for. */
  reset(): void {
    if (this.isDestroyed) return;
    this.#inbox.push(Buffer.alloc(0));
    this.destroy();
  }

  #closeInKernel(): void {
    this.isDestroyed = true;
    this.host.endpoints.delete(this);
    const hadUnread = this.#inbox.length > 0;
    const peer = this.#peer;
    this.#outbox = [];
    this.#inbox = [];
    this.writableLength = 0;
    if (peer !== null && !this.#isReset) {
      if (hadUnread) this.#network.carry(this, () => peer.onReset());
      else this.#sendFin(peer);
    }
    this.onReleased?.(this.#isFirstToEnd && !this.#isReset && !hadUnread);
  }

  #sendFin(peer: Endpoint): void {
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
    this.host.dealLast(() => this.#read());
  }

  /** As `reset`: the name that it has in Node. */
  resetAndDestroy(): void {
    this.reset();
  }

  setNoDelay(): void {}

  // A middlebox takes the kernel's own questions for traffic.
  setKeepAlive(isSet: boolean, initialDelayMs: number): void {
    if (isSet && initialDelayMs < this.forgottenAfterMs) this.forgottenAfterMs = Number.POSITIVE_INFINITY;
  }

  /** Dialling has come to nothing, or what the process did is an error. */
  fail(code: string): void {
    if (this.isDestroyed) return;
    this.#closeInKernel();
    this.host.deal(() => this.#tellError(code));
  }

  #pump(): void {
    const peer = this.#peer;
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
    if (this.#needsDrain) {
      this.#needsDrain = false;
      this.host.dealLast(() => {
        if (!this.isDestroyed) for (const listener of this.#listeners.drain) listener();
      });
    }
    if (!this.writableEnded || this.#isFinSent) return;
    this.#sendFin(peer);
    const callbacks = this.#onFinish.splice(0);
    this.host.dealLast(() => {
      for (const callback of callbacks) callback();
      this.#closeIfBothEnded();
    });
  }

  #onArrival(piece: Buffer): void {
    if (this.isDestroyed) {
      const peer = this.#peer as Endpoint;
      this.#network.carry(this, () => peer.onReset());
      return;
    }
    if (this.#isReset) return;
    this.#inbox.push(piece);
    this.host.deal(() => this.#read());
  }

  #onFin(): void {
    if (this.isDestroyed) return;
    this.#hasPeerEnded = true;
    this.host.deal(() => this.#read());
  }

  /** The peer's kernel knows of no such connection. */
  onReset(): void {
    if (this.isDestroyed || this.#isReset) return;
    this.#isReset = true;
    this.#inbox = [];
    this.remoteAddress = undefined;
    this.host.deal(() => {
      if (this.isDestroyed) return;
      this.#closeInKernel();
      this.#tellError('ECONNRESET');
    });
  }

  #tellError(code: string): void {
    for (const listener of this.#listeners.error) listener(errorOf(code));
    this.host.dealLast(() => this.#tellClose());
  }

  #tellClose(): void {
    for (const listener of this.#listeners.close) listener();
  }

  #read(): void {
    if (!this.#isAccepted) return;
    while (!this.#isPaused && !this.isDestroyed && this.#inbox.length > 0) {
      const piece = this.#inbox.shift() as Buffer;
      const peer = this.#peer as Endpoint;
      peer.#unreadByPeer -= piece.length;
      this.bytesRead += piece.length;
      if (peer.#outbox.length > 0) peer.#pump();
      for (const listener of this.#listeners.data) listener(piece);
    }
    // A paused `net.Socket` that has nothing left tells its end all the same.
    const hasReadAll = this.#inbox.length === 0 && !this.isDestroyed;
    if (!this.#hasPeerEnded || !hasReadAll || this.#isEndTold) return;
    this.#isEndTold = true;
    for (const listener of this.#listeners.end) listener();
    if (!this.#allowsHalfOpen) this.end();
    this.#closeIfBothEnded();
  }

  #closeIfBothEnded(): void {
    if (!this.#isEndTold || !this.#isFinSent || this.isDestroyed) return;
    this.#closeInKernel();
    this.host.dealLast(() => this.#tellClose());
  }
}

function errorOf(code: string): NodeJS.ErrnoException {
  const error = ERRORS.get(code) ?? Object.assign(new Error(code), { code });
  ERRORS.set(code, error);
  return error;
}
