// shell · every request that has been started, until its end: its attempts, their deadlines and the waits between them.
// Must never end a request twice, nor send one again while a reply to its last attempt could still reach it.
import { hash } from 'node:crypto';
import { DeadlineQueue } from '../../services/shared/deadline-queue.ts';
import type { BreakReason, Target } from './connection.ts';
import {
  type Exchange,
  isStrayAnswer,
  judgeReply,
  type Outcome,
  type RequestTemplate,
  requestTemplate,
} from './exchange.ts';
import type { LoadOptions } from './options.ts';
import { ConnectionPool } from './pool.ts';
import { RetryQueue, retryAtMs } from './retry.ts';

// What sending again may take of a tick: with a dead proxy, thousands of requests try to connect over and over, and
// what is due now must not be late for that.
const RETRY_SHARE_MS = 0.5;

const INTERRUPTED: Outcome = { kind: 'dropped', reason: 'interrupted' };

/** Told of each request's end: its last attempt, the outcome that counts, and when that was (monotonic ms). */
type WhenEnded = (last: Exchange, outcome: Outcome, endMs: number) => void;

export class InFlight {
  readonly #retryForMs: number;
  readonly #attemptTimeoutMs: number;
  readonly #whenEnded: WhenEnded;
  readonly #templates: RequestTemplate[];
  readonly #deadlines = new DeadlineQueue<Exchange>();
  readonly #retries = new RetryQueue();
  readonly #pool: ConnectionPool;
  #count = 0;
  #strayAnswers = 0;
  #isSweepPlanned = false;
  #isStopping = false;

  constructor(options: LoadOptions, target: Target, whenEnded: WhenEnded) {
    this.#retryForMs = options.retryForMs;
    this.#attemptTimeoutMs = options.retryForMs > 0 ? options.attemptTimeoutMs : options.timeoutMs;
    this.#whenEnded = whenEnded;
    this.#templates = options.policies.map((policy) => requestTemplate(policy, options.payloadBytes));
    this.#pool = new ConnectionPool(target, options.connection === 'keep' ? options.connections : 0, {
      replied: (exchange, text, receivedMs) => this.#replied(exchange, text, receivedMs),
      failed: (exchange, reason) => this.#failed(exchange, reason),
      unasked: (text) => {
        if (isStrayAnswer(text)) this.#strayAnswers += 1;
      },
    });
  }

  /** How many have been started and not ended, those between two attempts included. */
  get count(): number {
    return this.#count;
  }

  /** Answers that came without a request waiting for them. */
  get strayAnswers(): number {
    return this.#strayAnswers;
  }

  /** @see ConnectionPool.warmUp */
  warmUp(timeoutMs: number): Promise<void> {
    return this.#pool.warmUp(timeoutMs);
  }

  /** @see ConnectionPool.trim */
  trim(): void {
    this.#pool.trim();
  }

  closeAll(): void {
    this.#pool.closeAll();
  }

  /** Sends request `index` of the run for the first time. Times are monotonic ms. */
  start(index: number, policyIndex: number, intendedMs: number, startMs: number): void {
    this.#count += 1;
    this.#send({
      index,
      policyIndex,
      intendedMs,
      sentMs: startMs,
      openedMs: null,
      // From the real start: the generator's own lateness must not turn into a loss.
      deadlineMs: startMs + this.#attemptTimeoutMs,
      payload: (this.#templates[policyIndex] as RequestTemplate).payload(index),
      attempt: 1,
      first: null,
      isDone: false,
    });
  }

  /** Sends again what has waited long enough. What does not fit into its share of the tick goes first in the next one. */
  sendRetries(nowMs: number): void {
    let sentMs = performance.now();
    const untilMs = sentMs + RETRY_SHARE_MS;
    while (sentMs < untilMs) {
      const retry = this.#retries.takeDue(nowMs);
      if (retry === undefined) return;
      const { exchange, first } = retry;
      const deadlineMs = sentMs + this.#attemptTimeoutMs;
      const attempt = exchange.attempt + 1;
      this.#send({ ...exchange, sentMs, openedMs: null, deadlineMs, attempt, first, isDone: false });
      sentMs = performance.now();
    }
  }

  /** Ends the attempts whose deadline was at or before `nowMs`. */
  endLate(nowMs: number): void {
    if (this.#isSweepPlanned || !this.#deadlines.hasExpired(nowMs)) return;
    this.#isSweepPlanned = true;
    // Replies that already lie in the kernel are read before anything is called late: the loop itself may have stalled.
    setImmediate(() => this.#sweep(nowMs));
  }

  /** From now on nothing is sent again, and what would be is `interrupted`. */
  stop(): void {
    this.#isStopping = true;
    for (const { exchange } of this.#retries.takeAll())
      this.#finish(exchange, INTERRUPTED, performance.now());
  }

  /** Waits for no reply any more. */
  giveUp(): void {
    for (let exchange = this.#deadlines.peek(); exchange !== undefined; exchange = this.#deadlines.peek()) {
      this.#pool.abandon(exchange);
      exchange.isDone = true;
      this.#finish(exchange, INTERRUPTED, performance.now());
    }
  }

  #send(exchange: Exchange): void {
    this.#deadlines.push(exchange);
    const template = this.#templates[exchange.policyIndex] as RequestTemplate;
    this.#pool.send(exchange, template.frame(exchange.index));
  }

  #replied(exchange: Exchange, text: string, receivedMs: number): boolean {
    const outcome = judgeReply(text, exchange.payload, sha1);
    this.#endAttempt(exchange, outcome, receivedMs);
    // After these the proxy closes, and a request sent on such a connection would be lost by our own fault.
    return outcome.kind === 'ok' || (outcome.kind === 'error' && outcome.code !== 'SHUTTING_DOWN');
  }

  #failed(exchange: Exchange, reason: BreakReason): void {
    const outcome: Outcome =
      reason === 'no-local-resources' ? { kind: 'dropped', reason } : { kind: 'lost', reason };
    this.#endAttempt(exchange, outcome, performance.now());
  }

  #sweep(nowMs: number): void {
    this.#isSweepPlanned = false;
    while (this.#deadlines.hasExpired(nowMs)) {
      const exchange = this.#deadlines.peek() as Exchange;
      this.#pool.abandon(exchange);
      const reason = exchange.openedMs === null ? 'connect-timeout' : 'timeout';
      this.#endAttempt(exchange, { kind: 'lost', reason }, performance.now());
    }
  }

  #endAttempt(exchange: Exchange, outcome: Outcome, endMs: number): void {
    if (exchange.isDone) return;
    exchange.isDone = true;
    const { attempt, intendedMs, sentMs, openedMs } = exchange;
    const dueMs = retryAtMs(outcome, attempt, endMs, intendedMs + this.#retryForMs, Math.random);
    if (dueMs === null) {
      this.#finish(exchange, outcome, endMs);
    } else if (this.#isStopping) {
      // The next attempt might have been answered, and it is our doing that there is none.
      this.#finish(exchange, INTERRUPTED, endMs);
    } else {
      const first = exchange.first ?? { outcome, sentMs, openedMs, endMs };
      this.#retries.push({ dueMs, exchange, first });
    }
  }

  #finish(last: Exchange, outcome: Outcome, endMs: number): void {
    this.#count -= 1;
    this.#whenEnded(last, outcome, endMs);
  }
}

function sha1(text: string): string {
  return hash('sha1', text);
}
