// shell · the cluster as a whole: up and down through Docker Compose. Must never touch another project's containers.
import { createServer } from 'node:net';
import { attempt, run } from './command.ts';
import { isEngineUp } from './engine.ts';
import { Failure } from './failure.ts';
import { type Outcome, type Progress, SILENT } from './progress.ts';
import { ROOT, readSetting } from './project.ts';

const PROJECT = 'policy-proxy';
const ASK_TIMEOUT_MS = 20_000;
const UP_TIMEOUT_MS = 120_000;
const DOWN_TIMEOUT_MS = 120_000;
const DOWN_GRACE_S = 12;

/** Which cluster: `project` is the Compose project's name, `env` what Compose gets on top of the environment. */
export type Cluster = { project?: string | undefined; env?: NodeJS.ProcessEnv | undefined };

/**
 * Starts whatever of the cluster is not running; containers that run with the same settings are left alone.
 * @throws Failure when a port is taken, or with Compose's last lines
 */
export async function bringUp(cluster: Cluster = {}, progress: Progress = SILENT): Promise<Outcome> {
  const before = await runningContainers(cluster, progress.signal);
  if (!before.some(({ service }) => service === 'proxy')) await requireFreePorts(cluster);
  progress.phase('docker compose up');
  await run('docker', [...compose(cluster), 'up', '--detach', '--no-build', '--remove-orphans'], {
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
  const known = new Set(before.map(({ id }) => id));
  const started = after.filter(({ id }) => !known.has(id)).length;
  return started === 0 && before.length === after.length
    ? { isSkipped: true, summary: `${after.length} containers (already running)` }
    : { isSkipped: false, summary: `${after.length} containers, ${started} of them just started` };
}

/**
 * Removes every container and network of the cluster. With nothing there, or no engine, it does nothing.
 * @throws Failure with Compose's last lines
 */
export async function takeDown(cluster: Cluster = {}, progress: Progress = SILENT): Promise<Outcome> {
  if (!(await isEngineUp(progress.signal))) {
    return {
      isSkipped: true,
      summary: 'no Docker Engine with Compose is running here, so nothing is to be stopped',
    };
  }
  const found = await allContainers(cluster, progress.signal);
  const args = ['--profile', 'client', 'down', '--remove-orphans', '--timeout', String(DOWN_GRACE_S)];
  await run('docker', [...compose(cluster), ...args], {
    ...at(cluster),
    timeoutMs: DOWN_TIMEOUT_MS,
    signal: progress.signal,
    onLine: progress.line,
    failure: {
      what: 'The cluster could not be taken down',
      next: 'Run it again, or look at "docker ps -a".',
    },
  });
  return found === 0
    ? { isSkipped: true, summary: 'nothing was running' }
    : { isSkipped: false, summary: `${found} containers and their network are gone` };
}

/** The port that the proxy (`PROXY_PUBLISH_PORT`) or its status listener (`PROXY_PUBLISH_ADMIN_PORT`) has on this machine. */
export async function publishedPort(
  name: 'PROXY_PUBLISH_PORT' | 'PROXY_PUBLISH_ADMIN_PORT',
  cluster: Cluster = {},
): Promise<number> {
  const usual = name === 'PROXY_PUBLISH_PORT' ? 10_000 : 10_080;
  return requirePort(name, cluster.env?.[name] ?? (await readSetting(name)) ?? String(usual));
}

/** How many servers the cluster has in all when it is whole. */
export async function wholeClusterSize(cluster: Cluster = {}): Promise<number> {
  const name = 'SERVERS_PER_POLICY';
  const text = cluster.env?.[name] ?? (await readSetting(name)) ?? '2';
  const each = Number(text);
  if (Number.isInteger(each) && each >= 1 && each <= 100) return 3 * each;
  throw new Failure(`${name} is "${text}".`, 'Set it to a whole number from 1 to 100.', { exitCode: 2 });
}

/** The last lines that the cluster's containers have logged. */
export async function recentLogs(cluster: Cluster, lines: number): Promise<string> {
  const args = [...compose(cluster), 'logs', '--no-color', '--tail', String(lines)];
  return (await attempt('docker', args, { ...at(cluster), timeoutMs: ASK_TIMEOUT_MS })).tail;
}

type Container = { id: string; service: string };

async function runningContainers(cluster: Cluster, signal: AbortSignal): Promise<Container[]> {
  const filter = `label=com.docker.compose.project=${nameOf(cluster)}`;
  const format = '{{.ID}} {{.Label "com.docker.compose.service"}}';
  const args = ['ps', '--filter', filter, '--format', format];
  const { stdout } = await attempt('docker', args, { timeoutMs: ASK_TIMEOUT_MS, signal });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' '))
    .map(([id = '', service = '']) => ({ id, service }));
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
    const port = await publishedPort(name, cluster);
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
      `Stop what uses it, or choose another one: ${name}=${port + 1} npm start`,
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

/** The Compose project's name: what every container's name begins with. */
export function nameOf({ project }: Cluster): string {
  return project ?? process.env.COMPOSE_PROJECT_NAME ?? PROJECT;
}

function compose(cluster: Cluster): string[] {
  return ['compose', '--ansi', 'never', '--project-name', nameOf(cluster)];
}

function at({ env }: Cluster): { cwd: string; env: NodeJS.ProcessEnv } {
  return { cwd: ROOT, env: { ...process.env, ...env } };
}
