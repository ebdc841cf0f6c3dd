// shell · the open loop: a ticker starts what is due, replies and deadlines end it, the tally counts it.
// Must never send a request twice, nor blame the system under test for what the generator itself did not manage.
import { hash } from 'node:crypto';
import { DeadlineQueue } from '../../services/shared/deadline-queue.ts';
import type { BreakReason, Target } from './connection.ts';
import {
  type DropReason,
  type Exchange,
  isStrayAnswer,
  judgeReply,
  type Outcome,
  type RequestTemplate,
  requestTemplate,
} from './exchange.ts';
import type { LoadOptions, LoadProgress } from './options.ts';
import { ConnectionPool } from './pool.ts';
import { findTarget } from './preflight.ts';
import { type LoadResult, type Measured, makeResult } from './result.ts';
import { fixedRate, type Schedule } from './schedule.ts';
import { histogram, RunTally, recordMs } from './tally.ts';

const TICK_MS = 1;
const PROGRESS_EVERY_MS = 200;
const TRIM_EVERY_MS = 1000;
const PREFLIGHT_MS = 3000;
// After an interruption a person does not wait for slow replies.
const INTERRUPTED_WAIT_MS = 1000;

/**
 * Sends requests at a fixed rate and waits for the end of each.
 * @param onProgress called about five times a second
 * @param signal     ends the run early: nothing more is sent, and after at most a second the result so far is returned
 * @throws UnreachableError when the proxy can't be reached before the first request
 */
export async function runLoad(
  options: LoadOptions,
  onProgress: (progress: LoadProgress) => void = () => {},
  signal: AbortSignal = new AbortController().signal,
): Promise<LoadResult> {
  const preflightMs = Math.min(options.timeoutMs, PREFLIGHT_MS);
  const target = await findTarget(options, preflightMs);
  const generator = new Generator(options, target, onProgress);
  await generator.warmUp(preflightMs);
  return makeResult(options, await generator.run(signal));
}

class Generator {
  readonly #options: LoadOptions;
  readonly #schedule: Schedule;
  readonly #onProgress: (progress: LoadProgress) => void;
  readonly #templates: RequestTemplate[];
  readonly #tally: RunTally;
  readonly #startLag = histogram();
  readonly #deadlines = new DeadlineQueue<Exchange>();
  readonly #pool: ConnectionPool;
  readonly #finished = Promise.withResolvers<void>();
  #startMs = 0;
  #sendingEndedMs: number | null = null;
  #giveUpMs = Number.POSITIVE_INFINITY;
  #nextIndex = 0;
  #inFlight = 0;
  #strayAnswers = 0;
  #nextProgressMs = 0;
  #nextTrimMs = 0;
  #isSweepPlanned = false;

