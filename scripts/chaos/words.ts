// pure · what chaos prints: the list of scenarios and faults, how a run stands, and what became of it.
import { MARKS } from '../kit/report/judgement.ts';
import type { Verdict } from '../kit/verdict.ts';
import { clock } from '../kit/words.ts';
import { describeOutcomes } from '../load/exchange.ts';
import { FAULT_FACTS } from './faults/facts.ts';
import type { ProxyView } from './journal.ts';
import { lengthOf, type Plan } from './plan.ts';
import { makePlan, type PlanWishes } from './plans.ts';
import type { Recorder } from './run/recorder.ts';
import type { RunSummary } from './run-plans.ts';
import { DEFAULT_SCENARIO, ownCriteria, SCENARIOS } from './scenarios/index.ts';

/** A plan like most, to say what its scenario is judged by. */
const EXAMPLE: PlanWishes = {
  seed: 1,
  rate: 500,
  services: { 'server-p1': '1', 'server-p2': '2' },
  serversPerPolicy: 3,
  faultsMs: null,
  onlyPolicy: null,
};

/** What `--list` prints: the scenarios with what each passes by, and the faults. */
export function formatList(): string {
  const faults = Object.entries(FAULT_FACTS);
  const names = [...SCENARIOS.map(({ name }) => name), ...faults.map(([kind]) => kind)];
  const width = Math.max(...names.map((name) => name.length));
  const row = (name: string, text: string): string => `  ${name.padEnd(width)}  ${text}`;
  return [
    `Scenarios (--scenario NAME; without it: ${DEFAULT_SCENARIO})`,
    ...SCENARIOS.flatMap((scenario) => {
      const plan = makePlan(scenario, EXAMPLE);
      const seconds = (plan.phases.faultsMs || plan.phases.controlMs) / 1000;
      const where = scenario.engine === undefined ? '' : `, --engine ${scenario.engine}`;
      const criteria = ownCriteria(plan).map(({ name, limit }) => row('', `${name}: ${limit}`));
      return [row(scenario.name, `${scenario.title} (${seconds} s${where})`), ...criteria];
    }),
    '',
    'Faults',
    ...faults.map(([kind, { title, like }]) => row(kind, `${title}: ${like}`)),
  ].join('\n');
}

/**
 * `5 of 6 in rotation`; with several proxies, each of which has a table of its own, `proxy-1 5 of 6, proxy-2 6 of 6 in
 * rotation`. Behind a proxy that does not answer there is none.
 */
export function describeRotation(views: readonly ProxyView[]): string {
  const counts = views.map(({ proxy, tables, listens, closes }) => {
    const isSilent = (closes.at(-1) ?? 0) > (listens.at(-1) ?? 0);
    const servers = tables.at(-1)?.servers ?? [];
    const ready = isSilent ? [] : servers.filter(({ state }) => state === 'ready');
    return `${views.length > 1 ? `${proxy} ` : ''}${ready.length} of ${servers.length}`;
  });
  return `${counts.join(', ')} in rotation`;
}

/** `0:35 of 1:53 · 500/s · 17,432 ok, 0 wrong, 0 errors, 0 lost · 5 of 6 in rotation · pause server-p1-2`. */
export function describeNow(recorder: Recorder, plan: Plan): string {
  const faults = recorder.activeFaults.map(({ kind, targets }) => `${kind} ${targets.join(', ')}`);
  return [
    `${clock(recorder.elapsedMs())} of ${clock(lengthOf(plan))}`,
    `${plan.rate}/s`,
    describeOutcomes(recorder.counts),
    describeRotation(recorder.views),
    ...faults,
  ].join(' · ');
}

/** A line per run. */
export function formatOverview(summaries: readonly RunSummary[]): string {
  const width = Math.max(0, ...summaries.map(({ scenario }) => scenario.length));
  return summaries
    .map(({ scenario, verdict, totals, judgement }) => {
      const bad = judgement.findings.filter((finding) => finding.verdict !== 'pass');
      const why = bad.map(({ criterion, measured }) => `${criterion}: ${measured}`).join('; ');
      const counts = describeOutcomes(totals);
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
