// shell · the open loop: a ticker starts what is due, whatever became of the others; `InFlight` brings each to its end.
//   runLoad({ …, proxies: [{ host: 'proxy', port: 10000 }, …] }, observers, signal), where each name stands for every address
//   behind it; startLoad(['--proxy', 'a:10000,b:10001', …], onRequest) of load-thread.ts does the same in a thread.
import type { KnownProxy } from '../../services/client/known-proxies.ts';
import { ProxyFinder } from '../../services/client/proxy-finder.ts';
import { createResolver } from '../../services/shared/addresses.ts';
import type { HostPort } from '../../services/shared/config.ts';
import { addressOf } from '../../services/shared/printable.ts';
import { type DialTls, explainTls } from '../../services/shared/tls.ts';
import { Failure } from '../kit/failure.ts';
import { Connection, type ConnectionEvents } from '../kit/proxy-connection.ts';
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
const UPKEEP_EVERY_MS = 1000;
const LOOK_UP_EVERY_MS = 5000;
const LOOK_UP_MS = 1000;
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
  const finder = await findProxies(options, preflightMs);
  const generator = new Generator(options, finder, observers);
  await generator.inFlight.pool.warmUp(preflightMs);
  return await generator.run(signal);
}

// Connects once to each proxy and sends nothing: the run's counts are to be of the run alone.
async function findProxies({ proxies: names, tls }: LoadOptions, timeoutMs: number): Promise<ProxyFinder> {
  const finder = new ProxyFinder(names, createResolver(Math.min(timeoutMs, LOOK_UP_MS)));
  const { proxies } = finder;
  const unknown = await finder.lookUp();
  const faults: ConnectFault[] = unknown.map((name) => ({
    ...name,
    why: 'no address is known',
    isTls: false,
  }));
  const connecting = proxies.all.map(async (proxy) => {
    const fault = await tryToConnect(proxy, tls, timeoutMs);
    if (fault === null) proxies.reached(proxy);
    else faults.push(fault);
  });
  await Promise.all(connecting);
  if (proxies.goodCount > 0) return finder;
  throw unreachable(names, faults);
}

/** Why there is no connection to an address, or to a name. */
type ConnectFault = HostPort & { why: string; isTls: boolean };

async function tryToConnect(
  proxy: KnownProxy,
  tls: DialTls | null,
  timeoutMs: number,
): Promise<ConnectFault | null> {
  const { promise, resolve } = Promise.withResolvers<ConnectFault | null>();
  const fail = (why: string, isTls = false): void =>
    resolve({ host: proxy.host, port: proxy.port, why, isTls });
  const events: ConnectionEvents<never> = {
    opened: () => resolve(null),
    replied: () => {},
    broke: (_connection, reason, error) => {
      const tlsFault = error === undefined ? null : explainTls(error);
      if (tlsFault !== null) fail(tlsFault, true);
      else fail(reason === 'refused' ? 'connection refused' : (error?.code ?? reason));
    },
  };
  const connection = new Connection<never>(proxy, events, tls);
  const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    connection.close();
  }
}

function unreachable(names: readonly HostPort[], faults: readonly ConnectFault[]): Failure {
  const [name, ...others] = names;
  const [fault, ...further] = faults;
  const reasons = faults.map(({ host, port, why }) => `${addressOf(host, port)} (${why})`);
  const what =
    name !== undefined && fault !== undefined && others.length + further.length === 0
      ? `The proxy at ${addressOf(name.host, name.port)} can't be reached (${fault.why}).`
      : `None of the proxies can be reached: ${reasons.join(', ')}.`;
  const next = faults.some(({ isTls }) => isTls)
    ? 'See --tls-ca, --tls-name, --tls-cert and --tls-key.'
    : 'Start it (npm start), or say where it is with --proxy host:port.';
  return new Failure(what, next, { exitCode: 3 });
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

  constructor(options: LoadOptions, finder: ProxyFinder, observers: LoadObservers) {
    this.#options = options;
    this.#observers = observers;
    this.#planned = Math.max(1, Math.round(options.rate * options.durationSeconds));
    this.#tally = new RunTally(options);
    this.inFlight = new InFlight(options, finder, (last, ending, endMs) => this.#ended(last, ending, endMs));
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
      setInterval(() => this.inFlight.pool.keepUp(), UPKEEP_EVERY_MS),
      setInterval(() => this.inFlight.pool.lookUp(), LOOK_UP_EVERY_MS),
    ];
    await this.#finished.promise;
    timers.forEach(clearInterval);
    signal.removeEventListener('abort', stop);
    this.inFlight.pool.closeAll();
    const endedMs = performance.now();
    this.#showProgress(endedMs);
    const { pool, strayAnswers } = this.inFlight;
    const course = {
      startedAt,
      elapsedMs: endedMs - this.#startMs,
      wasInterrupted: signal.aborted,
      planned: this.#planned,
      due: this.#due,
      strayAnswers,
      moved: pool.movedCount,
      proxies: pool.requestsByProxy(),
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
