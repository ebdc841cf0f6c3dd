// shell · finds, installs and starts a Docker Engine with Compose v2: the first step from nothing to running.
// Must never install or start anything when "docker info" and "docker compose version" both answer.
import { attempt } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { installPackages, readOsRelease } from '../kit/packages.ts';
import { type Outcome, type Progress, SILENT } from '../kit/progress.ts';
import { startDaemon } from './daemon.ts';
import { type EngineFacts, planEngine } from './engine-plan.ts';

const ASK_TIMEOUT_MS = 20_000;

/**
 * Makes sure that a Docker Engine with Compose v2 answers.
 * @throws Failure, with exit code 2 where the machine is not one on which that can be arranged
 */
export async function prepareEngine(progress: Progress = SILENT): Promise<Outcome> {
  const found = await lookAtEngine(progress.signal);
  const plan = planEngine(found);
  switch (plan.kind) {
    case 'ready':
      return { isSkipped: true, summary: `${versions(found)} (already running)` };
    case 'refuse':
      throw new Failure(plan.what, plan.next, { exitCode: 2 });
    case 'act':
      break;
    default:
      plan satisfies never;
  }
  if (plan.install.length > 0) await installPackages(plan.install, progress);
  // A package's own scripts may have started it already.
  if (plan.mustStart && (await lookAtEngine(progress.signal)).engineVersion === null)
    await startDaemon(progress);
  const now = await lookAtEngine(progress.signal);
  if (planEngine(now).kind === 'ready') return { isSkipped: false, summary: versions(now) };
  throw new Failure(
    'Docker was set up, but "docker info" and "docker compose version" do not both answer.',
    'Run them by hand to see why; another docker program earlier in PATH is the usual reason.',
  );
}

/** Whether an engine and Compose answer at all; never installs or starts anything. */
export async function isEngineUp(signal?: AbortSignal): Promise<boolean> {
  const facts = await lookAtEngine(signal);
  return facts.engineVersion !== null && facts.composeVersion !== null;
}

async function lookAtEngine(signal?: AbortSignal): Promise<EngineFacts> {
  const options = { timeoutMs: ASK_TIMEOUT_MS, signal };
  const [info, compose, daemon, os] = await Promise.all([
    attempt('docker', ['info', '--format', '{{.ServerVersion}}'], options),
    attempt('docker', ['compose', 'version', '--short'], options),
    attempt('dockerd', ['--version'], options),
    readOsRelease(),
  ]);
  const version = info.stdout.trim();
  return {
    hasCli: info.outcome !== 'not found',
    engineVersion: info.isOk && version !== '' ? version : null,
    engineProblem: info.tail,
    composeVersion: compose.isOk ? compose.stdout.trim() : null,
    hasDaemonProgram: daemon.isOk,
    dockerHost: process.env.DOCKER_HOST ?? '',
    isRoot: process.getuid?.() === 0,
    os,
  };
}

function versions(facts: EngineFacts): string {
  return `Docker Engine ${facts.engineVersion}, Compose ${facts.composeVersion}`;
}
