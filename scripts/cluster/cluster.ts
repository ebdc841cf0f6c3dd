// shell · the cluster as a whole: up and down through Docker Compose. Must never touch another project's containers.
import { createServer } from 'node:net';
import { attempt, run } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { type Outcome, type Progress, SILENT } from '../kit/progress.ts';
import { clusterName, ROOT, readSetting } from '../kit/project.ts';
import { isEngineUp } from './engine.ts';
import { prepareRegisterToken } from './register-token.ts';
import { summarizeDown, summarizeUp } from './summary.ts';

/** What to say when bringing the cluster up or down was interrupted. */
export const MAY_BE_LEFT = 'Containers may be left: "npm stop" removes them, "npm start" goes on.';

const ASK_TIMEOUT_MS = 20_000;
const UP_TIMEOUT_MS = 120_000;
const RESTART_TIMEOUT_MS = 40_000;
const DOWN_TIMEOUT_MS = 120_000;
const DOWN_GRACE_S = 12;

/**
 * Which cluster: `project` is the Compose project's name, `env` what Compose gets on top of the environment, `scale` how
 * many replicas of a service there are to be where that differs from SERVERS_PER_POLICY.
 */
export type Cluster = {
  project?: string | undefined;
  env?: NodeJS.ProcessEnv | undefined;
  scale?: Readonly<Record<string, number>> | undefined;
};

/**
 * Starts whatever of the cluster is not running, and lets go on what is paused; containers that run well, with the
 * same settings, are left alone.
 * @throws Failure when a port is taken, or with Compose's last lines
 */
export async function bringUp(cluster: Cluster = {}, progress: Progress = SILENT): Promise<Outcome> {
  const before = await runningContainers(cluster, progress.signal);
  if (!before.some(({ service }) => service === 'proxy')) await requireFreePorts(cluster);
  const paused = before.filter(({ isPaused }) => isPaused);
  if (paused.length > 0) await dockerAll('unpause', paused, progress);
  // Docker calls what was paused unhealthy until the next look, a minute away, and Compose waits for nobody unhealthy.
  const sick = before.filter(
    ({ service, isPaused, isUnhealthy }) => service === 'proxy' && (isPaused || isUnhealthy),
  );
  if (sick.length > 0) await dockerAll('restart', sick, progress);
  await prepareRegisterToken();
  progress.phase('docker compose up');
  const scale = Object.entries(cluster.scale ?? {}).flatMap(([service, count]) => [
    '--scale',
    `${service}=${count}`,
  ]);
  await run('docker', [...compose(cluster), 'up', '--detach', '--no-build', '--remove-orphans', ...scale], {
    ...at(cluster),
    timeoutMs: UP_TIMEOUT_MS,
    signal: progress.signal,
    onLine: progress.line,
    failure: {
      what: 'The cluster could not be started',
      next: 'Look at "docker compose logs", then run it again.',
    },
  });
  const after = await runningContainers(cluster, progress.signal);
  return summarizeUp({
    before,
    after,
    unpaused: paused.length,
    restarted: sick.length,
  });
}

async function dockerAll(
  command: 'unpause' | 'restart',
  containers: readonly Container[],
  progress: Progress,
): Promise<void> {
  progress.phase(`docker ${command}`);
  await run('docker', [command, ...containers.map(({ id }) => id)], {
    timeoutMs: RESTART_TIMEOUT_MS,
    signal: progress.signal,
    onLine: progress.line,
    failure: {
      what: 'A container that is paused or unhealthy could not be mended',
      next: 'Look at "docker compose ps", or take the cluster down with "npm stop" and start it again.',
    },
  });
}

/**
 * Removes every container and network of the cluster. With nothing there, or no engine, it does nothing.
 * @throws Failure with Compose's last lines
 */
export async function takeDown(cluster: Cluster = {}, progress: Progress = SILENT): Promise<Outcome> {
  const command = compose(cluster);
  if (!(await isEngineUp(progress.signal))) {
    return {
      isSkipped: true,
      summary: 'no Docker Engine with Compose is running here, so nothing is to be stopped',
    };
  }
  const found = await allContainers(cluster, progress.signal);
  const args = ['--profile', 'client', 'down', '--remove-orphans', '--timeout', String(DOWN_GRACE_S)];
  await run('docker', [...command, ...args], {
    ...at(cluster),
    timeoutMs: DOWN_TIMEOUT_MS,
    signal: progress.signal,
    onLine: progress.line,
    failure: {
      what: 'The cluster could not be taken down',
      next: 'Run it again, or look at "docker ps -a".',
    },
  });
  return summarizeDown(found);
}

