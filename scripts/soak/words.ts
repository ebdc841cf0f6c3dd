// pure · the judgement of a soak in one sentence.
// Must never name a failure without its number and its bound.
import type { Judgement } from '../kit/verdict.ts';

/** `All 9 criteria held.`, or each that did not: `memory: +2.10 MB a minute … (passes: at most 1 MB more a minute …)`. */
export function describeJudgement({ findings }: Judgement): string {
  const bad = findings.filter(({ verdict }) => verdict !== 'pass');
  if (bad.length === 0) return `All ${findings.length} criteria held.`;
  const parts = bad.map(({ criterion, measured, limit }) => `${criterion}: ${measured} (passes: ${limit})`);
  return `${findings.length - bad.length} of ${findings.length} criteria held; ${parts.join('; ')}.`;
}
