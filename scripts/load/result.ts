// pure · what became of every request: counts, latencies (HdrHistogram, in µs) and who answered; the result of a run.
import { build, type Histogram } from 'hdr-histogram-js';
import { compareNames } from '../kit/words.ts';
import { type Ending, noOutcomes, type Outcome } from './exchange.ts';
import type { LoadOptions } from './options.ts';

/** More than this part of the requests dropped by the generator, and the run proves nothing. */
const MAX_DROPPED_SHARE = 0.001;

/** Exit codes of a run that was not interrupted, by its verdict. */
export const EXIT_CODES = { clean: 0, faults: 1, unknown: 4 } as const;

/** Milliseconds with three decimals; all 0 when `count` is 0. */
export type Latencies = { count: number; p50: number; p90: number; p99: number; p99_9: number; max: number };

/** The ends of requests by outcome: `due` of a run is their sum. */
export type Counts = {
  ok: number;
  wrong: number;
  errorReplies: number;
  /** Error replies by code. */
  errors: Record<string, number>;
  lost: number;
  lostBy: Record<string, number>;
  dropped: number;
  droppedBy: Record<string, number>;
  /** Of right answers, from the intended send time. */
  latencyMs: Latencies;
  /** Of error replies, from the intended send time. */
  errorLatencyMs: Latencies;
  /** By the answer's `srcid`, right and wrong ones: how many, and their part of all among these, from 0 to 1. */
  servers: Record<string, { answers: number; share: number }>;
};

/** The document of `--json`: the counts of the whole run, those of each policy, and how far the run got. */
export type LoadResult = Counts & {
  /** `tls`: whether the connections were made over TLS. */
  options: Omit<LoadOptions, 'tls'> & { tls: boolean };
  /** ISO 8601, UTC. */
  startedAt: string;
  elapsedMs: number;
  wasInterrupted: boolean;
  /** How many requests the run was to have, and how many became due before it ended. */
  planned: number;
  due: number;
  /** Requests that were started; the others were dropped. */
  sent: number;
  /** Requests that needed more than one attempt, whatever became of them. */
  retried: number;
  /** Attempts at all requests together. */
  attempts: number;
  /** Requests with a reply of any kind: right, wrong or an error. */
  answered: number;
  /** Answers that came without a request waiting for them: something was answered twice. */
  strayAnswers: number;
  /** Kept connections that were given up because their proxy had failed, or leaves, while another one was good. */
  moved: number;
  /** By a proxy's address: requests that were sent to it; one that was sent again counts again. */
  proxies: Record<string, number>;
  /** Requests sent per second while sending. */
  achievedRate: number;
  /** How much later than intended the generator itself started the requests; part of every latency. */
  startLagMs: Latencies;
  policies: Record<string, Counts>;
  /** When the requests that were not answered right were due, in ms after the start; null when all were. */
  faultsDue: { firstMs: number; lastMs: number } | null;
};

type Course =
  | 'startedAt'
  | 'elapsedMs'
  | 'wasInterrupted'
  | 'planned'
  | 'due'
  | 'strayAnswers'
  | 'moved'
  | 'proxies';

type Details = Map<string, number>;

