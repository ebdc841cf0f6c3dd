// shell · the cluster as a whole: up and down through Docker Compose, never another project's containers.
import {
  MAX_PROXIES,
  type PublishedPorts,
  parsePublished,
  requireWhole,
} from '../../services/shared/config.ts';
import { attempt, run } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { clusterName, ROOT, readSetting } from '../kit/project.ts';
import { type Outcome, type Progress, SILENT } from '../kit/steps.ts';
import { compareNames, plural } from '../kit/words.ts';
import { type Container, isUp, listContainers } from './containers.ts';
import { isEngineUp } from './engine.ts';
import { OBSERVABILITY } from './observability.ts';
import { requireFreePorts } from './ports.ts';
import { prepareRegisterToken } from './secrets.ts';

/** What to say when bringing the cluster up or down was interrupted. */
export const MAY_BE_LEFT = 'Containers may be left: "npm stop" removes them, "npm start" continues.';

const ASK_TIMEOUT_MS = 20_000;
const COMPOSE_TIMEOUT_MS = 120_000;
const LAST_WORDS = 4;
const MAX_SPEAKERS = 8;
const RESTART_TIMEOUT_MS = 40_000;
/** The longest that docker-compose.yml gives a container to stop. */
export const GRACE_S = 15;

const PORTS = { PROXY_PUBLISH_PORT: '10000', PROXY_PUBLISH_ADMIN_PORT: '10081' } as const;
export type PortSetting = keyof typeof PORTS;

/**
 * Which cluster: `project` is the Compose project's name, `env` what Compose gets on top of the environment, `scale` how
 * many servers a service is to have where that differs from SERVERS_PER_POLICY.
 */
export type Cluster = {
  project?: string | undefined;
  env?: NodeJS.ProcessEnv | undefined;
  scale?: Readonly<Record<string, number>> | undefined;
};

/**
 * Starts what is not running, and resumes what is paused; containers that run well, with the same settings, are left
 * alone.
 * @throws Failure when a port is taken, or with Compose's last lines, and those of the containers that keep the others from starting
 */
export async function bringUp(cluster: Cluster = {}, progress: Progress = SILENT): Promise<Outcome> {
  const before = (await listContainers(nameOf(cluster), progress.signal)).filter(isUp);
  await requireFree(cluster, before);
  const { unpaused, restarted } = await repair(before, progress);
  await prepareRegisterToken();
  progress.phase('docker compose up');
  const counts = Object.entries(cluster.scale ?? {}).map(([service, count]) => `${service}=${count}`);
  const scale = counts.flatMap((count) => ['--scale', count]);
  const what = 'The cluster could not be started';
  const up = ['up', '--detach', '--no-build', '--remove-orphans', ...scale];
  await compose(cluster, up, what, progress).catch(async (error: unknown) => {
    progress.signal.throwIfAborted();
    if (!(error instanceof Failure)) throw error;
    const words = await lastWords(cluster);
    const [lastLine = ''] = error.tail.split('\n').slice(-1);
    const tail = words === '' ? error.tail : `${lastLine}\n${words}`;
    throw new Failure(error.message, error.next, { tail, cause: error });
  });
  const after = (await listContainers(nameOf(cluster), progress.signal)).filter(isUp);
  return summarizeUp({ before, after, unpaused, restarted });
}

/**
 * Resumes what is paused, and restarts a proxy that Docker calls unhealthy, as it does one that was paused until the next
 * look, a minute away: Compose would wait for it.
 */
export async function repair(
  containers: readonly Container[],
  progress: Progress,
): Promise<{ unpaused: number; restarted: number }> {
  const paused = containers.filter(({ state }) => state === 'paused');
  const sick = containers.filter(
    (one) => one.service === 'proxy' && (paused.includes(one) || one.isUnhealthy),
  );
  for (const [command, chosen] of [
    ['unpause', paused],
    ['restart', sick],
  ] as const) {
    const what = 'A container that is paused or unhealthy could not be repaired';
    if (chosen.length > 0) await docker(command, [], chosen, what, progress);
  }
  return { unpaused: paused.length, restarted: sick.length };
}

/**
 * Removes every container and network of the cluster. With nothing there, or no engine, it does nothing.
 * @throws Failure with Compose's last lines
 */
export async function takeDown(cluster: Cluster = {}, progress: Progress = SILENT): Promise<Outcome> {
  const project = nameOf(cluster);
  if (!(await isEngineUp(progress.signal)))
    return { skipped: 'no Docker Engine with Compose is running here, so nothing is to be stopped' };
  const found = await listContainers(project, progress.signal);
  const profiles = ['client', OBSERVABILITY].flatMap((name) => ['--profile', name]);
  const args = [...profiles, 'down', '--remove-orphans', '--timeout', String(GRACE_S)];
  await compose(cluster, args, 'The cluster could not be taken down', progress);
  return summarizeDown(found.length);
}

/** Runs `docker compose` on the cluster. @throws Failure that begins with `what`, with Compose's last lines */
export async function compose(
  cluster: Cluster,
  args: readonly string[],
  what: string,
  { signal, line }: Progress = SILENT,
): Promise<string> {
  const next = 'Look at "docker compose ps --all" and "docker compose logs", then run it again.';
  const project = ['--project-name', nameOf(cluster)];
  return await run('docker', ['compose', '--ansi', 'never', ...project, ...args], {
    cwd: ROOT,
    env: composeEnvironment(cluster),
    timeoutMs: COMPOSE_TIMEOUT_MS,
    signal,
    onLine: line,
    failure: { what, next },
  });
}

