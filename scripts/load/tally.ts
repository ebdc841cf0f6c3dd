// pure · what became of every request: counts, latencies (HdrHistogram, in µs) and who answered, per policy.
// Must never take a latency from anything but the intended send time; it only adds up what it is told.
import { build, type Histogram } from 'hdr-histogram-js';
import type { DropReason, LostReason, Outcome } from './exchange.ts';

/** Milliseconds with three decimals; all 0 when `count` is 0. */
export type Latencies = { count: number; p50: number; p90: number; p99: number; p99_9: number; max: number };

/** When the first and the last of some requests were due, in ms after the start of the run. */
export type FaultsDue = { firstMs: number; lastMs: number };

/** How many answers a server gave, and its part of all answers it is counted among, from 0 to 1. */
type ServerShare = { answers: number; share: number };

export type Counts = {
  ok: number;
  wrong: number;
  errorReplies: number;
  /** Error replies by code. */
  errors: Record<string, number>;
  lost: number;
  lostBy: Partial<Record<LostReason, number>>;
  dropped: number;
  droppedBy: Partial<Record<DropReason, number>>;
  /** Of right answers, from the intended send time. */
  latencyMs: Latencies;
  /** Of error replies, from the intended send time. */
  errorLatencyMs: Latencies;
  /** By the answer's `srcid`; right and wrong answers. */
  servers: Record<string, ServerShare>;
};

/** Adds up the outcomes of one policy, or of the whole run. */
export class Tally {
  readonly #latencies = histogram();
  readonly #errorLatencies = histogram();
  readonly #errors = new Map<string, number>();
  readonly #lost = new Map<LostReason, number>();
  readonly #dropped = new Map<DropReason, number>();
  readonly #servers = new Map<string, number>();
  ok = 0;
  wrong = 0;
  errorReplies = 0;
  lost = 0;
  dropped = 0;

  /** Counts one request's end. `latencyMs` is counted from the intended send time; it matters for replies only. */
  record(outcome: Outcome, latencyMs: number): void {
    switch (outcome.kind) {
      case 'ok':
        this.ok += 1;
        recordMs(this.#latencies, latencyMs);
        count(this.#servers, outcome.serverId);
        return;
      case 'wrong':
        this.wrong += 1;
        count(this.#servers, outcome.serverId);
        return;
      case 'error':
        this.errorReplies += 1;
        recordMs(this.#errorLatencies, latencyMs);
        count(this.#errors, outcome.code);
        return;
      case 'lost':
        this.lost += 1;
        count(this.#lost, outcome.reason);
        return;
      case 'dropped':
        this.dropped += 1;
        count(this.#dropped, outcome.reason);
        return;
      default:
        outcome satisfies never;
    }
  }

  /** A copy of everything that was counted so far. */
  snapshot(): Counts {
    return {
      ok: this.ok,
      wrong: this.wrong,
      errorReplies: this.errorReplies,
      errors: sorted(this.#errors),
      lost: this.lost,
      lostBy: sorted(this.#lost),
      dropped: this.dropped,
      droppedBy: sorted(this.#dropped),
      latencyMs: summary(this.#latencies),
      errorLatencyMs: summary(this.#errorLatencies),
      servers: shares(this.#servers),
    };
  }
}

/** Adds up every outcome twice: for its policy and for the whole run. */
export class RunTally {
  readonly total = new Tally();
  readonly policies: readonly { name: string; tally: Tally }[];
  /** Requests that left this machine. */
  sent = 0;
  /** Requests with more than one attempt. */
  retried = 0;
  /** Attempts at all requests together. */
  attempts = 0;
  #faultsDue: FaultsDue | null = null;

  constructor(policyNames: readonly string[]) {
    this.policies = policyNames.map((name) => ({ name, tally: new Tally() }));
  }

  /** When the requests that were not answered right were due; null when all were. */
  get faultsDue(): FaultsDue | null {
    return this.#faultsDue;
  }

  /**
   * @param policyIndex position in the list of names
   * @param dueMs       when the request was due, ms after the start of the run
   * @param attempts    how often it was tried; 0 when it was dropped before
   * @see Tally.record
   */
  record(policyIndex: number, outcome: Outcome, latencyMs: number, dueMs: number, attempts: number): void {
    this.attempts += attempts;
    if (attempts > 1) this.retried += 1;
    const isStuckHere = outcome.kind === 'dropped' && outcome.reason === 'no-local-resources';
    if (attempts > (isStuckHere ? 1 : 0)) this.sent += 1;
    this.total.record(outcome, latencyMs);
    this.policies[policyIndex]?.tally.record(outcome, latencyMs);
    if (outcome.kind === 'ok') return;
    const { firstMs, lastMs } = this.#faultsDue ?? { firstMs: dueMs, lastMs: dueMs };
    this.#faultsDue = { firstMs: Math.min(firstMs, dueMs), lastMs: Math.max(lastMs, dueMs) };
  }
}

/** An empty histogram for values in µs, exact to three digits. */
export function histogram(): Histogram {
  return build({ bitBucketSize: 32, autoResize: true, numberOfSignificantValueDigits: 3 });
}

/** Records `ms` milliseconds in a histogram that counts in µs. */
export function recordMs(target: Histogram, ms: number): void {
  target.recordValue(Math.max(0, Math.round(ms * 1000)));
}

/** The percentiles that are reported, of a histogram in µs. */
export function summary(of: Histogram): Latencies {
  const max = of.totalCount === 0 ? 0 : of.maxValue;
  // A percentile is the upper edge of its bucket, which may lie above the largest value seen.
  const at = (percentile: number) => Math.min(of.getValueAtPercentile(percentile), max) / 1000;
  return {
    count: of.totalCount,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p99_9: at(99.9),
    max: max / 1000,
  };
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sorted<K extends string>(counts: Map<K, number>): Record<K, number> {
  return Object.fromEntries([...counts].sort(byKey)) as Record<K, number>;
}

function shares(servers: Map<string, number>): Record<string, ServerShare> {
  let total = 0;
  for (const answers of servers.values()) total += answers;
  return Object.fromEntries(
    [...servers].sort(byKey).map(([id, answers]) => [id, { answers, share: answers / total }]),
  );
}

function byKey(a: [string, number], b: [string, number]): number {
  return a[0].localeCompare(b[0], 'en', { numeric: true });
}
