// shell · one plan from the cluster that it wants to the report on disk.
// Must never let a run end without a verdict: what could not be run is unknown.
import { join } from 'node:path';
import { publishedPort } from '../cluster/cluster.ts';
import { countOutcomes, shortPath, writeReport } from '../kit/report-files.ts';
import { arrange, composeSettings } from './arrange.ts';
import type { ShowSteps } from './command.ts';
import type { ChaosCluster } from './docker.ts';
import { healCluster } from './heal.ts';
import type { Finding, Judgement, Outcome, Verdict } from './journal.ts';
import { judge } from './judge/judge.ts';
import type { Plan } from './plan.ts';
import { loadTarget } from './run/load-target.ts';
import { runPlan } from './run/run-scenario.ts';
import { criteriaOf } from './scenarios/common.ts';
import { findScenario } from './scenarios/index.ts';
import type { Scenario } from './scenarios/scenario.ts';
import type { FoundCluster, SavedNetworks, UndoLog } from './undo.ts';
import { formatJudgement } from './verdict-text.ts';
import { readVersions } from './versions.ts';

/** What remains of a run once its report is written. */
export type RunSummary = {
  scenario: string;
  title: string;
  seed: number;
  verdict: Verdict;
  judgement: Judgement;
  totals: Record<Outcome, number>;
  leftovers: readonly string[];
  /** Absolute path. */
  folder: string;
};

export type RunContext = {
  cluster: ChaosCluster;
  found: FoundCluster | null;
  undo: UndoLog;
  /** Where the report goes. */
  folder: string;
  /** What it is called while it runs. */
  heading: string;
  show: ShowSteps;
  say: (text: string) => void;
};

/**
 * Sets the cluster up, runs, judges and reports.
 * @throws Failure when the cluster does not become what the plan wants
 */
export async function carryOutOne(plan: Plan, context: RunContext, signal: AbortSignal): Promise<RunSummary> {
  const { cluster, found, undo, folder, heading, show, say } = context;
  const { title } = findScenario(plan.scenario) as Scenario;
  say(`\n${heading}: ${title} (seed ${plan.seed})`);
  const env = composeSettings(plan, found);
  const adminUrl = `http://127.0.0.1:${publishedPort('PROXY_PUBLISH_ADMIN_PORT', { env })}`;
  await show(signal, [{ title: 'Cluster', run: (progress) => arrange(plan, found, adminUrl, progress) }]);
  const networks = await savedNetworks(cluster);
  const setting = {
    plan,
    cluster,
    adminUrl,
    proxy: await loadTarget(cluster, publishedPort('PROXY_PUBLISH_PORT', { env })),
    remember: (fault: Plan['faults'][number]) => undo.note(fault, networks),
    heal: () => healCluster(cluster, networks),
    show,
  };
  const recording = await runPlan(setting, signal);
  const judgement = judge(recording, criteriaOf(plan));
  const versions = { ...(await readVersions()), 'load went to': setting.proxy };
  const replay = `npm run chaos -- --replay ${shortPath(join(folder, 'plan.json'))}`;
  await writeReport(folder, { title: `${plan.scenario}: ${title}`, recording, judgement, versions, replay });
  say(`\n${formatJudgement(judgement)}`);
  return {
    scenario: plan.scenario,
    title,
    seed: plan.seed,
    verdict: judgement.verdict,
    judgement,
    totals: countOutcomes(recording),
    leftovers: recording.leftovers,
    folder,
  };
}

// A container that is cut off no longer tells under which names it was known.
async function savedNetworks(cluster: ChaosCluster): Promise<SavedNetworks> {
  const replicas = await cluster.replicas();
  const entries = await Promise.all(
    replicas.map(async (replica) => [replica.name, await cluster.aliasesOf(replica)] as const),
  );
  return Object.fromEntries(entries);
}

/** What is told of a run that could not be made. */
export function summaryOfFailure(plan: Plan, folder: string, { message }: Error): RunSummary {
  const finding: Finding = {
    criterion: 'the run could be made',
    verdict: 'unknown',
    measured: message,
    limit: 'a cluster that becomes whole',
    n: 0,
    details: [],
  };
  return {
    scenario: plan.scenario,
    title: (findScenario(plan.scenario) as Scenario).title,
    seed: plan.seed,
    verdict: 'unknown',
    judgement: { verdict: 'unknown', findings: [finding] },
    totals: { ok: 0, wrong: 0, error: 0, lost: 0, dropped: 0 },
    leftovers: [],
    folder,
  };
}
