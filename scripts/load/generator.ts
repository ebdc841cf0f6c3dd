// shell · the open loop: a ticker starts what is due, whatever became of the others; `InFlight` brings each to its end.
import { addressOf } from '../../services/shared/printable.ts';
import { explainTls } from '../../services/shared/tls.ts';
import { Failure } from '../kit/failure.ts';
import { Connection, type Target } from '../kit/proxy-connection.ts';
import {
  dropped,
  type Ending,
  type Exchange,
  type Outcome,
  type RequestRecord,
  toEpochMs,
} from './exchange.ts';
import { InFlight } from './in-flight.ts';
import type { LoadOptions } from './options.ts';
import { type LoadResult, RunTally } from './result.ts';

const TICK_MS = 1;
const PROGRESS_EVERY_MS = 200;
const TRIM_EVERY_MS = 1000;
const PREFLIGHT_MS = 3000;
// After an interruption a person does not wait for slow replies.
const INTERRUPTED_WAIT_MS = 1000;

/** How many requests have ended how so far; `inFlight` counts those between two attempts as well. */
export type LoadProgress = Readonly<Record<Outcome, number>> & {
  elapsedMs: number;
  planned: number;
  due: number;
  inFlight: number;
};

/** Both are called from the generator's loop: what takes long there makes requests late. */
export type LoadObservers = {
  /** Called about five times a second, and at the end. */
  onProgress?: (progress: LoadProgress) => void;
  /** Called once for each request that became due, when it has ended; `dropped` ones included. */
  onRequest?: (record: RequestRecord) => void;
};

/** What is known of a request at its end: an attempt, or the little there is of one that was dropped before. */
type EndedRequest = Pick<Exchange, 'policyIndex' | 'intendedMs' | 'attempt' | 'first'>;

/**
 * Sends requests at a fixed rate, the policies in turn, and waits for the end of each.
 * @param signal ends the run early: nothing more is sent, and after at most a second the result so far is returned
 * @throws Failure with exit code 3 when the proxy can't be reached before the first request
 */
export async function runLoad(
  options: LoadOptions,
  observers: LoadObservers = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<LoadResult> {
  const preflightMs = Math.min(options.timeoutMs, PREFLIGHT_MS);
  const target = await findTarget(options, preflightMs);
  const generator = new Generator(options, target, observers);
  await generator.inFlight.pool.warmUp(preflightMs);
  return await generator.run(signal);
}

// Connects once and sends nothing: the run's counts are to be of the run alone. Returns the numeric address that
// answered, so that the run asks no name server.
async function findTarget({ host, port, tls }: LoadOptions, timeoutMs: number): Promise<Target> {
  const { promise, resolve, reject } = Promise.withResolvers<Target>();
  const fail = (
    why: string,
    next = 'Start it (npm start), or say where it is with --proxy host:port.',
  ): void => {
    const what = `The proxy at ${addressOf(host, port)} can't be reached (${why}).`;
    reject(new Failure(what, next, { exitCode: 3 }));
  };
  const connection = new Connection<never>(
    { host, port, tls },
    {
      opened: ({ address = host }) => resolve({ host: address, port, tls, name: host }),
      replied: () => {},
      broke: (_connection, reason, error) => {
        const tlsFault = error === undefined ? null : explainTls(error);
        if (tlsFault !== null) fail(tlsFault, 'See --tls-ca, --tls-name, --tls-cert and --tls-key.');
        else fail(reason === 'refused' ? 'connection refused' : (error?.code ?? reason));
      },
    },
  );
  const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    connection.close();
  }
}

class Generator {
  readonly inFlight: InFlight;
  readonly #options: LoadOptions;
  readonly #observers: LoadObservers;
  readonly #tally: RunTally;
  readonly #planned: number;
  readonly #finished = Promise.withResolvers<void>();
  #startMs = 0;
  #sendingEndedMs: number | null = null;
  #giveUpMs = Number.POSITIVE_INFINITY;
  #due = 0;

