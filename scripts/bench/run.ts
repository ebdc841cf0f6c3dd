// shell · carries a benchmark out: set up, measure, report. Behind `npm run bench`.
// Must never throw away what was measured, whatever happens after it.
import { rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownNetwork } from '../kit/namespace.ts';
import { idleBetween, sampleMachine } from '../kit/process-cost.ts';
import type { Outcome, Progress } from '../kit/progress.ts';
import { folderName, makeReportFolder, shortPath } from '../kit/report-files.ts';
import { runSteps, type Step } from '../kit/steps.ts';
import { type Baseline, prepareBaseline } from './baseline.ts';
import { DEFAULT_GROWTH, formatGrowth, type GrowthPart } from './growth/index.ts';
import { carryOut, type Finding } from './in-worker.ts';
import { type NativePrograms, prepareNative } from './native.ts';
import { type BenchOptions, commandOf } from './options.ts';
import { type PeerPrograms, preparePeers } from './peer-programs.ts';
import { type Cell, cellsOf, estimateSeconds, type PlannedRun, planRuns, targetsOf } from './plan.ts';
import { busyBefore } from './report/glance.ts';
import { renderPage } from './report/page.ts';
import { formatResult } from './report/text.ts';
import { type BenchResult, isClean, type RunRecord } from './result.ts';
import { figuresOf } from './statistics.ts';
import { readMachine } from './versions.ts';

// What the peers were told, beside the report.
const PEERS = 'peers';
// Shorter, and single ticks of 10 ms would be whole percents.
const LOOK_MS = 1000;

/** What is known so far; each step adds to it. */
type Found = {
  programs: NativePrograms | null;
  peers: PeerPrograms | null;
  baseline: Baseline | null;
  runs: RunRecord[];
  growth: BenchResult['growth'];
  /** Part of the machine that was idle before anything was started. */
  idleBefore: number | null;
  /** What puts a command into a network of its own; null where that can't be had. */
  network: readonly string[] | null;
  problem: string | null;
};

/**
 * Measures what the options ask for, and reports it. The exit code says 1 when requests failed or a part could not be
 * measured; after a signal it stays what that says.
 * @throws Failure, or the signal's reason, when nothing was measured at all
 */
export async function runBench(options: BenchOptions, signal: AbortSignal): Promise<void> {
  const startedAt = new Date();
  const cells = cellsOf(options);
  const plan = planRuns(cells, options.repetitions);
  const folder = await makeReportFolder(folderName(startedAt, 'bench'), options.reportFolder);
  const say = options.isJson ? console.error : console.log;
  if (plan.length > 0) {
    const seconds = Math.round(estimateSeconds(plan.length, options.seconds));
    const time = seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
    say(`${plan.length} runs of ${options.seconds} s side by side: about ${time}.`);
  }
  const found: Found = {
    programs: null,
    peers: null,
    baseline: null,
    runs: [],
    growth: null,
    idleBefore: null,
    network: null,
    problem: null,
  };
  try {
    await runSteps(signal, stepsOf(options, plan, folder, found), { isOnStderr: options.isJson });
  } catch (error) {
    if (found.runs.length === 0 && found.growth === null) {
      await rm(join(folder, PEERS), { recursive: true, force: true });
      await rmdir(folder).catch(() => {});
      throw error;
    }
    if (!signal.aborted) found.problem = (error as Error).message;
  }
  const result = await resultOf(options, startedAt, cells, found, signal.aborted);
  await report(result, folder, options.isJson);
  if (!signal.aborted) process.exitCode = isClean(result) ? 0 : 1;
}

