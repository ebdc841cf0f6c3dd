// shell · makes a cluster whole again, whatever state it is in. Safe at any time and as often as you like.
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../kit/failure.ts';
import { type Progress, SILENT } from '../kit/steps.ts';
import { DockerCluster, isUp, type Replica } from './docker.ts';
import { clearFaults, isFaulty, isRefused, readFaults } from './server-faults.ts';
import { isOwnerAlive, isUnderWay, readUndo, removeUndo, type SavedNetworks, type Undo } from './undo.ts';

const SETTLE_MS = 3_000;
const POLL_MS = 50;

/**
 * Resumes what is paused, connects what is cut off, lifts quotas, starts what is not running and turns the servers'
 * own faults off; all replicas at the same time.
 * @param saved aliases of replicas that are cut off; without it, those that Compose gives
 * @returns what is still wrong, a sentence each; empty: everything was looked at and is whole
 * @throws Error when the engine does not list the containers
 */
export async function healCluster(cluster: DockerCluster, saved: SavedNetworks = {}): Promise<string[]> {
  const replicas = await cluster.replicas();
  const troubles = await Promise.all(
    replicas.map(async (replica) => {
      const problem = await healReplica(cluster, replica, saved);
      const left = await settled(cluster, replica, saved);
      return left.length > 0 && problem !== undefined ? [...left, problem] : left;
    }),
  );
  return troubles.flat();
}

/**
 * Heals what a chaos run has left that was killed, and throws its undo file away.
 * @returns what was done, in one sentence; null when there was nothing to heal
 * @throws Failure when that run is still under way, or when something can't be healed
 */
export async function healLeftovers(project: string, progress: Progress = SILENT): Promise<string | null> {
  const undo = readUndo(project);
  if (undo === null) return null;
  if (isOwnerAlive(undo)) throw isUnderWay(undo);
  const { pid, faults, found } = undo;
  progress.phase(`healing what the run with pid ${pid} has left`);
  const cluster = new DockerCluster(project, found?.settings);
  const leftovers = await healCluster(cluster, undo.networks);
  if (leftovers.length > 0) {
    throw new Failure(
      `A chaos run was killed (pid ${pid}), and what it left can't be healed: ${leftovers.join(' ')}`,
      'Take the cluster down with "npm stop", then run it again.',
    );
  }
  await rescale(cluster, undo);
  removeUndo(project);
  const kinds = [...new Set(faults.map(({ kind }) => kind))].join(', ') || 'no fault yet';
  const count = (await cluster.replicas()).length;
  const whole = count === 0 ? 'its cluster is gone' : `all ${count} replicas are whole again`;
  return `a chaos run was killed (pid ${pid}; it had injected: ${kinds}): ${whole}`;
}

/** What is wrong with a replica, a sentence each. */
async function leftoversOf(
  cluster: DockerCluster,
  replica: Replica,
  saved: SavedNetworks,
): Promise<string[]> {
  const { name } = replica;
  const info = await cluster.inspect(replica);
  const left: string[] = [];
  if (info.State.Paused) left.push(`${name} is paused.`);
  else if (!isUp(info)) left.push(`${name} is not running (${info.State.Status}).`);
  if ((info.HostConfig.CpuQuota ?? 0) > 0) left.push(`${name} is under a CPU quota.`);
  if (!(await cluster.isAttached(replica, saved[name])))
    left.push(`${name} is cut off from its network, or has lost its names there.`);
  else if (left.length === 0 && (await isStillFaulty(cluster, replica)))
    left.push(`${name} still misbehaves on purpose, or its control port does not answer.`);
  return left;
}

/** @returns the first thing that went wrong */
async function healReplica(
  cluster: DockerCluster,
  replica: Replica,
  saved: SavedNetworks,
): Promise<string | undefined> {
  const steps = [
    () => cluster.unpause(replica),
    async () => {
      if (((await cluster.inspect(replica)).HostConfig.CpuQuota ?? 0) > 0)
        await cluster.limitCpu(replica, null);
    },
    () => cluster.attach(replica, saved[replica.name]),
    () => cluster.bringUp(replica),
    () => turnFaultsOff(cluster, replica),
  ];
  const problems: string[] = [];
  for (const step of steps) await step().catch((error: Error) => problems.push(error.message));
  return problems[0];
}

async function turnFaultsOff(cluster: DockerCluster, replica: Replica): Promise<void> {
  if (replica.policy === null) return;
  // Its address may be another one by now.
  await clearFaults(await cluster.find(replica.name)).catch((error: unknown) => {
    if (!isRefused(error)) throw error;
  });
}

async function isStillFaulty(cluster: DockerCluster, replica: Replica): Promise<boolean> {
  if (replica.policy === null) return false;
  return await readFaults(await cluster.find(replica.name)).then(isFaulty, (error) => !isRefused(error));
}

// A server that has just been connected or started takes a moment to be reached.
async function settled(cluster: DockerCluster, replica: Replica, saved: SavedNetworks): Promise<string[]> {
  const deadlineMs = performance.now() + SETTLE_MS;
  for (;;) {
    const left = await leftoversOf(cluster, replica, saved).catch((error: Error) => [error.message]);
    if (left.length === 0 || performance.now() > deadlineMs) return left;
    await sleep(POLL_MS);
  }
}

// Only after everything runs again: Compose starts what is stopped, and does not wait for what is paused.
async function rescale(cluster: DockerCluster, { found, faults }: Undo): Promise<void> {
  const services = new Set(faults.filter(({ kind }) => kind === 'scale').flatMap(({ targets }) => targets));
  for (const service of services) {
    const before = found?.services[service];
    const now = (await cluster.replicas(service)).length;
    // Of a cluster that has been taken down since, nothing is brought up again.
    if (before === undefined || now === 0 || now === before) continue;
    await cluster.scale(service, before);
  }
}
