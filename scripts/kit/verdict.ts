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

/** What goes before a verdict in a terminal. */
export const MARKS: Readonly<Record<Verdict, string>> = { pass: '✔', fail: '✖', unknown: '?' };
const MAX_DETAILS = 3;

/** One line per finding, the bad ones last, where they are seen; with their worst cases. */
export function formatJudgement({ findings }: Judgement): string {
  const inOrder = findings.toSorted((a, b) => compareVerdicts(b.verdict, a.verdict));
  const width = Math.max(0, ...inOrder.map(({ criterion }) => criterion.length));
  return inOrder.flatMap((finding) => formatFinding(finding, width)).join('\n');
}

function formatFinding({ criterion, verdict, measured, limit, details }: Finding, width: number): string[] {
  const line = `${MARKS[verdict]} ${verdict.padEnd(7)}  ${criterion.padEnd(width)}  ${measured}`;
  if (verdict === 'pass') return [line];
  return [
    `${line} (passes: ${limit})`,
    ...details.slice(0, MAX_DETAILS).map((detail) => `${' '.repeat(13)}${detail}`),
  ];
}
