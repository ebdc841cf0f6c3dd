// shell · the cluster before and after the runs: made ready, brought up as a plan wants it, put back as it was found.

import { realpathSync } from 'node:fs';
import { bringUp, takeDown } from '../cluster/cluster.ts';
import {
  ADMIN_PORT,
  listContainers,
  PROXY_PORT,
  type PublishedProxy,
  publishedProxies,
  runningProxies,
} from '../cluster/containers.ts';
import type { DockerCluster, Replica } from '../cluster/docker.ts';
import { healCluster, healLeftovers } from '../cluster/heal.ts';
import { olderImages, type RolesFrom } from '../cluster/older-image.ts';
import { PREPARATION } from '../cluster/preparation.ts';
import { type ServerService, serversByPolicy } from '../cluster/services.ts';
import { type FoundCluster, openUndo, readUndo, type UndoLog } from '../cluster/undo.ts';
import { Failure } from '../kit/failure.ts';
import { waitUntilWhole } from '../kit/policies.ts';
import { accepts } from '../kit/ports.ts';
import { ROOT } from '../kit/project.ts';
import type { Outcome, Progress, Step } from '../kit/steps.ts';
import { JUDGED_SETTINGS } from './judge/limits.ts';
import type { Plan } from './plan.ts';

const STOP_GRACE_S = 10;
const FOLDER_LABEL = 'com.docker.compose.project.working_dir';
const NEXT = 'The next "npm run chaos" or "npm start" tries again.';
/** What a plan may set, and the variable that it becomes in a container. */
const SETTINGS = { FAULTS: 'SERVER_FAULTS', PROXY_VERIFY_ANSWERS: 'PROXY_VERIFY_ANSWERS' } as const;
/** Where the proxy's ports are published, as docker-compose.yml has them. */
const PORTS = { PROXY_PUBLISH_PORT: PROXY_PORT, PROXY_PUBLISH_ADMIN_PORT: ADMIN_PORT } as const;

/** Shows steps as they run; for machines on standard error, in plain lines. */
export type ShowSteps = (signal: AbortSignal, steps: readonly Step[]) => Promise<void>;

/**
 * The cluster as it was before the runs, null when it was not up; the undo file that has it in writing; and the variables with
 * which Compose takes roles from other commits.
 */
export type Found = { found: FoundCluster | null; undo: UndoLog; images: Record<string, string> };

/**
 * Makes the machine ready, heals what a killed run has left, and opens the undo file.
 * @throws Failure when another run is under way, or the cluster is not this folder's
 */
export async function setUp(
  cluster: DockerCluster,
  from: RolesFrom,
  show: ShowSteps,
  signal: AbortSignal,
): Promise<Found> {
  const images: Record<string, string> = {};
  let result: Found | null = null;
  const takeOver = async (progress: Progress): Promise<Outcome> => {
    await requireOwn(cluster);
    const left = readUndo(cluster.project);
    const healed = await healLeftovers(cluster.project, progress);
    const now = await lookAround(cluster);
    // What a killed run had found is what there was before anything was broken.
    const found = left === null || now === null ? now : left.found;
    result = { found, images, undo: openUndo(cluster.project, found) };
    return healed ?? describe(found);
  };
  await show(signal, [
    ...PREPARATION,
    ...olderImages(from, images),
    { title: 'What is there', run: takeOver },
  ]);
  return result as unknown as Found;
}

// Compose tells projects apart by name only; a clone beside this one has the same.
async function requireOwn(cluster: DockerCluster): Promise<void> {
  for (const replica of await cluster.replicas()) {
    const folder = (await cluster.inspect(replica)).Config.Labels[FOLDER_LABEL] ?? '';
    if (folder === '' || realOf(folder) === realOf(ROOT)) continue;
    throw new Failure(
      `The cluster ${cluster.project} that is there was started from ${folder}.`,
      'Run chaos there, or stop that cluster, or give this one another name: COMPOSE_PROJECT_NAME.',
    );
  }
}

function realOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

function describe(found: FoundCluster | null): string {
  if (found === null) return 'no cluster yet: it is taken down again afterwards';
  const count = Object.values(found.services).reduce((sum, replicas) => sum + replicas, 0);
  return `a cluster of ${count} containers: it is put back as it is now`;
}

async function lookAround(cluster: DockerCluster): Promise<FoundCluster | null> {
  const replicas = await cluster.replicas();
  if (replicas.length === 0) return null;
  const services: Record<string, number> = {};
  const states: Record<string, string> = {};
  const settings: Record<string, string> = {};
  for (const replica of replicas) {
    services[replica.service] = (services[replica.service] ?? 0) + 1;
    states[replica.name] = replica.state;
    const { Config, HostConfig } = await cluster.inspect(replica);
    const bindings = HostConfig.PortBindings as Record<string, PortBinding[] | undefined> | null;
    for (const [name, port] of Object.entries(PORTS)) {
      const binding = bindings?.[`${port}/tcp`]?.[0];
      if (binding?.HostPort) settings[name] = publishedAs(name, binding);
    }
    for (const [name, variable] of Object.entries(SETTINGS)) {
      const entry = Config.Env.find((text) => text.startsWith(`${variable}=`));
      if (entry !== undefined) settings[name] = entry.slice(variable.length + 1);
    }
  }
  return { services, states, settings: { ...settings, PROXIES: String(services.proxy ?? 1) } };
}

type PortBinding = { HostIp?: string; HostPort?: string };

