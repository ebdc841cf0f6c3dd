// shell · every request that has been started, until its end: its attempts, their deadlines and the waits between them.
import { hash } from 'node:crypto';
import type { KnownProxies } from '../../services/client/known-proxies.ts';
import type { ProxyFinder } from '../../services/client/proxy-finder.ts';
import { isEmpty, isGoodbye } from '../../services/client/refusals.ts';
import { DeadlineQueue } from '../../services/shared/deadline-queue.ts';
import type { BreakReason } from '../kit/proxy-connection.ts';
import {
  type AttemptEnding,
  dropped,
  type Ending,
  type Exchange,
  isStrayAnswer,
  judgeReply,
  lost,
  type RequestTemplate,
  requestTemplate,
  toEpochMs,
} from './exchange.ts';
import type { LoadOptions } from './options.ts';
import { ConnectionPool, type PoolEvents } from './pool.ts';
import { RetryQueue, retryAtMs } from './retry.ts';

// What sending again may take of a tick: with a dead proxy, thousands of requests try to connect over and over, and
// what is due now must not be late for that.
const RETRY_SHARE_MS = 0.5;

/** Called with each request's end: its last attempt, the ending that counts, and when that was (monotonic ms). */
type WhenEnded = (last: Exchange, ending: Ending, endMs: number) => void;

export class InFlight implements PoolEvents {
  readonly pool: ConnectionPool;
  /** How many have been started and not ended, those between two attempts included. */
  count = 0;
  /** Answers that came without a request waiting for them. */
  strayAnswers = 0;
  readonly #proxies: KnownProxies;
  readonly #retryForMs: number;
  readonly #timeoutMs: number;
  readonly #attemptTimeoutMs: number;
  readonly #whenEnded: WhenEnded;
  readonly #templates: RequestTemplate[];
  readonly #deadlines = new DeadlineQueue<Exchange>();
  readonly #retries = new RetryQueue();
  #isSweepPlanned = false;
  #isStopping = false;

  constructor(options: LoadOptions, finder: ProxyFinder, whenEnded: WhenEnded) {
    const { retryForMs, timeoutMs, tls } = options;
    this.#proxies = finder.proxies;
    this.#retryForMs = retryForMs;
    this.#timeoutMs = timeoutMs;
    const isRepeated = retryForMs > 0 || this.#proxies.hasSeveral;
    this.#attemptTimeoutMs = isRepeated ? options.attemptTimeoutMs : timeoutMs;
    this.#whenEnded = whenEnded;
    this.#templates = options.policies.map((policy) => requestTemplate(policy, options.payloadBytes));
    this.pool = new ConnectionPool(
      finder,
      tls,
      options.connection === 'keep' ? options.connections : 0,
      this,
    );
  }

  /** Sends request `index` of the run for the first time. Times are monotonic ms. */
  start(index: number, policyIndex: number, intendedMs: number, startMs: number): void {
    this.count += 1;
    const template = this.#templates[policyIndex] as RequestTemplate;
    const request = { ...template(index), policyIndex, intendedMs, attempt: 1, first: null, emptyAt: null };
    this.#send(request, startMs);
  }

  /** Sends again what has waited long enough. What does not fit into its share of the tick goes first in the next one. */
  sendRetries(nowMs: number): void {
    let sentMs = performance.now();
    const untilMs = sentMs + RETRY_SHARE_MS;
    while (sentMs < untilMs) {
      const retry = this.#retries.takeDue(nowMs);
      if (retry === undefined) return;
      const { exchange, first } = retry;
      this.#send({ ...exchange, attempt: exchange.attempt + 1, first }, sentMs);
      sentMs = performance.now();
    }
  }

