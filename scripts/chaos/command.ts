// shell · carries out plans one after the other: set up, run, judge, report, put back. Behind `npm run chaos`.
// Must never say less than it knows: what could not be run, healed or put back makes the verdict unknown.
import { join } from 'node:path';
import { Failure } from '../kit/failure.ts';
import { clusterName } from '../kit/project.ts';
import { folderName, makeReportFolder, pointLatest, shortPath, writeOverview } from '../kit/report-files.ts';
import { runSteps, type Step } from '../kit/steps.ts';
import { VERDICT_EXIT_CODES, type Verdict, worstVerdict } from '../kit/verdict.ts';
import { ChaosCluster } from './docker.ts';
import { carryOutOne, type RunContext, type RunSummary, summaryOfFailure } from './one-run.ts';
import type { ChaosOptions } from './options.ts';
import type { Plan } from './plan.ts';
import { leaveAsFound, setUp } from './set-up.ts';
import { formatLastLine, formatOverview } from './verdict-text.ts';

/** Shows steps as they run; for machines on standard error, in plain lines. */
export type ShowSteps = (signal: AbortSignal, steps: readonly Step[]) => Promise<void>;

/**
 * Carries out the plans and sets the exit code: 0 pass, 1 fail, 3 unknown; after a signal it stays what that says.
 * @throws Failure when the machine or the cluster can't be brought to where a run could begin
 */
export async function carryOut(
  plans: readonly Plan[],
  options: ChaosOptions,
  signal: AbortSignal,
): Promise<void> {
  const show: ShowSteps = (by, steps) => runSteps(by, steps, { isOnStderr: options.isJson });
  const say = options.isJson ? console.error : console.log;
  const isMany = plans.length > 1;
  const name = folderName(new Date(), isMany ? 'all' : (plans[0] as Plan).scenario);
  // First of all, so that nothing is touched when there is nowhere to report to.
  const folder = await makeReportFolder(name, options.reportFolder);
  const cluster = new ChaosCluster(clusterName());
  const { found, undo } = await setUp(cluster, show, signal);
  await pointLatest(folder);
  let summaries: RunSummary[] = [];
  let problem: string | null = null;
  try {
    summaries = await runAll(plans, folder, { cluster, found, undo, show, say }, signal);
  } finally {
    problem = await leaveAsFound(cluster, found, undo, show, options.isKept);
    if (problem !== null) console.error(`\n${problem}`);
  }
  const isIncomplete = summaries.length < plans.length || problem !== null;
  const verdict = worstVerdict([
    ...summaries.map((summary) => summary.verdict),
    ...(isIncomplete ? ['unknown' as const] : []),
  ]);
  if (!signal.aborted) process.exitCode = VERDICT_EXIT_CODES[verdict];
  await tell(verdict, summaries, { folder, isMany, isJson: options.isJson, say });
}

async function runAll(
  plans: readonly Plan[],
  folder: string,
  context: Omit<RunContext, 'folder' | 'heading'>,
  signal: AbortSignal,
): Promise<RunSummary[]> {
  const isMany = plans.length > 1;
  const summaries: RunSummary[] = [];
  for (const [index, plan] of plans.entries()) {
    if (signal.aborted) break;
    const heading = isMany ? `[${index + 1}/${plans.length}] ${plan.scenario}` : plan.scenario;
    const own = isMany ? join(folder, plan.scenario) : folder;
    try {
      summaries.push(await carryOutOne(plan, { ...context, folder: own, heading }, signal));
    } catch (error) {
      // What was measured before an interruption is still told, and one run that can't be made stops no other.
      if (signal.aborted) break;
      if (!isMany) throw error;
      context.say(`\n${error instanceof Failure ? error.toText() : (error as Error).stack}`);
      summaries.push(summaryOfFailure(plan, own, error as Error));
    }
  }
  return summaries;
}

async function tell(
  verdict: Verdict,
  summaries: readonly RunSummary[],
  to: { folder: string; isMany: boolean; isJson: boolean; say: (text: string) => void },
): Promise<void> {
  const { folder, isMany, isJson, say } = to;
  if (isMany) {
    await writeOverview(folder, summaries);
    say(`\n${formatOverview(summaries)}`);
  }
  if (isJson) console.log(JSON.stringify({ verdict, report: folder, runs: summaries }));
  const page = shortPath(join(folder, isMany ? 'index.html' : 'report.html'));
  say(`\n${formatLastLine(verdict, summaries, page)}`);
}
