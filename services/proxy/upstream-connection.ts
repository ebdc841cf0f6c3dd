// shell · one TCP connection to a server: requests out, answers in, in the same order.
// Must never decide where a request goes next: it reports what came back or what broke to its owner.
import { FrameReader } from '../shared/framing.ts';
import type { BagMember } from './bag.ts';
import { type FailureKind, failureOf } from './failure.ts';
import type { DialledConnection, Network } from './network.ts';
import type { Request } from './request.ts';

export type ConnectionOwner = {
  /** An answer arrived; `answer` is the server's own bytes as latin1, ending in `\n`. */
  onAnswer(connection: UpstreamConnection, request: Request, answer: string): void;
  /** All answers of one chunk have been handed over. */
  onAnswersEnd(): void;
  /** The connection is over; `unanswered` were on it, oldest first. Called once. */
  onBroken(connection: UpstreamConnection, failure: FailureKind, unanswered: Request[]): void;
};

/**
 * Carries requests to one server. A reusable connection pipelines them and joins what is written until the flusher's next turn;
 * the other kind carries one request, reads one answer and closes.
 */
export class UpstreamConnection implements BagMember {
  place = -1;
  readonly isReusable: boolean;
  readonly #socket: DialledConnection;
  readonly #owner: ConnectionOwner;
  readonly #reader: FrameReader;
  readonly #queue: (Request | null)[] = [];
  #head = 0;
  #unwritten = '';
  #isConnected = false;
  #isOver = false;
  /** When connecting began, monotonic ms. */
  readonly startedMs: number;

  constructor(
    network: Network,
    { host, port, keepsAlive }: { host: string; port: number; keepsAlive: boolean },
    maxFrameBytes: number,
    nowMs: number,
    owner: ConnectionOwner,
  ) {
    this.isReusable = keepsAlive;
    this.startedMs = nowMs;
    this.#owner = owner;
    this.#reader = new FrameReader(maxFrameBytes);
    this.#socket = network.connect(
      host,
      port,
      () => {
        this.#isConnected = true;
      },
      (chunk) => this.#read(chunk),
    );
    this.#socket.on('error', (error: NodeJS.ErrnoException) =>
      this.fail(failureOf(error.code, this.#isConnected)),
    );
    this.#socket.on('end', () => this.fail('closed'));
    this.#socket.on('close', () => this.fail('closed'));
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** How many requests on it have no answer yet. */
  get inFlight(): number {
    return this.#queue.length - this.#head;
  }

  /** Its oldest request was given up, so the answers behind it may never come: nothing new may join them. */
  get isStalled(): boolean {
    return this.#queue[this.#head]?.isDone === true;
  }

  /** Whether a request on it has had no answer since `beforeMs` and may be given up. */
  hasSilent(beforeMs: number, mayGiveUp: (request: Request) => boolean): boolean {
    for (let at = this.#head; at < this.#queue.length; at += 1) {
      const request = this.#queue[at] as Request;
      if (request.attemptMs >= beforeMs) return false;
      if (!request.isDone && mayGiveUp(request)) return true;
    }
    return false;
  }

  /** Nobody waits any more for what is on it. */
  get isAbandoned(): boolean {
    if (!this.isStalled) return false;
    for (let at = this.#head; at < this.#queue.length; at += 1) {
      if (this.#queue[at]?.isDone !== true) return false;
    }
    return true;
  }

  /** Adds a request to what the next `flush` writes. */
  push(request: Request): void {
    this.#queue.push(request);
    this.#unwritten += request.wire;
  }

  /** True when `flush` has something to write. */
  get hasUnwritten(): boolean {
    return this.#unwritten !== '';
  }

  /** Writes all requests that have gathered, in one go. */
  flush(): void {
    if (this.#unwritten === '' || this.#isOver) return;
    const wire = this.#unwritten;
    this.#unwritten = '';
    this.#socket.write(wire, 'latin1');
  }

  /** Ends the connection at once and reports what was on it. Later calls do nothing. */
  fail(failure: FailureKind): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    this.#owner.onBroken(this, failure, this.#queue.slice(this.#head) as Request[]);
  }

  /** Ends an idle connection without reporting it. */
  close(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#isOver) return;
    const reader = this.#reader;
    reader.feed(chunk);
    while (!this.#isOver && reader.next()) {
      const request = this.#take();
      if (request === null) {
        // More answers than requests: whatever comes next could reach the wrong client.
        this.fail('garbled');
        break;
      }
      this.#owner.onAnswer(this, request, reader.line());
    }
    if (reader.fault !== null) this.fail('garbled');
    this.#owner.onAnswersEnd();
  }

  #take(): Request | null {
    const request = this.#queue[this.#head];
    if (request === undefined) return null;
    this.#queue[this.#head] = null;
    this.#head += 1;
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    } else if (this.#head > 256) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    return request;
  }
}
