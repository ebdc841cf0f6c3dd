// Carries a benchmark out: prepares what takes part, measures it in a network of its own, and reports.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireInstalled } from '../kit/install.ts';
import { readMachine } from '../kit/machine.ts';
import { ownNetwork } from '../kit/ports.ts';
import { startProcess } from '../kit/process.ts';
import { ROOT } from '../kit/project.ts';
import { makeReportFolder, shortPath } from '../kit/report-files.ts';
import { type Progress, runOneStep, SILENT } from '../kit/steps.ts';
import { prepareBaseline } from './baseline.ts';
import { type Measured, measureAll } from './measure.ts';
import { prepareNative } from './native.ts';
import { type BenchOptions, SCRIPT_NAME } from './options.ts';
import { cellsOf, planRuns, targetsOf } from './plan.ts';
import { renderPage } from './report/page.ts';
import { formatResult } from './report/text.ts';
import { type BenchResult, figuresOf, isClean, missingRuns } from './result.ts';

const COMMAND = join(ROOT, 'scripts', 'bench.ts');
// Names the folder of the report to the process that measures, and says that it is that process.
const FOLDER_VARIABLE = 'POLICY_PROXY_BENCH_FOLDER';
// What the peers were configured with, beside the report.
const PEERS = 'peers';
// It stops several dozen processes, some of which may take a while.
const STOP_WITHIN_MS = 30_000;

type Prepared = Awaited<ReturnType<typeof prepare>>;

/**
 * Measures what the options ask for, and reports it. The exit code says 1 when requests failed or not everything was
 * measured; after a signal it stays what that says.
 * @param args the command line that the options were read from
 * @throws Failure, or the signal's reason, when nothing was measured at all
 */
export async function runBench(
  options: BenchOptions,
  args: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const inside = process.env[FOLDER_VARIABLE];
  if (inside !== undefined) {
    const prepared = await prepare(options, SILENT);
    await measure(options, args, prepared, inside, 'loopback in a namespace of its own', signal);
    return;
  }
  const folder = await makeReportFolder('bench', options.reportFolder);
  const prepared = await runOneStep(
    signal,
    'What takes part',
    (progress) => prepare(options, progress),
    ({ versions }) => ['ready', ...Object.entries(versions).map((each) => each.join(' '))].join(', '),
    { isOnStderr: options.isJson },
  ).catch(async (error: unknown) => {
    await rm(folder, { recursive: true });
    throw error;
  });
  const network = await ownNetwork(signal);
  if (network === null) {
    await measure(options, args, prepared, folder, "the machine's own loopback", signal);
    return;
  }
  const [program = '', ...before] = network;
  const { child, ended } = await startProcess(program, [...before, process.execPath, COMMAND, ...args], {
    env: { ...process.env, [FOLDER_VARIABLE]: folder },
    sharesOutput: true,
    stopWithinMs: STOP_WITHIN_MS,
    signal,
  });
  await ended;
  process.exitCode ||= child.exitCode ?? 1;
}

async function prepare(options: BenchOptions, progress: Progress) {
  // First, because a version that is not there is soon known.
  const baseline = options.baseline === null ? null : await prepareBaseline(options.baseline, progress);
  const programs = await prepareNative(progress);
  const versions: Record<string, string> = {};
  for (const { name, packages = [], version } of targetsOf(cellsOf(options))) {
    if (version === undefined) continue;
    const isInstalled = async (): Promise<boolean> => (await version({ baseline })) !== null;
    await requireInstalled(name, packages, isInstalled, progress);
    versions[name] = (await version({ baseline })) ?? 'unknown';
  }
  return { programs, baseline, versions };
}

async function measure(
  options: BenchOptions,
  args: readonly string[],
  { programs, baseline, versions }: Prepared,
  folder: string,
  network: string,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = new Date().toISOString();
  const { repetitions, seconds, size, isJson } = options;
  const cells = cellsOf(options);
  const plan = planRuns(cells, repetitions);
  const measured: Measured = { runs: [], problems: [] };
  const work = async (progress: Progress): Promise<void> => {
    const context = { size, baseline, folder: join(folder, PEERS) };
    await measureAll(plan, seconds, programs, context, measured, progress);
  };
  const title = `Side by side: ${plan.length} runs of ${seconds} s`;
  try {
    await runOneStep(signal, title, work, () => 'measured', { isOnStderr: isJson });
  } catch (error) {
    if (measured.runs.length === 0) {
      await rm(folder, { recursive: true });
      throw error;
    }
    if (!signal.aborted) measured.problems.push((error as Error).message);
  }
  const result: BenchResult = {
    version: 2,
    startedAt,
    endedAt: new Date().toISOString(),
    command: [SCRIPT_NAME, ...args].join(' '),
    wasInterrupted: signal.aborted,
    ...measured,
    missing: missingRuns(plan, measured.runs),
    repetitions,
    seconds,
    size,
    machine: { ...(await readMachine()), Network: network, ...versions },
    cells,
    figures: figuresOf(cells, measured.runs),
  };
  await report(result, folder, isJson);
  if (!signal.aborted) process.exitCode = isClean(result) ? 0 : 1;
}

async function report(result: BenchResult, folder: string, isJson: boolean): Promise<void> {
  const say = isJson ? console.error : console.log;
  await Promise.all([
    writeFile(join(folder, 'results.json'), `${JSON.stringify(result, null, 2)}\n`),
    writeFile(join(folder, 'index.html'), renderPage(result)),
  ]);
  say(`\n${formatResult(result)}`);
  if (isJson) console.log(JSON.stringify({ report: folder, ...result }));
  say(`\nThe report: ${shortPath(join(folder, 'index.html'))}`);
}