// The status port's address is in docker-compose.yml, and not part of its setting.
function publishedAs(name: string, { HostIp = '', HostPort = '' }: PortBinding): string {
  const isEverywhere = ['', '0.0.0.0', '::'].includes(HostIp);
  return isEverywhere || name === 'PROXY_PUBLISH_ADMIN_PORT' ? HostPort : `${HostIp}:${HostPort}`;
}

/** What Compose gets for a plan, on top of the environment. */
export function composeSettings(plan: Plan, found: FoundCluster | null): Record<string, string> {
  return {
    ...found?.settings,
    ...JUDGED_SETTINGS,
    ...plan.settings,
    PROXIES: String(plan.proxies),
    SERVERS_PER_POLICY: String(plan.serversPerPolicy),
  };
}

/**
 * Brings the cluster up as `plan` wants it; containers that are right already are left alone.
 * @param env from `composeSettings`
 * @throws Failure when it does not become whole
 */
export async function bringUpFor(
  plan: Plan,
  env: Record<string, string>,
  progress: Progress,
): Promise<Outcome> {
  const services = Object.keys(plan.services);
  const scale = Object.fromEntries(services.map((service) => [service, plan.serversPerPolicy]));
  await bringUp({ env, scale }, progress);
  const proxies = await runningProxies(progress.signal);
  return await waitUntilWhole(proxies, services.length * plan.serversPerPolicy, progress);
}

/**
 * host:port of the proxies' well-known ports for the load, with commas: in their containers wherever they can be reached.
 * Docker's forwarder of published ports accepts for a proxy that has just died, and resets: what it breaks would be counted
 * against the proxy.
 */
export async function loadTarget(
  cluster: DockerCluster,
  published: readonly PublishedProxy[],
): Promise<string> {
  const replicas = await cluster.replicas('proxy');
  const addresses = published.map(async ({ address: elsewhere }, index) => {
    const address = replicas[index]?.address ?? null;
    const isReachable = address !== null && (await accepts(PROXY_PORT, address));
    return isReachable ? `${address}:${PROXY_PORT}` : elsewhere;
  });
  return (await Promise.all(addresses)).join();
}

/**
 * Heals whatever there is, puts the cluster back unless it is to be kept, closes the undo file, and waits until what runs
 * then serves.
 * Not under the run's signal: after Ctrl-C it is done all the same.
 * @param services the services that a run may have given servers
 * @returns what could not be done, in words; null when all is well
 */
export async function leaveAsFound(
  cluster: DockerCluster,
  { found, undo }: Found,
  services: readonly ServerService[],
  show: ShowSteps,
  isKept: boolean,
): Promise<string | null> {
  try {
    const left = await healCluster(cluster);
    if (left.length > 0) return `Something is still broken: ${left.join(' ')} ${NEXT}`;
    const by = new AbortController().signal;
    const run = (progress: Progress): Promise<Outcome> =>
      found === null ? removeAll(cluster, progress) : putBack(cluster, found, services, progress);
    if (!isKept) await show(by, [{ title: 'As it was found', run }]);
    undo.close();
    if (isKept || found !== null)
      await show(by, [{ title: 'Servers in rotation', run: (progress) => waitUntilBack(cluster, progress) }]);
    return null;
  } catch (error) {
    return `The cluster could not be put back as it was: ${(error as Error).message} ${NEXT}`;
  }
}

async function removeAll(cluster: DockerCluster, progress: Progress): Promise<Outcome> {
  const outcome = await takeDown({}, progress);
  const left = await cluster.replicas();
  if (left.length === 0) return outcome;
  throw new Failure(`${left.length} containers are left.`, 'Take the cluster down with "npm stop".');
}

async function putBack(
  cluster: DockerCluster,
  found: FoundCluster,
  services: readonly ServerService[],
  progress: Progress,
): Promise<Outcome> {
  // A service that had no replica gets none.
  const scale = Object.fromEntries(services.map(({ name }) => [name, found.services[name] ?? 0]));
  const outcome = await bringUp({ env: found.settings, scale }, progress);
  await putBackStates(cluster, await cluster.replicas(), found.states);
  return outcome;
}

/**
 * Waits until every proxy that runs has every server that runs in rotation: one that was healed comes back by its probes.
 * @throws Failure when one does not
 */
export async function waitUntilBack(cluster: DockerCluster, progress: Progress): Promise<Outcome> {
  const runs = ({ state }: { state: string }): boolean => state === 'running';
  const { project } = cluster;
  const proxies = publishedProxies(project, (await listContainers(project, progress.signal)).filter(runs));
  if (proxies.length === 0) return { skipped: 'no proxy runs' };
  const replicas = (await cluster.replicas()).filter(runs);
  const servers = replicas.flatMap(({ policy }) => (policy === null ? [] : [{ policy, replicas: 1 }]));
  return await waitUntilWhole(proxies, serversByPolicy(servers), progress);
}

/** Pauses and stops what was paused and stopped; @param states replica → Docker's word for its state. */
export async function putBackStates(
  cluster: DockerCluster,
  replicas: readonly Replica[],
  states: FoundCluster['states'],
): Promise<void> {
  await Promise.all(
    replicas.map(async (replica) => {
      const state = states[replica.name];
      if (state === 'exited' || state === 'created') await cluster.stop(replica, STOP_GRACE_S);
      if (state !== 'paused') return;
      // It may have been started anew just now, and Docker would check it for the first time while it is being frozen.
      await cluster.waitUntilChecked(replica);
      await cluster.pause(replica);
    }),
  );
}
