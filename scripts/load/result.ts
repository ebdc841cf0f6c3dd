// pure · what was measured → the result of a run: the document of `--json`, the verdict, the exit code.
// Must never hide a fault behind a rate or an average: every request is in exactly one of the counts.
import type { Histogram } from 'hdr-histogram-js';
import type { LoadOptions } from './options.ts';
import { type Counts, type FaultsDue, type Latencies, type RunTally, summary } from './tally.ts';

/** More than this part of the requests dropped by the generator, and the run proves nothing. */
const MAX_DROPPED_SHARE = 0.001;

const EXIT_OK = 0;
const EXIT_FAULTS = 1;
export const EXIT_UNREACHABLE = 3;
const EXIT_UNKNOWN = 4;
export const EXIT_INTERRUPTED = 130;

/** Raw numbers of a run; times in ms. */
export type Measured = {
  startedAt: string;
  elapsedMs: number;
  /** From the start until the last request was sent, or until the interruption. */
  sendingMs: number;
  wasInterrupted: boolean;
  planned: number;
  due: number;
  strayAnswers: number;
  /** In µs. */
  startLag: Histogram;
  tally: RunTally;
};

/**
 * The result of a run. `due` = ok + wrong + errorReplies + lost + dropped, of the whole and of each policy.
 */
export type LoadResult = Counts & {
  options: LoadOptions;
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
  /** Requests sent per second while sending. */
  achievedRate: number;
  /** How much later than intended the generator itself started the requests; part of every latency. */
  startLagMs: Latencies;
  policies: Record<string, Counts>;
  /** When the requests that were not answered right were due; null when all were. */
  faultsDue: FaultsDue | null;
};

export function makeResult(options: LoadOptions, measured: Measured): LoadResult {
  const total = measured.tally.total.snapshot();
  const { sent, retried, attempts } = measured.tally;
  // The last request's turn lasts until the next would have been due, so that ten requests at 10/s take a second.
  const sendingMs = Math.max(measured.sendingMs, (measured.due * 1000) / options.rate);
  return {
    options,
    startedAt: measured.startedAt,
    elapsedMs: round(measured.elapsedMs),
    wasInterrupted: measured.wasInterrupted,
    planned: measured.planned,
    due: measured.due,
    sent,
    retried,
    attempts,
    answered: total.ok + total.wrong + total.errorReplies,
    strayAnswers: measured.strayAnswers,
    achievedRate: sendingMs === 0 ? 0 : round((sent * 1000) / sendingMs),
    startLagMs: summary(measured.startLag),
    ...total,
    policies: Object.fromEntries(measured.tally.policies.map(({ name, tally }) => [name, tally.snapshot()])),
    faultsDue: measured.tally.faultsDue,
  };
}

/** What a run shows: `faults` (of the system under test), `unknown` (the generator's own shortcomings) or `clean`. */
export function verdictOf(result: LoadResult, allowErrors: boolean): 'clean' | 'faults' | 'unknown' {
  const { lost, wrong, strayAnswers, errorReplies, droppedBy, due } = result;
  if (lost + wrong + strayAnswers > 0) return 'faults';
  if (errorReplies > 0 && !allowErrors) return 'faults';
  const droppedByItself = result.dropped - (droppedBy.interrupted ?? 0);
  return droppedByItself > due * MAX_DROPPED_SHARE ? 'unknown' : 'clean';
}

/** The exit code of a run that was not interrupted. */
export function exitCodeOf(result: LoadResult, allowErrors: boolean): number {
  const verdict = verdictOf(result, allowErrors);
  switch (verdict) {
    case 'clean':
      return EXIT_OK;
    case 'faults':
      return EXIT_FAULTS;
    case 'unknown':
      return EXIT_UNKNOWN;
    default:
      return verdict satisfies never;
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
