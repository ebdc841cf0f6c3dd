// pure · what a criterion is, and the words that all findings share.
// Must never let a missing observation look like a good one: who cannot tell says unknown.
import { CannotTell, type Finding, type Verdict } from '../../kit/verdict.ts';
import type { Recording, RequestRow } from '../journal.ts';

/** One thing that a run is judged for. */
export type Criterion = {
  /** For example `no request lost`. */
  name: string;
  /** No slowness of the machine, no broken run explains that it fails: it fails all the same. */
  isUnconditional: boolean;
  judge(recording: Recording): Finding;
};

/** A finding without its name; `limit` only where it depends on what was measured. */
export type Assessment = {
  verdict: Verdict;
  measured: string;
  limit?: string;
  n: number;
  /** The worst case first. */
  details?: readonly string[];
};

/** No finding has more. */
export const MAX_DETAILS = 10;

/**
 * Makes a criterion.
 * @param limit what passes, in words with units
 * @param isUnconditional that it fails can't be explained by the machine or by the run
 * @param assess looks at the recording; may throw `CannotTell`
 */
export function criterion(
  name: string,
  limit: string,
  assess: (recording: Recording) => Assessment,
  { isUnconditional = false }: { isUnconditional?: boolean } = {},
): Criterion {
  return {
    name,
    isUnconditional,
    judge(recording) {
      const assessment = assessOrUnknown(assess, recording);
      return {
        criterion: name,
        verdict: assessment.verdict,
        measured: assessment.measured,
        limit: assessment.limit ?? limit,
        n: assessment.n,
        details: (assessment.details ?? []).slice(0, MAX_DETAILS),
      };
    },
  };
}

function assessOrUnknown(assess: (recording: Recording) => Assessment, recording: Recording): Assessment {
  try {
    return assess(recording);
  } catch (error) {
    if (error instanceof CannotTell) return unknown(error.message);
    throw error;
  }
}

/** An assessment that nothing could be told. */
export function unknown(measured: string, details: readonly string[] = [], n = 0): Assessment {
  return { verdict: 'unknown', measured, n, details };
}

/** The lines of the `badness`-iest items, worst first, no more than a finding holds. */
export function worstLines<Item>(
  items: readonly Item[],
  badness: (item: Item) => number,
  describe: (item: Item) => string,
): string[] {
  return [...items]
    .sort((a, b) => badness(b) - badness(a))
    .slice(0, MAX_DETAILS)
    .map(describe);
}

/** `12.345 s`, for a moment of the run. */
export function moment(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(3)} s` : 'never';
}

/** `46.3 ms`, for a length of time. */
export function millis(ms: number): string {
  return Number.isInteger(ms) ? `${ms} ms` : `${ms.toFixed(1)} ms`;
}

/** `3 evictions`, `1 eviction`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The replica's name, or the server's id where nobody knows it. */
export function nameOf(recording: Recording, serverId: string): string {
  return recording.names[serverId] ?? serverId;
}

/** One request as a line. */
export function describeRequest(recording: Recording, request: RequestRow): string {
  const { dueMs, policy, outcome, latencyMs, attempts, first } = request;
  const isById = outcome === 'ok' || outcome === 'wrong';
  const detail = isById ? `by ${nameOf(recording, request.detail)}` : request.detail;
  const before =
    first === null
      ? ''
      : `, attempt 1 of ${attempts}: ${first.outcome} ${first.detail} at ${moment(first.endMs)}`;
  return `${moment(dueMs)}: policy ${policy}, ${outcome} ${detail} after ${millis(latencyMs)}${before}`;
}
