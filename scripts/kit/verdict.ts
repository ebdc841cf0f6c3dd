// pure · the three-valued verdict: what it is, which one counts of several, and what a finding tells of it.

/** `unknown` when the observations show neither. The worst of several counts: fail, then unknown, then pass. */
export type Verdict = 'fail' | 'unknown' | 'pass';

/** The exit code of a command whose result is a verdict. */
export const VERDICT_EXIT_CODES: Readonly<Record<Verdict, number>> = { pass: 0, fail: 1, unknown: 3 };

/** What one criterion found. */
export type Finding = {
  /** For example `no request lost`. */
  criterion: string;
  verdict: Verdict;
  /** What was measured, in words with units. */
  measured: string;
  /** What passes, in words with units. */
  limit: string;
  /** How many observations it rests on. */
  n: number;
  /** The worst cases, a line each. */
  details: string[];
};

export type Judgement = { verdict: Verdict; findings: Finding[] };

/** Thrown where a needed observation is missing: the verdict is unknown, with this message. */
export class CannotTell extends Error {}

const WORST_FIRST: readonly Verdict[] = ['fail', 'unknown', 'pass'];

/** For sorting, the worst first. */
export function compareVerdicts(a: Verdict, b: Verdict): number {
  return WORST_FIRST.indexOf(a) - WORST_FIRST.indexOf(b);
}

/** The worst of several verdicts; of none: unknown. */
export function worstVerdict(verdicts: readonly Verdict[]): Verdict {
  return verdicts.toSorted(compareVerdicts)[0] ?? 'unknown';
}