  constructor(options: LoadOptions, target: Target, onProgress: (progress: LoadProgress) => void) {
    this.#options = options;
    this.#onProgress = onProgress;
    this.#schedule = fixedRate(options.rate, options.durationSeconds, options.policies.length);
    this.#templates = options.policies.map((policy) => requestTemplate(policy, options.payloadBytes));
    this.#tally = new RunTally(options.policies);
    this.#pool = new ConnectionPool(target, options.connection === 'keep' ? options.connections : 0, {
      replied: (exchange, text, receivedMs) => this.#replied(exchange, text, receivedMs),
      failed: (exchange, reason) => this.#failed(exchange, reason),
      unasked: (text) => {
        if (isStrayAnswer(text)) this.#strayAnswers += 1;
      },
    });
  }

  warmUp(timeoutMs: number): Promise<void> {
    return this.#pool.warmUp(timeoutMs);
  }

  async run(signal: AbortSignal): Promise<Measured> {
    const startedAt = new Date().toISOString();
    this.#startMs = performance.now();
    const stop = () => this.#stopSending();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const ticker = setInterval(() => this.#tick(), TICK_MS);
    await this.#finished.promise;
    clearInterval(ticker);
    signal.removeEventListener('abort', stop);
    this.#pool.closeAll();
    const endedMs = performance.now();
    this.#onProgress(this.#progress(endedMs));
    return {
      startedAt,
      elapsedMs: endedMs - this.#startMs,
      sendingMs: (this.#sendingEndedMs ?? endedMs) - this.#startMs,
      wasInterrupted: signal.aborted,
      planned: this.#schedule.count,
      due: this.#nextIndex,
      strayAnswers: this.#strayAnswers,
      startLag: this.#startLag,
      tally: this.#tally,
    };
  }

  #tick(): void {
    const nowMs = performance.now();
    if (this.#sendingEndedMs === null) this.#startDue(nowMs);
    // Replies that already lie in the kernel are read before anything is called late: the loop itself may have stalled.
    if (!this.#isSweepPlanned && this.#deadlines.hasExpired(nowMs)) {
      this.#isSweepPlanned = true;
      setImmediate(() => this.#sweep(nowMs));
    }
    if (nowMs >= this.#giveUpMs) this.#giveUp();
    if (nowMs >= this.#nextTrimMs) {
      this.#nextTrimMs = nowMs + TRIM_EVERY_MS;
      this.#pool.trim();
    }
    if (nowMs >= this.#nextProgressMs) {
      this.#nextProgressMs = nowMs + PROGRESS_EVERY_MS;
      this.#onProgress(this.#progress(nowMs));
    }
    if (this.#sendingEndedMs !== null && this.#inFlight === 0) this.#finished.resolve();
  }

  #startDue(nowMs: number): void {
    const elapsedMs = nowMs - this.#startMs;
    const count = this.#schedule.count;
    while (this.#nextIndex < count && this.#schedule.dueMs(this.#nextIndex) <= elapsedMs) {
      this.#start(this.#nextIndex);
      this.#nextIndex += 1;
    }
    if (this.#nextIndex === count) this.#sendingEndedMs = performance.now();
  }

  #start(index: number): void {
    const startMs = performance.now();
    const policyIndex = this.#schedule.policyIndex(index);
    const intendedMs = this.#startMs + this.#schedule.dueMs(index);
    const dropped = this.#reasonToDrop(startMs - intendedMs);
    if (dropped !== null) {
      this.#tally.record(policyIndex, { kind: 'dropped', reason: dropped }, 0, intendedMs - this.#startMs);
      return;
    }
    const template = this.#templates[policyIndex] as RequestTemplate;
    const exchange: Exchange = {
      policyIndex,
      intendedMs,
      // From the real start: the generator's own lateness must not turn into a loss.
      deadlineMs: startMs + this.#options.timeoutMs,
      payload: template.payload(index),
      isDone: false,
    };
    recordMs(this.#startLag, startMs - intendedMs);
    this.#inFlight += 1;
    this.#deadlines.push(exchange);
    this.#pool.send(exchange, template.frame(index));
  }

  #reasonToDrop(latenessMs: number): DropReason | null {
    if (latenessMs > this.#options.lateMs) return 'late';
    return this.#inFlight >= this.#options.maxInFlight ? 'in-flight-bound' : null;
  }

  #replied(exchange: Exchange, text: string, receivedMs: number): boolean {
    const outcome = judgeReply(text, exchange.payload, sha1);
    this.#end(exchange, outcome, receivedMs);
    // After these the proxy closes, and a request sent on such a connection would be lost by our own fault.
    return outcome.kind === 'ok' || (outcome.kind === 'error' && outcome.code !== 'SHUTTING_DOWN');
  }

  #failed(exchange: Exchange, reason: BreakReason): void {
    this.#end(
      exchange,
      reason === 'no-local-resources' ? { kind: 'dropped', reason } : { kind: 'lost', reason },
      performance.now(),
    );
  }

  #sweep(nowMs: number): void {
    this.#isSweepPlanned = false;
    while (this.#deadlines.hasExpired(nowMs)) {
      const exchange = this.#deadlines.peek() as Exchange;
      const stood = this.#pool.abandon(exchange);
      this.#end(exchange, { kind: 'lost', reason: stood ? 'timeout' : 'connect-timeout' }, 0);
    }
  }

  #stopSending(): void {
    const nowMs = performance.now();
    this.#sendingEndedMs ??= nowMs;
    this.#giveUpMs = nowMs + INTERRUPTED_WAIT_MS;
  }

  #giveUp(): void {
    for (let exchange = this.#deadlines.peek(); exchange !== undefined; exchange = this.#deadlines.peek()) {
      this.#pool.abandon(exchange);
      this.#end(exchange, { kind: 'dropped', reason: 'interrupted' }, 0);
    }
  }

  #end(exchange: Exchange, outcome: Outcome, endMs: number): void {
    if (exchange.isDone) return;
    exchange.isDone = true;
    this.#inFlight -= 1;
    const { policyIndex, intendedMs } = exchange;
    this.#tally.record(policyIndex, outcome, endMs - intendedMs, intendedMs - this.#startMs);
  }

  #progress(nowMs: number): LoadProgress {
    const { ok, wrong, errorReplies, lost, dropped } = this.#tally.total;
    return {
      elapsedMs: nowMs - this.#startMs,
      planned: this.#schedule.count,
      due: this.#nextIndex,
      inFlight: this.#inFlight,
      ok,
      wrong,
      errorReplies,
      lost,
      dropped,
    };
  }
}

function sha1(text: string): string {
  return hash('sha1', text);
}
