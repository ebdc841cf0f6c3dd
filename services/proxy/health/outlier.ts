// pure · what is kept against a server whose probes pass while its real requests fail: lies, suspicions, ejections.
// Must never look at probes, or forget an ejection because a single request went well.
import type { Circumstances, Health, Thresholds } from './health.ts';

/** A silent server is suspected, and cleared by a probe, once in this time at most. */
export const SILENCE_COUNTS_AGAIN_MS = 1000;

const SUSPICIONS_WITHIN_MS = 10_000;
const MAX_SUSPICIONS = 16;
// So many in this time are cleared as soon as a probe passes.
const FREE_SUSPICIONS = 3;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;

/**
 * The record of a server that becomes suspect now because a real request failed on it. The first three times within 10 s the
 * next good probe clears it; from then on it stays out for longer each time, as a route that flaps does (RFC 2439).
 */
export function withSuspicion(health: Health, nowMs: number): Health {
  const recentMs = health.suspectedMs.filter((ms) => nowMs - ms < SUSPICIONS_WITHIN_MS);
  const suspectedMs = [...recentMs, nowMs].slice(-MAX_SUSPICIONS);
  const excess = suspectedMs.length - FREE_SUSPICIONS;
  const waitMs = excess <= 0 ? 0 : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (excess - 1));
  return { ...health, suspectedMs, clearFromMs: nowMs + waitMs };
}

/** The times of the last wrong answers, oldest first; `fall` of them at most. */
export function withWrongAnswer(
  health: Health,
  { fall, wrongAnswersWithinMs }: Thresholds,
  nowMs: number,
): Health {
  const recentMs = health.wrongAnswersMs.filter((ms) => nowMs - ms < wrongAnswersWithinMs);
  return { ...health, wrongAnswersMs: [...recentMs, nowMs].slice(-fall) };
}

/** Whether it has given so many wrong answers lately that it has to go. */
export function isLiar({ wrongAnswersMs }: Health, { fall }: Thresholds): boolean {
  return wrongAnswersMs.length >= fall;
}

/** `2 wrong answers within 10 s`. */
export function lies({ wrongAnswersMs }: Health, { wrongAnswersWithinMs }: Thresholds): string {
  const count = wrongAnswersMs.length;
  return `${count} wrong answer${count === 1 ? '' : 's'} within ${wrongAnswersWithinMs / 1000} s`;
}

/**
 * The record of a server that is ejected now, and how long it stays out. The penalty doubles with each ejection, also
 * when trials pass in between: nineteen in twenty do with a server that lies in one answer of twenty. Only a time in
 * rotation without an ejection wipes the record; a trial is no such time, since it may wait for its request for hours.
 */
export function withEjection(
  health: Health,
  thresholds: Thresholds,
  at: Circumstances,
): { health: Health; penaltyMs: number } {
  const isForgiven =
    health.state === 'ready' && at.nowMs - health.readySinceMs >= thresholds.forgiveEjectionsAfterMs;
  const before = isForgiven ? 0 : health.ejections;
  const doubledMs = Math.min(thresholds.maxPenaltyMs, thresholds.penaltyMs * 2 ** before);
  const penaltyMs = doubledMs * (0.9 + 0.2 * at.random);
  return {
    health: { ...health, ejections: before + 1, penaltyEndsMs: at.nowMs + penaltyMs },
    penaltyMs,
  };
}
