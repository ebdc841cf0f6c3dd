// pure · the simulated network: who listens where, how long things take, and what is cut off.
// Must never lose or reorder what one end has sent while the connection stands: it is TCP.
import type { DialledConnection, Listening, Network } from '../../services/proxy/network/network.ts';
import type { Random } from '../kit/random.ts';
import { AcceptQueue } from './accept-queue.ts';
import { Endpoint } from './endpoint.ts';
import type { Host } from './host.ts';
import { LocalMachine } from './local-machine.ts';
import type { Timeline } from './timeline.ts';

const WELL_KNOWN_PORT = 10_000;
const NO_ROUTE_MS = 3000;
const MAX_RETRANSMISSION_MS = 200;
const MAX_PIECE_BYTES = 32_768;
const READ_BUFFER = Buffer.alloc(MAX_PIECE_BYTES);

// Linux asks again after 1, 3 and 7 s; nothing here waits for longer.
const SYN_AGAIN_MS = [1000, 2000, 4000];

type Listener = {
  host: Host;
  allowsHalfOpen: boolean;
  /** Takes a new connection at once, or has it wait to be accepted. */
  onConnection: ((endpoint: Endpoint) => void) | AcceptQueue;
};
type Held = { from: Endpoint; work: () => void };

export type Latency = {
  /** Of one way, hundredths of a millisecond. */
  min: number;
  max: number;
  /** Of so many writes in a hundred the bytes arrive in pieces. */
  splitPercent: number;
};

export class SimulatedNetwork {
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #latency: Latency;
  readonly #hosts = new Map<string, Host>();
  readonly #listeners = new Map<string, Listener[]>();
  /** What waits for an address that is cut off to be reached again. */
  readonly #cuts = new Map<string, Held[]>();
  #lastAddress = 0;
  /** The machine of `limitedHost`, whose ports and descriptors can run out. */
  readonly machine: LocalMachine;
  limitedHost: Host | null = null;
  /** After so much silence a middlebox forgets a connection that `limitedHost` has opened. */
  forgetsAfterMs = Number.POSITIVE_INFINITY;
  /** How often a SYN found an accept queue full. */
  droppedSyns = 0;
  /** How often a middlebox has forgotten a connection. */
  forgotten = 0;
  /** Called for each connection that somebody opens. */
  onDial: ((endpoint: Endpoint, address: string, port: number) => void) | null = null;

  /** @param portsPerDestination how many connections to one address and port `limitedHost` can have */
  constructor(
    timeline: Timeline,
    random: Random,
    latency: Latency,
    portsPerDestination = Number.POSITIVE_INFINITY,
  ) {
    this.#timeline = timeline;
    this.#random = random;
    this.#latency = latency;
    this.machine = new LocalMachine(portsPerDestination, (ms, work) => timeline.after(ms, work));
  }

  attach(host: Host): void {
    this.#hosts.set(host.address, host);
  }

