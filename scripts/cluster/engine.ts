// shell · finds, installs and starts a Docker Engine with Compose v2, and never stops one: it may run other containers.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { attempt, programEnvironment, run } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { installPackages, readOsRelease } from '../kit/packages.ts';
import { type Outcome, type Progress, SILENT } from '../kit/steps.ts';
import { until } from '../kit/time.ts';
import { type EngineFacts, planEngine } from './engine-plan.ts';

const ASK_TIMEOUT_MS = 20_000;
const DAEMON = 'dockerd';
const LOG_FILE = '/var/log/policy-proxy-dockerd.log';
const LOG_LINES = 12;
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 200;

/**
 * Makes sure that a Docker Engine with Compose v2 answers.
 * @throws Failure, with exit code 2 where the machine is not one on which that can be arranged
 */
export async function prepareEngine(progress: Progress = SILENT): Promise<Outcome> {
  const found = await lookAtEngine(progress.signal);
  const plan = planEngine(found);
  if (plan.kind === 'ready') return { skipped: `${versions(found)} (already running)` };
  if (plan.kind === 'refuse') throw new Failure(plan.what, plan.next, { exitCode: 2 });
  if (plan.install.length > 0) await installPackages(plan.install, progress);
  // A package's own scripts may have started it already.
  if (plan.mustStart && (await lookAtEngine(progress.signal)).engineVersion === null)
    await startEngine(progress);
  const now = await lookAtEngine(progress.signal);
  if (planEngine(now).kind === 'ready') return versions(now);
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
    attempt(DAEMON, ['--version'], options),
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

// Through systemd where that runs the machine, otherwise as a session of its own that outlives this process.
async function startEngine({ phase, signal }: Progress): Promise<void> {
  if (existsSync('/run/systemd/system')) {
    phase('starting the Docker service');
    const failure = { what: 'The Docker service did not start', next: 'Look at "journalctl -u docker".' };
    const args = ['enable', '--now', 'docker'];
    await run('systemctl', args, { timeoutMs: START_TIMEOUT_MS, signal, failure });
    return await waitForEngine(() => false, signal);
  }
  phase(`starting ${DAEMON} (log: ${LOG_FILE})`);
  const log = await open(LOG_FILE, 'a', 0o640);
  const daemon = spawn(DAEMON, [], {
    detached: true,
    env: programEnvironment(),
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  let hasEnded = false;
  const end = (): void => {
    hasEnded = true;
  };
  daemon.once('error', end).once('exit', end).unref();
  await waitForEngine(() => hasEnded, signal);
}

async function waitForEngine(hasEnded: () => boolean, signal: AbortSignal): Promise<void> {
  const look = async (): Promise<'answers' | 'has ended' | null> => {
    const wasOver = hasEnded();
    if ((await attempt('docker', ['info'], { timeoutMs: 10_000, signal })).isOk) return 'answers';
    // Ours may have ended because another one was starting, so the engine is asked once more after that.
    return wasOver ? 'has ended' : null;
  };
  const patience = { withinMs: START_TIMEOUT_MS, everyMs: POLL_MS, signal };
  if ((await until(look, patience)) === 'answers') return;
  const lines = (await readFile(LOG_FILE, 'utf8').catch(() => '')).trimEnd().split('\n');
  const tail = lines.slice(-LOG_LINES).join('\n');
  throw new Failure('The Docker Engine did not start.', `Its whole log is in ${LOG_FILE}.`, { tail });
}