  constructor(options: LoadOptions, target: Target, observers: LoadObservers) {
    this.#options = options;
    this.#observers = observers;
    this.#planned = Math.max(1, Math.round(options.rate * options.durationSeconds));
    this.#tally = new RunTally(options);
    this.inFlight = new InFlight(options, target, (last, ending, endMs) => this.#ended(last, ending, endMs));
  }

  async run(signal: AbortSignal): Promise<LoadResult> {
    const startedAt = new Date().toISOString();
    this.#startMs = performance.now();
    const stop = () => this.#stopSending();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const timers = [
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => this.#showProgress(performance.now()), PROGRESS_EVERY_MS),
      setInterval(() => this.inFlight.pool.trim(), TRIM_EVERY_MS),
    ];
    await this.#finished.promise;
    timers.forEach(clearInterval);
    signal.removeEventListener('abort', stop);
    this.inFlight.pool.closeAll();
    const endedMs = performance.now();
    this.#showProgress(endedMs);
    const course = {
      startedAt,
      elapsedMs: endedMs - this.#startMs,
      wasInterrupted: signal.aborted,
      planned: this.#planned,
      due: this.#due,
      strayAnswers: this.inFlight.strayAnswers,
    };
    return this.#tally.result(course, (this.#sendingEndedMs ?? endedMs) - this.#startMs);
  }

  #tick(): void {
    const nowMs = performance.now();
    if (this.#sendingEndedMs === null) this.#startDue(nowMs);
    // After what is due, which must not wait for what was due before.
    this.inFlight.sendRetries(nowMs);
    this.inFlight.endLate(nowMs);
    if (nowMs >= this.#giveUpMs) this.inFlight.giveUp();
    if (this.#sendingEndedMs !== null && this.inFlight.count === 0) this.#finished.resolve();
  }

  #startDue(nowMs: number): void {
    while (this.#due < this.#planned && this.#intendedMs(this.#due) <= nowMs) {
      this.#start(this.#due);
      this.#due += 1;
    }
    if (this.#due === this.#planned) this.#sendingEndedMs = performance.now();
  }

  // Multiplied anew for each request: adding up an interval would drift.
  #intendedMs(index: number): number {
    return this.#startMs + (index * 1000) / this.#options.rate;
  }

  #start(index: number): void {
    const startMs = performance.now();
    const { policies, lateMs, maxInFlight } = this.#options;
    const policyIndex = index % policies.length;
    const intendedMs = this.#intendedMs(index);
    const isLate = startMs - intendedMs > lateMs;
    if (isLate || this.inFlight.count >= maxInFlight) {
      const ending = dropped(isLate ? 'late' : 'in-flight-bound');
      this.#ended({ policyIndex, intendedMs, attempt: 0, first: null }, ending, startMs);
      return;
    }
    this.#tally.recordStart(startMs - intendedMs);
    this.inFlight.start(index, policyIndex, intendedMs, startMs);
  }

  #stopSending(): void {
    const nowMs = performance.now();
    this.#sendingEndedMs ??= nowMs;
    this.#giveUpMs = nowMs + INTERRUPTED_WAIT_MS;
    this.inFlight.stop();
  }

  #ended(request: EndedRequest, ending: Ending, endMs: number): void {
    const { policyIndex, intendedMs, attempt: attempts, first } = request;
    const latencyMs = endMs - intendedMs;
    this.#tally.record(policyIndex, ending, latencyMs, intendedMs - this.#startMs, attempts);
    const { outcome, detail } = ending;
    const policy = this.#options.policies[policyIndex] as string;
    const dueEpochMs = toEpochMs(intendedMs);
    this.#observers.onRequest?.({ outcome, detail, dueEpochMs, latencyMs, policy, attempts, first });
  }

  #showProgress(nowMs: number): void {
    this.#observers.onProgress?.({
      ...this.#tally.counts,
      elapsedMs: nowMs - this.#startMs,
      planned: this.#planned,
      due: this.#due,
      inFlight: this.inFlight.count,
    });
  }
}
