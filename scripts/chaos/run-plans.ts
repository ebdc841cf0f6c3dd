// shell · plans one after the other: set up, run, judge, report, put back. What could not be done makes the verdict unknown.
import { join } from 'node:path';
import { reportFault } from '../cluster/operator.ts';
import { readRegisterToken } from '../cluster/secrets.ts';
import type { ServerService } from '../cluster/services.ts';
import { Failure } from '../kit/failure.ts';
import { formatJudgement } from '../kit/report/judgement.ts';
import { makeReportFolder, pointLatest, shortPath } from '../kit/report-files.ts';
import { runSteps } from '../kit/steps.ts';
import { type Judgement, VERDICT_EXIT_CODES, type Verdict, worstVerdict } from '../kit/verdict.ts';
import { noOutcomes, type Outcome } from '../load/exchange.ts';
import type { ShowSteps } from './cluster.ts';
import { judge } from './judge/judge.ts';
import type { ChaosOptions } from './options.ts';
import type { Plan } from './plan.ts';
import { type RunSetting, recordRun } from './run/run.ts';
import { criteriaOf, scenarioOf } from './scenarios/index.ts';
import { composeStage, type Stage, swarmStage } from './stage.ts';
import { formatLastLine, formatOverview } from './words.ts';
import { countOutcomes, readVersions, writeOverview, writeReport } from './write-report.ts';

/** What remains of a run once its report is written. */
export type RunSummary = {
  scenario: string;
  title: string;
  seed: number;
  verdict: Verdict;
  judgement: Judgement;
  totals: Record<Outcome, number>;
  leftovers: readonly string[];
  /** Absolute path of its report. */
  folder: string;
};

type Context = {
  stage: Stage;
  /** Where the reports go. */
  folder: string;
  show: ShowSteps;
  say: (text: string) => void;
};

/**
 * Runs the plans and sets the exit code: 0 pass, 1 fail, 3 unknown; after a signal it stays what that says.
 * @param services the cluster's services of servers
 * @throws Failure when the machine or the cluster can't be brought to where a run could begin
 */
export async function runPlans(
  plans: readonly Plan[],
  services: readonly ServerService[],
  { isJson, isKept, reportFolder, from }: ChaosOptions,
  signal: AbortSignal,
): Promise<void> {
  const show: ShowSteps = (by, steps) => runSteps(by, steps, { isOnStderr: isJson });
  const say = isJson ? console.error : console.log;
  const isMany = plans.length > 1;
  // First of all, so that nothing is touched when there is nowhere to report to.
  const folder = await makeReportFolder(isMany ? 'all' : (plans[0] as Plan).scenario, reportFolder);
  const isSwarm = scenarioOf(plans[0] as Plan).engine === 'swarm';
  const stage = await (isSwarm ? swarmStage(show, signal) : composeStage(services, from, show, signal));
  await pointLatest(folder);
  let summaries: RunSummary[] = [];
  let problem: string | null = null;
  try {
    summaries = await runAll(plans, { stage, folder, show, say }, signal);
  } finally {
    problem = await stage.leave(isKept);
    if (problem !== null) console.error(`\n${problem}`);
  }
  const verdicts = summaries.map((summary) => summary.verdict);
  const isIncomplete = summaries.length < plans.length || problem !== null;
  const verdict = worstVerdict(isIncomplete ? [...verdicts, 'unknown'] : verdicts);
  if (!signal.aborted) process.exitCode = VERDICT_EXIT_CODES[verdict];
  if (isMany) {
    await writeOverview(folder, summaries);
    say(`\n${formatOverview(summaries)}`);
  }
  if (isJson) console.log(JSON.stringify({ verdict, report: folder, runs: summaries }));
  const page = shortPath(join(folder, isMany ? 'index.html' : 'report.html'));
  say(`\n${formatLastLine(verdict, summaries, page)}`);
}

async function runAll(plans: readonly Plan[], context: Context, signal: AbortSignal): Promise<RunSummary[]> {
  const isMany = plans.length > 1;
  const summaries: RunSummary[] = [];
  for (const [index, plan] of plans.entries()) {
    if (signal.aborted) break;
    const { title } = scenarioOf(plan);
    const number = isMany ? `[${index + 1}/${plans.length}] ` : '';
    context.say(`\n${number}${plan.scenario}: ${title} (seed ${plan.seed})`);
    const folder = isMany ? join(context.folder, plan.scenario) : context.folder;
    try {
      summaries.push(await runOne(plan, { ...context, folder }, signal));
    } catch (error) {
      // What was measured before an interruption is still reported, and one run that can't be made stops no other.
      if (signal.aborted) break;
      if (!isMany) throw error;
      context.say(`\n${error instanceof Failure ? error.toText() : (error as Error).stack}`);
      summaries.push(summaryOfFailure(plan, folder, error as Error));
    }
  }
  return summaries;
}

/** Sets the cluster up, runs, judges and reports. @throws Failure when the cluster does not become what the plan wants */
async function runOne(plan: Plan, context: Context, signal: AbortSignal): Promise<RunSummary> {
  const { stage, folder, show, say } = context;
  const { title } = scenarioOf(plan);
  const prepared = await stage.prepare(plan, signal);
  const { proxies, target } = prepared;
  const token = readRegisterToken();
  const report: RunSetting['report'] = async (fault) => {
    if (token === null) return;
    await Promise.all(proxies.map(({ adminUrl }) => reportFault(adminUrl, fault, token)));
  };
  const recording = await recordRun({ ...prepared, plan, report, show }, signal);
  const judgement = judge(recording, criteriaOf(plan));
  const versions = { ...(await readVersions()), ...stage.images, 'load went to': target };
  const replay = `npm run chaos -- --replay ${shortPath(join(folder, 'plan.json'))}`;
  await writeReport(folder, { title: `${plan.scenario}: ${title}`, recording, judgement, versions, replay });
  say(`\n${formatJudgement(judgement)}`);
  const { leftovers } = recording;
  return summaryOf(plan, folder, { judgement, totals: countOutcomes(recording), leftovers });
}

function summaryOf(
  plan: Plan,
  folder: string,
  more: Pick<RunSummary, 'judgement' | 'totals' | 'leftovers'>,
): RunSummary {
  const { scenario, seed } = plan;
  return { scenario, title: scenarioOf(plan).title, seed, verdict: more.judgement.verdict, ...more, folder };
}

/** The summary of a run that could not be made. */
function summaryOfFailure(plan: Plan, folder: string, { message: measured }: Error): RunSummary {
  const limit = 'a cluster that becomes whole';
  const finding = { criterion: 'the run could be made', measured, limit, n: 0, details: [] };
  const judgement: Judgement = { verdict: 'unknown', findings: [{ ...finding, verdict: 'unknown' }] };
  return summaryOf(plan, folder, { judgement, totals: noOutcomes(), leftovers: [] });
}