  /** Ends the attempts whose deadline was at or before `nowMs`. */
  endLate(nowMs: number): void {
    if (this.#isSweepPlanned || !this.#deadlines.hasExpired(nowMs)) return;
    this.#isSweepPlanned = true;
    // Replies that already lie in the kernel are read before anything is called late: the loop itself may have stalled.
    setImmediate(() => {
      this.#isSweepPlanned = false;
      while (this.#deadlines.hasExpired(nowMs)) {
        const exchange = this.#deadlines.peek() as Exchange;
        this.pool.abandon(exchange);
        if (exchange.connection !== null) this.pool.leave(exchange.connection.target);
        const reason = openedMsOf(exchange) === null ? 'connect-timeout' : 'timeout';
        this.#endAttempt(exchange, lost(reason), performance.now());
      }
    });
  }

  /** From now on nothing is sent again, and what would be is `interrupted`. */
  stop(): void {
    this.#isStopping = true;
    for (const { exchange } of this.#retries.takeAll())
      this.#finish(exchange, dropped('interrupted'), performance.now());
  }

  /** Stops waiting for replies. */
  giveUp(): void {
    for (let exchange = this.#deadlines.peek(); exchange !== undefined; exchange = this.#deadlines.peek()) {
      this.pool.abandon(exchange);
      exchange.isDone = true;
      this.#finish(exchange, dropped('interrupted'), performance.now());
    }
  }

  #send(request: Omit<Exchange, 'sentMs' | 'deadlineMs' | 'connection' | 'isDone'>, sentMs: number): void {
    // The deadline counts from the real start: the generator's own lateness must not turn into a loss.
    const deadlineMs = sentMs + this.#attemptTimeoutMs;
    const exchange: Exchange = { ...request, sentMs, deadlineMs, connection: null, isDone: false };
    this.#deadlines.push(exchange);
    this.pool.send(exchange);
  }

  replied(exchange: Exchange, text: string, receivedMs: number): boolean {
    const ending = judgeReply(text, exchange.payload, sha1);
    const { outcome, detail } = ending;
    const isLeaving = outcome === 'error' && isGoodbye(detail);
    if (isLeaving && exchange.connection !== null) this.pool.leave(exchange.connection.target);
    this.#endAttempt(exchange, ending, receivedMs);
    // After these the proxy closes, and a request sent on such a connection would be lost by our own fault.
    return outcome === 'ok' || (outcome === 'error' && !isLeaving);
  }

  failed(exchange: Exchange, reason: BreakReason): void {
    const ending = reason === 'no-local-resources' ? dropped(reason) : lost(reason);
    this.#endAttempt(exchange, ending, performance.now());
  }

  unasked(text: string): void {
    if (isStrayAnswer(text)) this.strayAnswers += 1;
  }

  #endAttempt(exchange: Exchange, ending: AttemptEnding, endMs: number): void {
    if (exchange.isDone) return;
    exchange.isDone = true;
    const { intendedMs, sentMs } = exchange;
    const dueMs = this.#againAtMs(exchange, ending, endMs);
    if (dueMs === null) {
      this.#finish(exchange, ending, endMs);
    } else if (this.#isStopping) {
      // The next attempt might have been answered, and it is our doing that there is none.
      this.#finish(exchange, dropped('interrupted'), endMs);
    } else {
      const openedMs = openedMsOf(exchange);
      const first = exchange.first ?? {
        outcome: ending.outcome,
        detail: ending.detail,
        sentEpochMs: toEpochMs(sentMs),
        endedMs: endMs - intendedMs,
        openedEpochMs: openedMs === null ? null : toEpochMs(openedMs),
      };
      if (isEmpty(ending.detail)) exchange.emptyAt ??= exchange.connection?.target ?? null;
      this.#retries.push({ dueMs, exchange, first });
    }
  }

  // Null when the ending counts.
  #againAtMs(exchange: Exchange, ending: AttemptEnding, endMs: number): number | null {
    const { attempt, intendedMs } = exchange;
    const hasFailed = ending.outcome === 'lost' || isGoodbye(ending.detail);
    const isForAnother = hasFailed ? this.#proxies.hasSeveral : this.#isForOneOther(exchange, ending);
    const forMs = isForAnother ? Math.max(this.#retryForMs, this.#timeoutMs) : this.#retryForMs;
    const dueMs = retryAtMs(ending, attempt, endMs, intendedMs + forMs, Math.random);
    return dueMs !== null && isForAnother && this.#proxies.goodCount > 0 ? endMs : dueMs;
  }

  // Where no proxy has a server, a second one is asked and not all of them.
  #isForOneOther({ connection, emptyAt }: Exchange, { detail }: AttemptEnding): boolean {
    const mayAsk = isEmpty(detail) && emptyAt === null && connection !== null;
    return mayAsk && this.#proxies.hasGoodBeside(connection.target);
  }

  #finish(last: Exchange, ending: Ending, endMs: number): void {
    this.count -= 1;
    this.#whenEnded(last, ending, endMs);
  }
}

function openedMsOf({ connection }: Exchange): number | null {
  return connection?.openedMs ?? null;
}

function sha1(text: string): string {
  return hash('sha1', text);
}