function stepsOf(options: BenchOptions, plan: readonly PlannedRun[], folder: string, found: Found): Step[] {
  const steps: Step[] = [
    ...baselineSteps(options, found),
    {
      title: 'Load generator and servers',
      run: async (progress): Promise<Outcome> => {
        found.programs = await prepareNative(progress);
        found.network = await ownNetwork(progress.signal);
        progress.phase('looking for what else is running');
        const before = sampleMachine();
        await sleep(LOOK_MS, undefined, { signal: progress.signal });
        found.idleBefore = idleBetween(before, sampleMachine());
        return { isSkipped: false, summary: readiness(found.idleBefore) };
      },
    },
  ];
  if (plan.length > 0) steps.push(...sideBySide(options, plan, folder, found));
  const parts: GrowthPart[] = [
    ...(options.parts.includes('growth') ? (['servers', 'policies'] as const) : []),
    ...(options.parts.includes('clients') ? (['clients'] as const) : []),
  ];
  if (parts.length === 0) return steps;
  const growth = async (progress: Progress): Promise<Outcome> => {
    const wanted = { ...DEFAULT_GROWTH, parts, pairs: options.repetitions };
    const order = { kind: 'growth', programs: prepared(found.programs), options: wanted } as const;
    await carryOut(order, found.network ?? [], (finding) => keep(finding, found), progress);
    return { isSkipped: false, summary: 'measured' };
  };
  return [...steps, { title: 'Growth', run: growth }];
}

// First, because a version that is not there is soon known.
function baselineSteps({ baseline }: BenchOptions, found: Found): Step[] {
  if (baseline === null) return [];
  const run = async (progress: Progress): Promise<Outcome> => {
    found.baseline = await prepareBaseline(baseline, progress);
    return { isSkipped: false, summary: found.baseline.version };
  };
  return [{ title: 'Baseline', run }];
}

function readiness(idleBefore: number | null): string {
  const words = idleBefore === null ? null : busyBefore(idleBefore);
  return words === null ? 'ready' : `ready, but ${words}`;
}

function sideBySide(
  { seconds, ...choice }: BenchOptions,
  plan: readonly PlannedRun[],
  folder: string,
  found: Found,
): Step[] {
  const targets = targetsOf(cellsOf(choice));
  return [
    {
      title: 'Peers',
      run: async (progress): Promise<Outcome> => {
        const { peers, outcome } = await preparePeers(targets, progress);
        found.peers = peers;
        return outcome;
      },
    },
    {
      title: 'Side by side',
      run: async (progress): Promise<Outcome> => {
        const [programs, peers] = [prepared(found.programs), prepared(found.peers)];
        const arena = { targets, programs, peers, baseline: found.baseline, folder: join(folder, PEERS) };
        const order = { kind: 'series', plan, arena, seconds } as const;
        await carryOut(order, found.network ?? [], (finding) => keep(finding, found), progress);
        return { isSkipped: false, summary: `${found.runs.length} runs` };
      },
    },
  ];
}

function keep(finding: Finding, found: Found): void {
  if (finding.kind === 'record') found.runs.push(finding.record);
  else found.growth = finding.result;
}

async function resultOf(
  options: BenchOptions,
  startedAt: Date,
  cells: readonly Cell[],
  { peers, baseline, runs, growth, idleBefore, network, problem }: Found,
  wasInterrupted: boolean,
): Promise<BenchResult> {
  return {
    version: 1,
    startedAt: startedAt.toISOString(),
    endedAt: new Date().toISOString(),
    command: commandOf(options, baseline?.name ?? options.baseline),
    wasInterrupted,
    problem,
    parts: options.parts,
    repetitions: options.repetitions,
    seconds: options.seconds,
    machine: await readMachine(
      { peers, baseline },
      network === null ? "the machine's own loopback" : 'loopback in a namespace of its own',
    ),
    cells,
    runs,
    figures: figuresOf(cells, runs),
    growth,
    idleBefore,
  };
}

async function report(result: BenchResult, folder: string, isJson: boolean): Promise<void> {
  const say = isJson ? console.error : console.log;
  const growth = result.growth === null ? '' : formatGrowth(result.growth);
  await Promise.all([
    writeFile(join(folder, 'results.json'), `${JSON.stringify(result, null, 2)}\n`),
    writeFile(join(folder, 'index.html'), renderPage(result, growth)),
  ]);
  say(`\n${formatResult(result, growth)}`);
  if (isJson) console.log(JSON.stringify({ report: folder, ...result }));
  say(`\nThe report: ${shortPath(join(folder, 'index.html'))}`);
}

// The steps run in turn, and the first that fails ends them.
function prepared<T>(value: T | null): T {
  if (value === null) throw new Error('The step before has prepared nothing.');
  return value;
}