/** Runs a command of `docker` on containers. @throws Failure that begins with `what` */
export async function docker(
  command: 'unpause' | 'restart' | 'stop' | 'rm',
  options: readonly string[],
  containers: readonly Container[],
  what: string,
  { phase, signal, line }: Progress,
): Promise<void> {
  phase(`docker ${command} ${containers.map(({ name }) => name).join(' ')}`);
  const next = 'Look at "docker compose ps", or take the cluster down with "npm stop" and start it again.';
  await run('docker', [command, ...options, ...containers.map(({ id }) => id)], {
    timeoutMs: RESTART_TIMEOUT_MS,
    signal,
    onLine: line,
    failure: { what, next },
  });
}

/** How many proxies there are to be: `PROXIES`, or as many as `PROXY_PUBLISH_PORT` has ports. @throws UsageError */
export function proxyCount({ env }: Cluster = {}): number {
  const { first, last } = parsePublished('PROXY_PUBLISH_PORT', portSetting('PROXY_PUBLISH_PORT', { env }));
  const count = env?.PROXIES ?? readSetting('PROXIES') ?? last - first + 1;
  return requireWhole('PROXIES', Number(count), 1, MAX_PROXIES);
}

/**
 * The ports of this machine for the proxies (`PROXY_PUBLISH_PORT`) or their status listeners (`PROXY_PUBLISH_ADMIN_PORT`):
 * from the first one of the setting on, as many as there are proxies.
 * @throws UsageError when they are none
 */
export function publishedPorts(name: PortSetting, cluster: Cluster = {}): PublishedPorts {
  const { host, first } = parsePublished(name, portSetting(name, cluster));
  // The status listener's address is in docker-compose.yml.
  const address = name === 'PROXY_PUBLISH_PORT' ? host : '127.0.0.1';
  return parsePublished(name, `${address}:${first}-${first + proxyCount(cluster) - 1}`);
}

function portSetting(name: PortSetting, { env }: Cluster): string {
  return env?.[name] ?? readSetting(name) ?? PORTS[name];
}

/** What Compose gets: the environment, what the cluster has on top of it, and a port for each proxy. */
export function composeEnvironment(cluster: Cluster): NodeJS.ProcessEnv {
  const { host, ...ports } = publishedPorts('PROXY_PUBLISH_PORT', cluster);
  const range = rangeOf(ports);
  return {
    ...process.env,
    ...cluster.env,
    PROXIES: String(proxyCount(cluster)),
    PROXY_PUBLISH_PORT: host === '0.0.0.0' ? range : `${host}:${range}`,
    PROXY_PUBLISH_ADMIN_PORT: rangeOf(publishedPorts('PROXY_PUBLISH_ADMIN_PORT', cluster)),
  };
}

function rangeOf({ first, last }: Pick<PublishedPorts, 'first' | 'last'>): string {
  return first === last ? String(first) : `${first}-${last}`;
}

// Those that the cluster's own containers have are free for it.
async function requireFree(cluster: Cluster, running: readonly Container[]): Promise<void> {
  const wanted = (Object.keys(PORTS) as PortSetting[]).flatMap((setting) => {
    const { host, first, last } = publishedPorts(setting, cluster);
    return Array.from({ length: last - first + 1 }, (_, index) => ({ setting, host, port: first + index }));
  });
  const others = wanted.filter(({ port }) => !running.some(({ ports }) => ports.includes(`:${port}->`)));
  await requireFreePorts(others, { command: 'npm start', cluster: nameOf(cluster) });
}

/**
 * The last lines of the containers that have failed, which say why the cluster is not as it should be; where none has, of
 * all of them, the proxies first.
 */
export async function lastWords(cluster: Cluster = {}): Promise<string> {
  const containers = await listContainers(nameOf(cluster));
  const failed = containers.filter(
    ({ state, isUnhealthy }) => isUnhealthy || ['restarting', 'exited', 'dead'].includes(state),
  );
  const speakers = (failed.length > 0 ? failed : containers).sort((a, b) => compareNames(a.name, b.name));
  const logs = speakers.slice(0, MAX_SPEAKERS).map(async ({ id, name }) => {
    const args = ['logs', '--tail', String(LAST_WORDS), id];
    const { tail } = await attempt('docker', args, { timeoutMs: ASK_TIMEOUT_MS });
    return tail === '' ? [] : [`The last lines of ${name}:\n${tail}`];
  });
  return (await Promise.all(logs)).flat().join('\n');
}

function nameOf({ project }: Cluster): string {
  return project ?? clusterName();
}

/** What was done: the containers that ran before and run now, and how many of them needed help. */
export type BroughtUp = {
  before: readonly Pick<Container, 'id' | 'name'>[];
  after: readonly Pick<Container, 'id' | 'name'>[];
  unpaused: number;
  restarted: number;
};

/** Says what was done to the containers, or that nothing was to be done. */
export function summarizeUp({ before, after, unpaused, restarted }: BroughtUp): Outcome {
  const started = after.filter(({ id }) => !before.some((other) => other.id === id)).length;
  // One that was replaced has a successor of the same name.
  const removed = before.filter(({ name }) => !after.some((other) => other.name === name)).length;
  const changes = [
    [started, 'just started'],
    [removed, 'removed'],
    [unpaused, 'no longer paused'],
    [restarted, 'restarted'],
  ]
    .filter(([count]) => count !== 0)
    .map(([count, what]) => `${count} ${what}`);
  const total = plural(after.length, 'container');
  return changes.length === 0 ? { skipped: `${total} (already running)` } : `${total}: ${changes.join(', ')}`;
}

/** @param found how many containers there were, stopped ones too */
export function summarizeDown(found: number): Outcome {
  if (found === 0) return { skipped: 'nothing was running' };
  return `${plural(found, 'container')} and ${found === 1 ? 'its' : 'their'} network are gone`;
}