/** Adds up the ends of requests, of one policy or of the whole run. */
class Tally {
  readonly counts = noOutcomes();
  readonly #details: Record<Outcome, Details> = {
    ok: new Map(),
    wrong: new Map(),
    error: new Map(),
    lost: new Map(),
    dropped: new Map(),
  };
  readonly #latencies = { ok: histogram(), error: histogram() };

  /** Counts one request's end; `latencyMs` counts from the intended send time. */
  record({ outcome, detail }: Ending, latencyMs: number): void {
    this.counts[outcome] += 1;
    const details = this.#details[outcome];
    details.set(detail, (details.get(detail) ?? 0) + 1);
    if (outcome === 'ok' || outcome === 'error') recordMs(this.#latencies[outcome], latencyMs);
  }

  /** A copy of everything that was counted so far. */
  snapshot(): Counts {
    const { ok, wrong, error, lost, dropped } = this.#details;
    const { error: errorReplies, ...counts } = this.counts;
    return {
      ...counts,
      errorReplies,
      errors: sorted(error),
      lostBy: sorted(lost),
      droppedBy: sorted(dropped),
      latencyMs: summary(this.#latencies.ok),
      errorLatencyMs: summary(this.#latencies.error),
      servers: shares(ok, wrong),
    };
  }
}

/** Adds up every end twice, for its policy and for the whole run, and makes the result of it. */
export class RunTally {
  readonly #options: LoadOptions;
  readonly #total = new Tally();
  readonly #policies: readonly Tally[];
  readonly #startLag = histogram();
  #sent = 0;
  #retried = 0;
  #attempts = 0;
  #faultsDue: LoadResult['faultsDue'] = null;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#policies = options.policies.map(() => new Tally());
  }

  /** How many requests have ended how. */
  get counts(): Readonly<Record<Outcome, number>> {
    return this.#total.counts;
  }

  /** Records by how much later than intended the generator itself started a request. */
  recordStart(lagMs: number): void {
    recordMs(this.#startLag, lagMs);
  }

  /**
   * @param policyIndex position in the list of policies
   * @param dueMs       when the request was due, ms after the start of the run
   * @param attempts    how often it was tried; 0 when it was dropped before
   * @see Tally.record
   */
  record(policyIndex: number, ending: Ending, latencyMs: number, dueMs: number, attempts: number): void {
    this.#attempts += attempts;
    if (attempts > 1) this.#retried += 1;
    const isStuckHere = ending.detail === 'no-local-resources';
    if (attempts > (isStuckHere ? 1 : 0)) this.#sent += 1;
    this.#total.record(ending, latencyMs);
    this.#policies[policyIndex]?.record(ending, latencyMs);
    if (ending.outcome === 'ok') return;
    const { firstMs, lastMs } = this.#faultsDue ?? { firstMs: dueMs, lastMs: dueMs };
    this.#faultsDue = { firstMs: Math.min(firstMs, dueMs), lastMs: Math.max(lastMs, dueMs) };
  }

  /** @param sendingMs from the start until the last request was sent, or until the interruption */
  result(course: Pick<LoadResult, Course>, sendingMs: number): LoadResult {
    const options = this.#options;
    const total = this.#total.snapshot();
    // The last request's time lasts until the next would have been due, so that ten requests at 10/s take a second.
    const rateMs = Math.max(sendingMs, (course.due * 1000) / options.rate);
    return {
      ...course,
      proxies: sorted(new Map(Object.entries(course.proxies))),
      ...total,
      options: { ...options, tls: options.tls !== null },
      elapsedMs: round(course.elapsedMs),
      sent: this.#sent,
      retried: this.#retried,
      attempts: this.#attempts,
      answered: total.ok + total.wrong + total.errorReplies,
      achievedRate: rateMs === 0 ? 0 : round((this.#sent * 1000) / rateMs),
      startLagMs: summary(this.#startLag),
      policies: Object.fromEntries(
        options.policies.map((name, i) => [name, (this.#policies[i] as Tally).snapshot()]),
      ),
      faultsDue: this.#faultsDue,
    };
  }
}

/** What a run shows: `faults` (of the system under test), `unknown` (the generator's own shortcomings) or `clean`. */
export function verdictOf(result: LoadResult, allowErrors: boolean): keyof typeof EXIT_CODES {
  const { lost, wrong, strayAnswers, errorReplies, dropped, droppedBy, due } = result;
  if (lost + wrong + strayAnswers > 0) return 'faults';
  if (errorReplies > 0 && !allowErrors) return 'faults';
  return dropped - (droppedBy.interrupted ?? 0) > due * MAX_DROPPED_SHARE ? 'unknown' : 'clean';
}

// For values in µs, exact to three digits.
function histogram(): Histogram {
  return build({ bitBucketSize: 32, autoResize: true, numberOfSignificantValueDigits: 3 });
}

function recordMs(target: Histogram, ms: number): void {
  target.recordValue(Math.max(0, Math.round(ms * 1000)));
}

function summary(of: Histogram): Latencies {
  const max = of.totalCount === 0 ? 0 : of.maxValue;
  // A percentile is the upper edge of its bucket, which may lie above the largest value seen.
  const at = (percentile: number) => Math.min(of.getValueAtPercentile(percentile), max) / 1000;
  return { count: of.totalCount, p50: at(50), p90: at(90), p99: at(99), p99_9: at(99.9), max: max / 1000 };
}

function sorted(counts: Details): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => compareNames(a, b)));
}

function shares(...answers: Details[]): Counts['servers'] {
  const counts: Details = new Map();
  for (const [id, count] of answers.flatMap((one) => [...one])) counts.set(id, (counts.get(id) ?? 0) + count);
  const total = counts.values().reduce((sum, count) => sum + count, 0);
  const servers = Object.entries(sorted(counts));
  return Object.fromEntries(servers.map(([id, count]) => [id, { answers: count, share: count / total }]));
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
