// shell · carries out plans one after the other: set up, run, judge, report, put back. Behind `npm run chaos`.
// Must never throw the undo file away before everything is healed and as it was found.
import { join } from 'node:path';
import { prepareAppImage } from '../bootstrap/app-image.ts';
import { prepareEngine } from '../bootstrap/engine.ts';
import { prepareNodeImage } from '../bootstrap/node-image.ts';
import { clusterName } from '../bootstrap/project.ts';
import { runSteps, type Step } from '../bootstrap/steps.ts';
import { lookAround, putBack } from './arrange.ts';
import { ChaosCluster } from './docker.ts';
import { healLeftovers } from './heal.ts';
import type { Verdict } from './journal.ts';
import { worstVerdict } from './judge/criterion.ts';
import { carryOutOne, type RunSummary } from './one-run.ts';
import type { ChaosOptions } from './options.ts';
import type { Plan } from './plan.ts';
import { folderName, makeReportFolder, shortPath, writeOverview } from './report-files.ts';
import { type FoundCluster, openUndo, readUndo } from './undo.ts';
import { formatLastLine, formatOverview } from './verdict-text.ts';

const EXIT_CODES: Record<Verdict, number> = { pass: 0, fail: 1, unknown: 3 };

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
  const cluster = new ChaosCluster(clusterName());
  const found = await setUp(cluster, show, signal);
  const isMany = plans.length > 1;
  const name = folderName(new Date(), isMany ? 'all' : (plans[0] as Plan).scenario);
  const folder = await makeReportFolder(name, options.reportFolder);
  const undo = openUndo(cluster.project, found);
  const context = { cluster, found, undo, show, say };
  const summaries: RunSummary[] = [];
  try {
    for (const [index, plan] of plans.entries()) {
      if (signal.aborted) break;
      const heading = isMany ? `[${index + 1}/${plans.length}] ${plan.scenario}` : plan.scenario;
      const own = isMany ? join(folder, plan.scenario) : folder;
      summaries.push(await carryOutOne(plan, { ...context, folder: own, heading }, signal));
    }
  } catch (error) {
    // What was measured before the interruption is still told.
    if (!signal.aborted) throw error;
  } finally {
    const isWhole = summaries.every(({ leftovers }) => leftovers.length === 0);
    if (isWhole && (options.isKept || (await isPutBack(cluster, found, show)))) undo.close();
  }
  const verdict = worstVerdict([
    ...summaries.map((summary) => summary.verdict),
    ...(summaries.length < plans.length ? ['unknown' as const] : []),
  ]);
  if (!signal.aborted) process.exitCode = EXIT_CODES[verdict];
  await tell(verdict, summaries, { folder, isMany, isJson: options.isJson, say });
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

async function setUp(
  cluster: ChaosCluster,
  show: ShowSteps,
  signal: AbortSignal,
): Promise<FoundCluster | null> {
  let found: FoundCluster | null = null;
  await show(signal, [
    { title: 'Docker Engine and Compose', run: prepareEngine },
    { title: 'Image with Node 24', run: prepareNodeImage },
    { title: 'Image of the cluster', run: prepareAppImage },
    {
      title: 'What is there',
      run: async (progress) => {
        const left = await readUndo(cluster.project);
        const healed = await healLeftovers(cluster.project, progress);
        const now = await lookAround(cluster);
        // What a killed run had found is what there was before anybody broke anything.
        found = left === null || now === null ? now : left.found;
        return { isSkipped: false, summary: healed ?? describeFound(found) };
      },
    },
  ]);
  return found;
}

function describeFound(found: FoundCluster | null): string {
  if (found === null) return 'no cluster yet: it goes again afterwards';
  const count = Object.values(found.services).reduce((sum, replicas) => sum + replicas, 0);
  return `a cluster of ${count} containers: it is put back as it is now`;
}

// Not under the run's signal: after Ctrl-C the cluster is put back all the same.
async function isPutBack(
  cluster: ChaosCluster,
  found: FoundCluster | null,
  show: ShowSteps,
): Promise<boolean> {
  try {
    const step: Step = { title: 'As it was found', run: (progress) => putBack(cluster, found, progress) };
    await show(new AbortController().signal, [step]);
    return true;
  } catch (error) {
    console.error(`The cluster could not be put back as it was: ${(error as Error).message}`);
    return false;
  }
}
