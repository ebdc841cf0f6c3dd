// A load balancer begins each connection with a header that says who has connected to it: read before anything else.
import type { BlockList } from 'node:net';
import type { Clock } from '../../../shared/clock.ts';
import { DeadlineQueue } from '../../../shared/deadline-queue.ts';
import type { LimitedLog } from '../../../shared/log.ts';
import { isListed } from '../blocks.ts';
import type { Connection, Network, Receiver } from '../network.ts';
import { plainHost } from '../sources.ts';
import { readProxyHeader } from './proxy-header.ts';

// The protocol asks for at least 3 s, so that a lost packet can be sent once more.
const HEADER_WITHIN_MS = 5_000;
const MAX_WAITING = 1024;
// Where descriptors are few, so many of them.
const SHARE_OF_DESCRIPTORS = 1 / 8;
// A flood of them that is late at the same moment must not hold up all others.
const ENDED_AT_A_TIME = 64;

/** What goes on with a connection: gets what came behind the header, its own only until it returns. */
type OnHeader = (rest: Buffer) => Receiver | null;

export type ProxyHeadersOptions = {
  /** Where the load balancers are. */
  balancers: BlockList;
  /** How many descriptors the process may have open; Infinity where that is not known. */
  descriptors: number;
  clock: Clock;
  /** Gets a line for each connection that is closed for want of a header. */
  log: LimitedLog;
};

/** The connections from load balancers whose headers are not complete yet. */
export class ProxyHeaders {
  readonly #options: ProxyHeadersOptions;
  readonly #maxWaiting: number;
  readonly #queue = new DeadlineQueue<HeaderReader>();
  #waiting = 0;
  #isTimed = false;

  constructor(options: ProxyHeadersOptions) {
    this.#options = options;
    this.#maxWaiting = Math.min(MAX_WAITING, Math.ceil(options.descriptors * SHARE_OF_DESCRIPTORS));
  }

  /** Whether a connection has to begin with a header. */
  isAwaitedOn({ remoteAddress }: Pick<Connection, 'remoteAddress'>): boolean {
    return remoteAddress !== undefined && isListed(this.#options.balancers, plainHost(remoteAddress));
  }

  /** `network`, whose connections from load balancers are handed out once their headers have been read. */
  before(network: Network): Network {
    return {
      ...network,
      listen: (host, port, isShared, accept, onFailure) => {
        const acceptBehind = (socket: Connection): Receiver | null => {
          if (!this.isAwaitedOn(socket)) return accept(socket);
          return this.read(socket, (rest) => {
            const receiver = accept(socket);
            if (rest.length > 0) receiver?.onRead(rest);
            return receiver;
          });
        };
        return network.listen(host, port, isShared, acceptBehind, onFailure);
      },
    };
  }

  /**
   * Takes the header off a new connection; `remoteAddress` is what the header says from then on. Without a header in time
   * the connection is closed.
   * @returns what takes the events of the connection
   */
  read(socket: Connection, onHeader: OnHeader): Receiver {
    const oldest = this.#queue.peek();
    // A balancer may send the header with its client's first bytes (AWS's do): clients that say nothing must not keep out
    // those that do.
    if (this.#waiting >= this.#maxWaiting)
      oldest?.fail(`${this.#maxWaiting} others came before its header did`);
    const deadlineMs = this.#options.clock.now() + HEADER_WITHIN_MS;
    this.#waiting += 1;
    const reader = new HeaderReader(socket, onHeader, deadlineMs, (why) => {
      this.#waiting -= 1;
      if (why === null) return;
      const message = 'connection from a load balancer closed';
      this.#options.log.write({ level: 'warn', message, from: socket.remoteAddress, why });
    });
    this.#queue.push(reader);
    if (!this.#isTimed) this.#endLateIn(HEADER_WITHIN_MS);
    return reader;
  }

  // After a stall of this process what has come meanwhile is read first.
  #endLateIn(ms: number): void {
    this.#isTimed = true;
    const { clock } = this.#options;
    clock.after(ms, () => {
      const asOfMs = clock.now();
      clock.soon(() => this.#endLate(asOfMs));
    });
  }

  #endLate(asOfMs: number): void {
    this.#isTimed = false;
    for (let ended = 0; ended < ENDED_AT_A_TIME && this.#queue.hasExpired(asOfMs); ended += 1) {
      this.#queue.peek()?.fail(`no whole PROXY header came within ${HEADER_WITHIN_MS / 1000} s`);
    }
    const next = this.#queue.peek();
    if (next !== undefined) this.#endLateIn(Math.max(0, next.deadlineMs - asOfMs));
  }
}

class HeaderReader implements Receiver {
  readonly deadlineMs: number;
  isDone = false;
  readonly #socket: Connection;
  readonly #onHeader: OnHeader;
  readonly #onDone: (why: string | null) => void;
  #held: Buffer | null = null;
  #next: Receiver | null = null;

  /** @param onDone called once; with why the connection is closed, or null where that is not worth a line */
  constructor(
    socket: Connection,
    onHeader: OnHeader,
    deadlineMs: number,
    onDone: (why: string | null) => void,
  ) {
    this.#socket = socket;
    this.#onHeader = onHeader;
    this.deadlineMs = deadlineMs;
    this.#onDone = onDone;
  }

  onRead(chunk: Buffer): void {
    if (this.isDone) {
      this.#next?.onRead(chunk);
      return;
    }
    const bytes = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
    const header = readProxyHeader(bytes);
    if (header.kind === 'malformed') this.fail(header.why);
    else if (header.kind === 'partial') this.#held = bytes === chunk ? Buffer.from(chunk) : bytes;
    else {
      this.#done(null);
      if (header.source !== null)
        Object.defineProperty(this.#socket, 'remoteAddress', { value: header.source });
      this.#next = this.#onHeader(bytes.subarray(header.bytes));
    }
  }

  onEnd(): void {
    if (!this.isDone) this.#leave();
    this.#next?.onEnd();
  }

  onDrain(): void {
    this.#next?.onDrain();
  }

  onClose(): void {
    if (!this.isDone) this.#leave();
    this.#next?.onClose();
  }

  /** Closes the connection; `why` is a clause about its peer. */
  fail(why: string | null): void {
    this.#done(why);
    this.#socket.destroy();
  }

  // Who connects and leaves without a word is a health check of the balancer.
  #leave(): void {
    this.fail(this.#held === null ? null : 'it left in the middle of its PROXY header');
  }

  #done(why: string | null): void {
    this.isDone = true;
    this.#held = null;
    this.#onDone(why);
  }
}
