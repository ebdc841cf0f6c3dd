// One TCP connection to a server: requests out, answers in, in the same order. On the data path.
import { Fifo } from '../../shared/fifo.ts';
import { FrameReader } from '../../shared/framing.ts';
import type { SetMember } from '../../shared/intrusive-set.ts';
import type { DialledConnection, Network } from '../network/network.ts';
import type { Request } from '../routing/request.ts';
import { isAnonymousRefusal, isAnswerTo, isSentAgain } from './answer-check.ts';
import { type FailureKind, failureOf } from './failure.ts';
import type { Upstream } from './upstream.ts';

// Middleboxes forget silent connections after a minute at the earliest, most of them later.
const KEEP_ALIVE_MS = 15_000;

/** The pool, as a connection knows it. */
export type ConnectionOwner = {
  /** Monotonic ms. */
  now(): number;
  /** An answer arrived; `answer` is the server's own bytes as latin1, ending in `\n`. */
  onAnswer(connection: UpstreamConnection, request: Request, answer: string, nowMs: number): void;
  /** All answers of one chunk have been handed over; `attemptMs` is when the first of their requests was handed over. */
  onAnswersEnd(connection: UpstreamConnection, attemptMs: number, nowMs: number): void;
  /** The connection is over; `unanswered` were on it, oldest first. Called once. */
  onBroken(connection: UpstreamConnection, failure: FailureKind, unanswered: Request[]): void;
  /** One that has lingered is gone. */
  onLingered(connection: UpstreamConnection): void;
};

/**
 * Carries requests to one server. A shared connection pipelines them and joins what is written until the flusher's next turn;
 * the other kind carries one request and reads one answer.
 */
export class UpstreamConnection implements SetMember {
  place = -1;
  readonly isShared: boolean;
  isConnected = false;
  readonly startedMs: number;
  /** The server has worked on its first request for so long that nothing new may join. Set by the pool, until the answer. */
  isSilent = false;
  silentSinceMs = 0;
  /** Since when nothing is on it, monotonic ms. Written by the pool. */
  idleSinceMs: number;
  /** For how long it had been idle when its first request was handed over, ms; 0 once an answer has come since. Written by the pool. */
  restedMs = 0;
  /** Since when it waits for the server to close, monotonic ms. */
  lingersSinceMs = 0;
  readonly #socket: DialledConnection;
  readonly #owner: ConnectionOwner;
  readonly #reader = new FrameReader();
  readonly #checksIds: boolean;
  readonly #queue = new Fifo<Request>();
  #unwritten = '';
  #unwrittenCount = 0;
  #isOver = false;
  #hasAnswered = false;
  #lastAnswer = '';
  #lastWire = '';
  #watched: Request | null = null;
  #watchedSinceMs = 0;
  #blamedFor: Request | null = null;