/** The port that the proxy (`PROXY_PUBLISH_PORT`) or its status listener (`PROXY_PUBLISH_ADMIN_PORT`) has on this machine. */
export function publishedPort(
  name: 'PROXY_PUBLISH_PORT' | 'PROXY_PUBLISH_ADMIN_PORT',
  cluster: Cluster = {},
): number {
  const usual = name === 'PROXY_PUBLISH_PORT' ? 10_000 : 10_080;
  return requirePort(name, cluster.env?.[name] ?? readSetting(name) ?? String(usual));
}

/** How many servers the cluster has in all when it is whole. */
export function wholeClusterSize(cluster: Cluster = {}): number {
  const name = 'SERVERS_PER_POLICY';
  const text = cluster.env?.[name] ?? readSetting(name) ?? '2';
  const each = Number(text);
  if (Number.isInteger(each) && each >= 1 && each <= 100) return 3 * each;
  throw new Failure(`${name} is "${text}".`, 'Set it to a whole number from 1 to 100.', { exitCode: 2 });
}

/** The last lines that the cluster's containers have logged. */
export async function recentLogs(cluster: Cluster, lines: number): Promise<string> {
  const args = [...compose(cluster), 'logs', '--no-color', '--tail', String(lines)];
  return (await attempt('docker', args, { ...at(cluster), timeoutMs: ASK_TIMEOUT_MS })).tail;
}

type Container = { id: string; name: string; service: string; isPaused: boolean; isUnhealthy: boolean };

async function runningContainers(cluster: Cluster, signal: AbortSignal): Promise<Container[]> {
  const filter = `label=com.docker.compose.project=${nameOf(cluster)}`;
  const format = '{{.ID}} {{.Names}} {{.State}} {{.Label "com.docker.compose.service"}} {{.Status}}';
  const args = ['ps', '--filter', filter, '--format', format];
  const { stdout } = await attempt('docker', args, { timeoutMs: ASK_TIMEOUT_MS, signal });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' '))
    .map(([id = '', name = '', state, service = '', ...status]) => ({
      id,
      name,
      service,
      isPaused: state === 'paused',
      isUnhealthy: status.includes('(unhealthy)'),
    }));
}

async function allContainers(cluster: Cluster, signal: AbortSignal): Promise<number> {
  const filter = `label=com.docker.compose.project=${nameOf(cluster)}`;
  const args = ['ps', '--all', '--quiet', '--filter', filter];
  const { stdout } = await attempt('docker', args, { timeoutMs: ASK_TIMEOUT_MS, signal });
  return stdout.split('\n').filter(Boolean).length;
}

// Docker says "driver failed programming external connectivity" and leaves a half-made cluster behind.
async function requireFreePorts(cluster: Cluster): Promise<void> {
  const wanted = [
    { name: 'PROXY_PUBLISH_PORT', host: '0.0.0.0' },
    { name: 'PROXY_PUBLISH_ADMIN_PORT', host: '127.0.0.1' },
  ] as const;
  for (const { name, host } of wanted) {
    const port = publishedPort(name, cluster);
    const problem = await whyNotFree(port, host);
    if (problem === null) continue;
    const { stdout } = await attempt(
      'docker',
      ['ps', '--filter', `publish=${port}`, '--format', '{{.Names}}'],
      {
        timeoutMs: ASK_TIMEOUT_MS,
      },
    );
    const owner = stdout.trim() === '' ? 'another program' : `the container ${stdout.trim().split('\n')[0]}`;
    throw new Failure(
      problem === 'EADDRINUSE'
        ? `Port ${port} is taken by ${owner}.`
        : `Port ${port} can't be used: ${problem}.`,
      `Stop what uses it, or choose another one, in .env so that every command uses it:\n  echo ${name}=${port < 65_535 ? port + 1 : port - 1} >> .env && npm start`,
    );
  }
}

function whyNotFree(port: number, host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

function requirePort(name: string, text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new Failure(`${name} is "${text}".`, 'Set it to a port from 1 to 65535.', { exitCode: 2 });
}

function nameOf({ project }: Cluster): string {
  return project ?? clusterName();
}

function compose(cluster: Cluster): string[] {
  return ['compose', '--ansi', 'never', '--project-name', nameOf(cluster)];
}

function at({ env }: Cluster): { cwd: string; env: NodeJS.ProcessEnv } {
  return { cwd: ROOT, env: { ...process.env, ...env } };
}
