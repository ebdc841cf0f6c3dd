// pure · the verdict over one run: every criterion in turn, and the worst of them counts.
// Must never let a criterion that breaks pass, or keep the others from being judged.

import { worstVerdict } from '../../kit/verdict.ts';
import { type Finding, INTERRUPTED, type Judgement, type Recording } from '../journal.ts';
import { type Criterion, MAX_DETAILS, plural } from './criterion.ts';
import { isConntrackFull, maxConntrack } from './machine.ts';

/**
 * Judges a recording; without any criterion the verdict is unknown. In a run that tested nothing, or was spoilt from
 * outside, what fails is unknown, but for what nothing explains.
 */
export function judge(recording: Recording, criteria: readonly Criterion[]): Judgement {
  const spoilt = whySpoilt(recording);
  const findings = criteria.map((each) => {
    const finding = judgeOne(recording, each);
    if (spoilt === null || finding.verdict !== 'fail' || each.isUnconditional) return finding;
    const details = [`It would be a fail, but ${spoilt}.`, ...finding.details].slice(0, MAX_DETAILS);
    return { ...finding, verdict: 'unknown' as const, details };
  });
  const verdict = worstVerdict(findings.map((finding) => finding.verdict));
  return { verdict: spoilt !== null && verdict === 'pass' ? 'unknown' : verdict, findings };
}

/** Why nothing that failed in this run can be held against the proxy; null when it can. */
function whySpoilt(recording: Recording): string | null {
  const { plan, faults, cutShort } = recording;
  // What has not had its time can't be held against anybody.
  if (cutShort === INTERRUPTED) return cutShort;
  if (plan.faults.length > 0 && !faults.some(({ isProven }) => isProven)) {
    return `none of ${plural(plan.faults.length, 'planned fault')} happened`;
  }
  if (!isConntrackFull(recording)) return null;
  return `the kernel tracked ${maxConntrack(recording)} connections, which slows Docker's network`;
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
