// pure · verdicts in words, for a terminal. Must never tell a verdict by colour alone.
import { compareVerdicts, type Finding, type Judgement, type Verdict } from '../kit/verdict.ts';
import type { RunSummary } from './one-run.ts';

const MARKS: Record<Verdict, string> = { pass: '✔', fail: '✖', unknown: '?' };
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

/** A line per run. */
export function formatOverview(summaries: readonly RunSummary[]): string {
  const width = Math.max(0, ...summaries.map(({ scenario }) => scenario.length));
  return summaries
    .map(({ scenario, verdict, totals, judgement }) => {
      const bad = judgement.findings.filter((finding) => finding.verdict !== 'pass');
      const why = bad.map(({ criterion, measured }) => `${criterion}: ${measured}`).join('; ');
      const sent = totals.ok + totals.wrong + totals.error + totals.lost;
      const counts = `${sent} requests, ${totals.wrong} wrong, ${totals.error} errors, ${totals.lost} lost`;
      return `${MARKS[verdict]} ${verdict.padEnd(7)}  ${scenario.padEnd(width)}  ${counts}${why && `: ${why}`}`;
    })
    .join('\n');
}

/** The last line of all: the verdict, and where to read more. */
export function formatLastLine(verdict: Verdict, summaries: readonly RunSummary[], report: string): string {
  if (summaries.length === 0) return `${MARKS[verdict]} ${verdict}: nothing was measured`;
  const count = (wanted: Verdict): number => summaries.filter((summary) => summary.verdict === wanted).length;
  const counts = (['pass', 'fail', 'unknown'] as const)
    .filter((wanted) => count(wanted) > 0)
    .map((wanted) => `${count(wanted)} ${wanted}`)
    .join(', ');
  return `${MARKS[verdict]} ${verdict}${summaries.length > 1 ? ` (${counts})` : ''}: ${report}`;
}
