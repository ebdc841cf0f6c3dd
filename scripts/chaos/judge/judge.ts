// pure · the verdict over one run: every criterion in turn, and the worst of them counts.
// Must never let a criterion that breaks pass, or keep the others from being judged.
import type { Finding, Judgement, Recording } from '../journal.ts';
import { type Criterion, worstVerdict } from './criterion.ts';

/** Judges a recording; without any criterion the verdict is unknown. */
export function judge(recording: Recording, criteria: readonly Criterion[]): Judgement {
  const findings = criteria.map((each) => judgeOne(recording, each));
  return { verdict: worstVerdict(findings.map(({ verdict }) => verdict)), findings };
}

function judgeOne(recording: Recording, each: Criterion): Finding {
  try {
    return each.judge(recording);
  } catch (error) {
    const details =
      error instanceof Error && error.stack !== undefined ? error.stack.split('\n').slice(1, 4) : [];
    return {
      criterion: each.name,
      verdict: 'unknown',
      measured: `The criterion itself failed: ${error instanceof Error ? error.message : String(error)}`,
      limit: 'a criterion that works',
      n: 0,
      details: details.map((line) => line.trim()),
    };
  }
}