  /** Frees the host's address for others. */
  detach(host: Host): void {
    if (this.#hosts.get(host.address) === host) this.#hosts.delete(host.address);
  }

  hostAt(address: string): Host | undefined {
    return this.#hosts.get(address);
  }

  /** An address that nobody has had yet. */
  freeAddress(): string {
    this.#lastAddress += 1;
    return `10.0.3.${this.#lastAddress}`;
  }

  /** Gives a machine that runs another address; its connections still have the former one, and are lost. */
  move(host: Host, address: string): void {
    this.detach(host);
    for (const endpoint of host.endpoints) {
      endpoint.isBlackholed = true;
      endpoint.lostAddress ??= host.address;
    }
    host.address = address;
    this.attach(host);
  }

  /** Stops a killed host from listening. */
  stopListening(host: Host): void {
    for (const [key, listeners] of this.#listeners) {
      const others = listeners.filter((listener) => listener.host !== host);
      if (others.length === 0) this.#listeners.delete(key);
      else this.#listeners.set(key, others);
    }
  }

  listen(
    host: Host,
    port: number,
    allowsHalfOpen: boolean,
    onConnection: Listener['onConnection'],
  ): () => void {
    const key = `${host.address}:${port}`;
    const listener: Listener = { host, allowsHalfOpen, onConnection };
    this.#listeners.set(key, [...(this.#listeners.get(key) ?? []), listener]);
    return () => {
      const others = (this.#listeners.get(key) ?? []).filter((other) => other !== listener);
      if (others.length === 0) this.#listeners.delete(key);
      else this.#listeners.set(key, others);
    };
  }

  dial(host: Host, address: string, port: number): Endpoint {
    const local = new Endpoint(this, host, address, false);
    this.onDial?.(local, address, port);
    if (host === this.limitedHost && !this.#takesPort(local, `${address}:${port}`)) return local;
    this.#carryTo(local, address, () => this.#onSyn(local, address, port, 0));
    return local;
  }

  #takesPort(local: Endpoint, destination: string): boolean {
    const fault = this.machine.take(destination, this.#timeline.nowMs);
    if (fault !== null) {
      this.#timeline.last(() => local.fail(fault));
      return false;
    }
    const told = local.onReleased;
    local.onReleased = (isTimeWait) => {
      this.machine.release(destination, isTimeWait);
      told?.(isTimeWait);
    };
    local.forgottenAfterMs = this.forgetsAfterMs;
    return true;
  }

  #onSyn(local: Endpoint, address: string, port: number, attempt: number): void {
    if (local.isDestroyed) return;
    const target = this.#hosts.get(address);
    if (target === undefined) {
      this.#timeline.after(NO_ROUTE_MS, () => local.fail('EHOSTUNREACH'));
      return;
    }
    const listeners = this.#listeners.get(`${address}:${port}`);
    if (listeners === undefined) {
      this.#carryTo(local, address, () => local.fail('ECONNREFUSED'));
      return;
    }
    const { onConnection, allowsHalfOpen } = this.#random.pick(listeners);
    if (onConnection instanceof AcceptQueue && onConnection.isFull) {
      this.#dropSyn(local, address, port, attempt);
      return;
    }
    const remote = new Endpoint(this, target, local.host.address, allowsHalfOpen);
    local.join(remote);
    this.carry(remote, () => local.onConnected());
    if (onConnection instanceof AcceptQueue) {
      remote.awaitAccept();
      onConnection.push(remote);
      return;
    }
    target.deal(() => {
      if (!remote.isDestroyed) onConnection(remote);
    });
  }

  #dropSyn(local: Endpoint, address: string, port: number, attempt: number): void {
    this.droppedSyns += 1;
    const againMs = SYN_AGAIN_MS[attempt];
    if (againMs === undefined) return;
    this.#timeline.after(againMs, () => {
      if (local.isDestroyed) return;
      this.#carryTo(local, address, () => this.#onSyn(local, address, port, attempt + 1));
    });
  }

  /** Has something that `from` sends arrive at its peer, after everything that it has sent before. */
  carry(from: Endpoint, work: () => void): void {
    this.#forgetIfIdle(from);
    if (from.isBlackholed) return;
    const lostAddress = from.peer?.lostAddress ?? null;
    if (lostAddress === null) this.#carryTo(from, from.peer?.host.address ?? '', work);
    else if (this.#hosts.has(lostAddress)) this.#carryTo(from, lostAddress, () => from.onReset());
  }

  #forgetIfIdle(from: Endpoint): void {
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

  #carryTo(from: Endpoint, address: string, work: () => void): void {
    const { nowMs } = this.#timeline;
    const arrivalMs = Math.max(from.lastArrivalMs, nowMs + this.#latencyMs());
    from.lastArrivalMs = arrivalMs;
    this.#timeline.after(arrivalMs - nowMs, () => {
      if (from.isBlackholed) return;
      const held = this.#cuts.get(address) ?? this.#cuts.get(from.host.address);
      if (held === undefined) work();
      else held.push({ from, work });
    });
  }

  #latencyMs(): number {
    return this.#random.between(this.#latency.min, this.#latency.max) / 100;
  }

  /** The bytes in the pieces in which they arrive. */
  split(bytes: Buffer): Buffer[] {
    if (bytes.length > MAX_PIECE_BYTES) {
      return [
        ...this.split(bytes.subarray(0, MAX_PIECE_BYTES)),
        ...this.split(bytes.subarray(MAX_PIECE_BYTES)),
      ];
    }
    if (bytes.length < 2 || this.#random.between(1, 100) > this.#latency.splitPercent) return [bytes];
    const first = this.#random.between(1, bytes.length - 1);
    if (this.#random.between(0, 1) === 0) return [bytes.subarray(0, first), bytes.subarray(first)];
    const second = this.#random.between(first, bytes.length);
    return [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)].filter(
      ({ length }) => length > 0,
    );
  }

  /** Nothing gets to an address or away from it. */
  cut(address: string): void {
    if (!this.#cuts.has(address)) this.#cuts.set(address, []);
  }

  isCut(address: string): boolean {
    return this.#cuts.has(address);
  }

  /** It is reached again; what has waited is sent once more. */
  heal(address: string): void {
    const held = this.#cuts.get(address) ?? [];
    this.#cuts.delete(address);
    const againMs = this.#random.between(1, MAX_RETRANSMISSION_MS);
    for (const { from, work } of held) {
      from.lastArrivalMs = Math.max(from.lastArrivalMs, this.#timeline.nowMs + againMs);
      this.#timeline.after(againMs, work);
    }
  }

  /** The network as a process on `host` sees it. */
  of(host: Host): Network {
    return {
      connect: (address, port, onConnected, onRead): DialledConnection => {
        const endpoint = this.dial(host, address, port);
        endpoint.on('connect', onConnected);
        readInto(endpoint, onRead);
        return endpoint;
      },
      listen: async (_host, port, _isShared, accept): Promise<Listening> => {
        const actualPort = port === 0 ? WELL_KNOWN_PORT : port;
        const close = this.listen(host, actualPort, true, (endpoint) => {
          const receiver = accept(endpoint);
          if (receiver === null) return;
          readInto(endpoint, (chunk) => receiver.onRead(chunk));
          endpoint.on('end', () => receiver.onEnd());
          endpoint.on('drain', () => receiver.onDrain());
          endpoint.on('close', () => receiver.onClose());
        });
        return { port: actualPort, close };
      },
    };
  }
}

// The bytes are the reader's only until it returns: what it keeps of them would be gone.
function readInto(endpoint: Endpoint, onRead: (chunk: Buffer) => void): void {
  endpoint.on('data', (piece) => {
    piece.copy(READ_BUFFER);
    onRead(READ_BUFFER.subarray(0, piece.length));
    READ_BUFFER.fill(0xff, 0, piece.length);
  });
}
