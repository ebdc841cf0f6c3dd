// pure · the verdict over one run: every criterion in turn, and the worst of them counts.
// Must never let a criterion that breaks pass, or keep the others from being judged.
import { type Finding, INTERRUPTED, type Judgement, type Recording } from '../journal.ts';
import { type Criterion, worstVerdict } from './criterion.ts';

/** Judges a recording; without any criterion, and of a run that a person has ended, the verdict is unknown. */
export function judge(recording: Recording, criteria: readonly Criterion[]): Judgement {
  const findings = criteria.map((each) => judgeOne(recording, each));
  // What has not had its time can't be held against anybody.
  const isOver = recording.cutShort !== INTERRUPTED;
  return { verdict: isOver ? worstVerdict(findings.map(({ verdict }) => verdict)) : 'unknown', findings };
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
