// What is kept against a server whose probes pass while its real requests fail: wrong answers, suspicions, ejections.
import { jittered } from '../../shared/backoff.ts';

export type OutlierRecord = Readonly<{
  /** How often it was ejected since it was last in rotation for long enough; the penalty doubles with each. */
  ejections: number;
  penaltyEndsMs: number;
  /** When it gave its last wrong answers, monotonic ms, oldest first. */
  wrongAnswersMs: readonly number[];
  /** When it was last suspected because of real requests, monotonic ms, oldest first. */
  suspectedMs: readonly number[];
  /** A suspect that was suspected again and again is not cleared before then, monotonic ms. */
  clearFromMs: number;
  /** When it was last suspected because it was silent, monotonic ms. */
  silentSinceMs: number;
}>;

export const CLEAN_RECORD: OutlierRecord = {
  ejections: 0,
  penaltyEndsMs: 0,
  wrongAnswersMs: [],
  suspectedMs: [],
  clearFromMs: 0,
  silentSinceMs: Number.NEGATIVE_INFINITY,
};

/** A silent server is suspected, and cleared by a probe, once in this time at most. */
export const SILENCE_COUNTS_AGAIN_MS = 1000;

const PENALTY_MS = 1000;
const MAX_PENALTY_MS = 60_000;
const PENALTY_JITTER = 0.1;
// The longest penalty, and well above the time in which an outlier shows itself again (ten seconds, or five requests):
// ten times the last penalty would forgive a liar after its first one as soon as the quietest policy could convict it.
const FORGIVE_EJECTIONS_AFTER_MS = 60_000;
const WRONG_ANSWERS_WITHIN_MS = 10_000;
const SUSPICIONS_WITHIN_MS = 10_000;
const MAX_SUSPICIONS = 16;
// So many in this time are cleared as soon as a probe passes.
const FREE_SUSPICIONS = 3;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;

/**
 * A server that becomes suspect now because a real request failed on it. The first three times within 10 s the next good
 * probe clears it; from then on it stays out for longer each time, as a route that flaps does (RFC 2439).
 */
export function withSuspicion<T extends OutlierRecord>(record: T, nowMs: number): T {
  const recentMs = record.suspectedMs.filter((ms) => nowMs - ms < SUSPICIONS_WITHIN_MS);
  const suspectedMs = [...recentMs, nowMs].slice(-MAX_SUSPICIONS);
  const excess = suspectedMs.length - FREE_SUSPICIONS;
  const waitMs = excess <= 0 ? 0 : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (excess - 1));
  return { ...record, suspectedMs, clearFromMs: nowMs + waitMs };
}

/** A server that has given a wrong answer now; `fall` of them are kept at most. */
export function withWrongAnswer<T extends OutlierRecord>(record: T, fall: number, nowMs: number): T {
  const recentMs = record.wrongAnswersMs.filter((ms) => nowMs - ms < WRONG_ANSWERS_WITHIN_MS);
  return { ...record, wrongAnswersMs: [...recentMs, nowMs].slice(-fall) };
}

/** Why it is ejected for its wrong answers; null when there are not enough of them. */
export function whyLiar({ wrongAnswersMs: { length } }: OutlierRecord, fall: number): string | null {
  if (length < fall) return null;
  return `${length} wrong answer${length === 1 ? '' : 's'} within ${WRONG_ANSWERS_WITHIN_MS / 1000} s`;
}

/**
 * A server that is ejected now. The penalty doubles with each ejection, also when trials pass in between: nineteen in twenty
 * do with a server that lies in one answer of twenty. Only a time in rotation without an ejection wipes the record.
 * @param servedMs how long it has been in rotation without an ejection; a trial is no such time
 * @param random   from 0 to 1, for the jitter
 */
export function withEjection<T extends OutlierRecord>(
  record: T,
  servedMs: number,
  nowMs: number,
  random: number,
): T {
  const before = servedMs >= FORGIVE_EJECTIONS_AFTER_MS ? 0 : record.ejections;
  const doubledMs = Math.min(MAX_PENALTY_MS, PENALTY_MS * 2 ** before);
  const penaltyEndsMs = nowMs + jittered(doubledMs, random, PENALTY_JITTER);
  return { ...record, ejections: before + 1, penaltyEndsMs };
}