  /**
   * @param keepsAlive the server keeps connections: its answers carry the asker's id
   * @param isShared   it is kept, and carries many requests; otherwise it takes one and closes
   */
  constructor(
    network: Network,
    { host, port, keepsAlive }: Pick<Upstream, 'host' | 'port' | 'keepsAlive'>,
    isShared: boolean,
    nowMs: number,
    owner: ConnectionOwner,
  ) {
    this.isShared = isShared;
    this.startedMs = nowMs;
    this.idleSinceMs = nowMs;
    this.#owner = owner;
    this.#checksIds = keepsAlive;
    this.#socket = network.connect(
      host,
      port,
      () => this.#onConnected(),
      (chunk) => this.#read(chunk),
    );
    this.#socket.on('error', (error) => this.#onEnd(failureOf(error, this.isConnected)));
    this.#socket.on('end', () => this.#onEnd('closed'));
    this.#socket.on('close', () => this.#onEnd('closed'));
  }

  get inFlight(): number {
    return this.#queue.length;
  }

  /** The oldest request without an answer: the one that the server is working on. Null when it is idle. */
  get first(): Request | null {
    return this.#queue.peek() ?? null;
  }

  get behind(): readonly Request[] {
    return this.#queue.toArray(1);
  }

  /** All requests that are on it have their replies from elsewhere, or their time was up. */
  get isAbandoned(): boolean {
    return this.inFlight > 0 && this.#queue.toArray().every(({ isDone }) => isDone);
  }

  /** For how long the server has worked on the first request, as far as sweeps every few milliseconds can see. */
  silentMs(nowMs: number): number {
    const { first } = this;
    // After a stall of this process it may still be written: nobody can be silent about that.
    const isWritten = this.#unwrittenCount < this.#queue.length;
    if (first !== this.#watched || !isWritten) {
      this.#watched = first;
      this.#watchedSinceMs = nowMs;
    }
    if (first === null) return 0;
    return nowMs - this.#watchedSinceMs;
  }

  /** True once for each request: whether the server is to be blamed for never answering it. */
  isFirstBlameFor(request: Request): boolean {
    const isFirst = this.#blamedFor !== request;
    this.#blamedFor = request;
    return isFirst;
  }

  /** Adds a request to what the next `flush` writes. */
  push(request: Request): void {
    this.#queue.push(request);
    this.#unwritten += request.wire;
    this.#unwrittenCount += 1;
  }

  get hasUnwritten(): boolean {
    return this.#unwritten !== '';
  }

  flush(): void {
    if (this.#unwritten === '' || this.#isOver) return;
    const wire = this.#unwritten;
    this.#unwritten = '';
    this.#unwrittenCount = 0;
    this.#socket.write(wire, 'latin1');
  }

  /** Ends the connection at once and reports what was on it. Later calls do nothing. */
  fail(failure: FailureKind): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    this.#owner.onBroken(this, failure, this.#queue.toArray());
  }

  /** Ends an idle connection without reporting it. */
  close(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  /** Reports nothing more, but lets the server close first: the side that closes first has the port in TIME_WAIT for a minute. */
  linger(nowMs: number): void {
    this.#isOver = true;
    this.lingersSinceMs = nowMs;
  }

  /** Ends a connection so that nothing is left of it on this machine. */
  reset(): void {
    this.#isOver = true;
    this.lingersSinceMs = 0;
    this.#socket.resetAndDestroy();
  }

  #onConnected(): void {
    this.isConnected = true;
    if (this.isShared) this.#socket.setKeepAlive(true, KEEP_ALIVE_MS);
  }

  #onEnd(failure: FailureKind): void {
    if (this.lingersSinceMs > 0) {
      this.lingersSinceMs = 0;
      this.#socket.destroy();
      this.#owner.onLingered(this);
      return;
    }
    // The server, or a middlebox, had given up an idle connection just when it was to be used again. That it has answered
    // shows that its TLS was what it has to be, too.
    const isStale = this.#hasAnswered && !this.#reader.isMidFrame;
    this.fail(isStale ? 'stale' : failure);
  }

  #read(chunk: Buffer): void {
    if (this.#isOver) return;
    const reader = this.#reader;
    const attemptMs = this.first?.attemptMs ?? 0;
    reader.feed(chunk);
    let hasAnswer = false;
    let nowMs = 0;
    while (!this.#isOver && reader.next()) {
      const request = this.first;
      const answer = reader.line();
      if (request === null && isAnonymousRefusal(answer)) {
        // It says why it closes.
        this.fail('closed');
        break;
      }
      if (request === null || (this.#checksIds && !this.#isFor(request, answer))) {
        // Whatever comes next could reach the wrong client.
        this.fail('slipped');
        break;
      }
      this.#advance();
      // One look at the clock is a hundredth of what a request costs.
      if (!hasAnswer) nowMs = this.#owner.now();
      hasAnswer = true;
      this.#owner.onAnswer(this, request, answer, nowMs);
    }
    if (hasAnswer) {
      this.#hasAnswered = true;
      this.#owner.onAnswersEnd(this, attemptMs, nowMs);
    }
    if (reader.fault !== null) this.fail('garbled');
  }

  #isFor({ clientId, wire }: Request, answer: string): boolean {
    if (!isAnswerTo(answer, clientId)) return false;
    if (answer === this.#lastAnswer && isSentAgain(answer, [this.#lastWire, wire])) return false;
    this.#lastAnswer = answer;
    this.#lastWire = wire;
    return true;
  }

  #advance(): void {
    this.#queue.shift();
    this.isSilent = false;
    if (this.#queue.length > 0) return;
    // An idle connection keeps no request in memory.
    this.#watched = null;
    this.#blamedFor = null;
  }
}
