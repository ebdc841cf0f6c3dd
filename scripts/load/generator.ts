// shell · the open loop: a ticker starts what is due, `InFlight` brings each request to its end, the tally counts it.
// Must never let a request wait for another, nor blame the system under test for what the generator did not manage.
import type { Target } from './connection.ts';
import type { DropReason, Outcome } from './exchange.ts';
import { InFlight } from './in-flight.ts';
import { type EndedRequest, type LoadObservers, type LoadProgress, makeRecord } from './observers.ts';
import type { LoadOptions } from './options.ts';
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
 * @param observers told of the run while it goes on
 * @param signal    ends the run early: nothing more is sent, and after at most a second the result so far is returned
 * @throws UnreachableError when the proxy can't be reached before the first request
 */
export async function runLoad(
  options: LoadOptions,
  observers: LoadObservers = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<LoadResult> {
  const preflightMs = Math.min(options.timeoutMs, PREFLIGHT_MS);
  const target = await findTarget(options, preflightMs);
  const generator = new Generator(options, target, observers);
  await generator.warmUp(preflightMs);
  return makeResult(options, await generator.run(signal));
}

class Generator {
  readonly #options: LoadOptions;
  readonly #schedule: Schedule;
  readonly #observers: LoadObservers;
  readonly #tally: RunTally;
  readonly #startLag = histogram();
  readonly #inFlight: InFlight;
  readonly #finished = Promise.withResolvers<void>();
  #startMs = 0;
  #sendingEndedMs: number | null = null;
  #giveUpMs = Number.POSITIVE_INFINITY;
  #nextIndex = 0;
  #nextProgressMs = 0;
  #nextTrimMs = 0;

  constructor(options: LoadOptions, target: Target, observers: LoadObservers) {
    this.#options = options;
    this.#observers = observers;
    this.#schedule = fixedRate(options.rate, options.durationSeconds, options.policies.length);
    this.#tally = new RunTally(options.policies);
    this.#inFlight = new InFlight(options, target, (last, outcome, endMs) =>
      this.#ended(last, outcome, endMs),
    );
  }

  warmUp(timeoutMs: number): Promise<void> {
    return this.#inFlight.warmUp(timeoutMs);
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
    this.#inFlight.closeAll();
    const endedMs = performance.now();
    this.#observers.onProgress?.(this.#progress(endedMs));
    return {
      startedAt,
      elapsedMs: endedMs - this.#startMs,
      sendingMs: (this.#sendingEndedMs ?? endedMs) - this.#startMs,
      wasInterrupted: signal.aborted,
      planned: this.#schedule.count,
      due: this.#nextIndex,
      strayAnswers: this.#inFlight.strayAnswers,
      startLag: this.#startLag,
      tally: this.#tally,
    };
  }

  #tick(): void {
    const nowMs = performance.now();
    if (this.#sendingEndedMs === null) this.#startDue(nowMs);
    // After what is due, which must not wait for what was due before.
    this.#inFlight.sendRetries(nowMs);
    this.#inFlight.endLate(nowMs);
    if (nowMs >= this.#giveUpMs) this.#inFlight.giveUp();
    if (nowMs >= this.#nextTrimMs) {
      this.#nextTrimMs = nowMs + TRIM_EVERY_MS;
      this.#inFlight.trim();
    }
    if (nowMs >= this.#nextProgressMs) {
      this.#nextProgressMs = nowMs + PROGRESS_EVERY_MS;
      this.#observers.onProgress?.(this.#progress(nowMs));
    }
    if (this.#sendingEndedMs !== null && this.#inFlight.count === 0) this.#finished.resolve();
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
    const reason = this.#reasonToDrop(startMs - intendedMs);
    if (reason !== null) {
      this.#ended({ policyIndex, intendedMs, attempt: 0, first: null }, { kind: 'dropped', reason }, startMs);
      return;
    }
    recordMs(this.#startLag, startMs - intendedMs);
    this.#inFlight.start(index, policyIndex, intendedMs, startMs);
  }

  #reasonToDrop(latenessMs: number): DropReason | null {
    if (latenessMs > this.#options.lateMs) return 'late';
    return this.#inFlight.count >= this.#options.maxInFlight ? 'in-flight-bound' : null;
  }

  #stopSending(): void {
    const nowMs = performance.now();
    this.#sendingEndedMs ??= nowMs;
    this.#giveUpMs = nowMs + INTERRUPTED_WAIT_MS;
    this.#inFlight.stop();
  }

  #ended(request: EndedRequest, outcome: Outcome, endMs: number): void {
    const { policyIndex, intendedMs, attempt } = request;
    this.#tally.record(policyIndex, outcome, endMs - intendedMs, intendedMs - this.#startMs, attempt);
    const { onRequest } = this.#observers;
    if (onRequest === undefined) return;
    const policy = this.#options.policies[policyIndex] as string;
    onRequest(makeRecord(request, policy, outcome, endMs, performance.timeOrigin));
  }

  #progress(nowMs: number): LoadProgress {
    const { ok, wrong, errorReplies, lost, dropped } = this.#tally.total;
    return {
      elapsedMs: nowMs - this.#startMs,
      planned: this.#schedule.count,
      due: this.#nextIndex,
      inFlight: this.#inFlight.count,
      ok,
      wrong,
      errorReplies,
      lost,
      dropped,
    };
  }
}
