// shell · makes a cluster whole again, whatever state it is in. Safe at any time and as often as you like.
// Must never report a cluster as healed without having looked.
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../kit/failure.ts';
import { type Progress, SILENT } from '../kit/progress.ts';
import { clearFaults, isFaulty, isRefused, readFaults } from './control.ts';
import { ChaosCluster, isUp, type Replica } from './docker.ts';
import { isOwnerAlive, isUnderWay, readUndo, removeUndo, type SavedNetworks, type Undo } from './undo.ts';

const SETTLE_MS = 3_000;
const POLL_MS = 50;

/**
 * Lets go on what is paused, connects what is cut off, lifts quotas, starts what is not running and turns the servers'
 * own faults off; all replicas at the same time.
 * @param saved aliases of replicas that are cut off; without it, those that Compose gives
 * @returns what is still wrong, a sentence each; empty: everything is whole
 * @throws Error when the engine does not list the containers
 */
export async function healCluster(cluster: ChaosCluster, saved: SavedNetworks = {}): Promise<string[]> {
  const replicas = await cluster.replicas();
  const troubles = await Promise.all(
    replicas.map(async (replica) => {
      const trouble = await healReplica(cluster, replica, saved);
      const left = await settled(cluster, replica, saved);
      return left.length > 0 && trouble !== null ? [...left, trouble] : left;
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
  const undo = await readUndo(project);
  if (undo === null) return null;
  if (isOwnerAlive(undo)) throw isUnderWay(undo);
  progress.phase(`healing what the run with pid ${undo.pid} has left`);
  const cluster = new ChaosCluster(project, undo.found?.settings);
  const leftovers = await healCluster(cluster, undo.networks);
  for (const sentence of leftovers) progress.line(sentence);
  if (leftovers.length === 0) await rescale(cluster, undo);
  if (leftovers.length > 0) {
    throw new Failure(
      `A chaos run was killed (pid ${undo.pid}), and what it left can't be healed: ${leftovers.join(' ')}`,
      'Take the cluster down with "npm stop", then run it again.',
    );
  }
  await removeUndo(project);
  return tell(undo, (await cluster.replicas()).length);
}

/** What is wrong with a replica, a sentence each. */
async function leftoversOf(
  cluster: ChaosCluster,
  replica: Replica,
  saved: SavedNetworks = {},
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

/** @returns the first thing that went wrong, null when nothing did */
async function healReplica(
  cluster: ChaosCluster,
  replica: Replica,
  saved: SavedNetworks,
): Promise<string | null> {
  const problems: string[] = [];
  const step = async (work: () => Promise<void>): Promise<void> => {
    await work().catch((error: unknown) => problems.push((error as Error).message));
  };
  await step(() => cluster.unpause(replica));
  await step(async () => {
    if (((await cluster.inspect(replica)).HostConfig.CpuQuota ?? 0) > 0) await cluster.unlimitCpu(replica);
  });
  await step(() => cluster.attach(replica, saved[replica.name]));
  await step(async () => {
    const info = await cluster.inspect(replica);
    // What waits for its restart, for up to a minute, counts as running for `start`.
    if (info.State.Restarting) await cluster.stop(replica, 0);
    if (!isUp(info)) await cluster.start(replica);
  });
  await step(() => clear(cluster, replica));
  return problems[0] ?? null;
}

async function clear(cluster: ChaosCluster, replica: Replica): Promise<void> {
  if (replica.policy === null) return;
  await clearFaults(await cluster.find(replica.name)).catch((error: unknown) => {
    if (!isRefused(error)) throw error;
  });
}

async function isStillFaulty(cluster: ChaosCluster, replica: Replica): Promise<boolean> {
  if (replica.policy === null) return false;
  return await readFaults(await cluster.find(replica.name)).then(isFaulty, (error) => !isRefused(error));
}

// A server that has just been connected or started takes a moment to be reached.
async function settled(cluster: ChaosCluster, replica: Replica, saved: SavedNetworks): Promise<string[]> {
  const deadlineMs = performance.now() + SETTLE_MS;
  for (;;) {
    const left = await leftoversOf(cluster, replica, saved).catch((error: Error) => [error.message]);
    if (left.length === 0 || performance.now() > deadlineMs) return left;
    await sleep(POLL_MS);
  }
}

// Only after everything runs again: Compose would start what is stopped, and wait for nobody that is paused.
async function rescale(cluster: ChaosCluster, { found, faults }: Undo): Promise<void> {
  const services = new Set(faults.filter(({ kind }) => kind === 'scale').flatMap(({ targets }) => targets));
  for (const service of services) {
    const before = found?.services[service];
    const now = (await cluster.replicas(service)).length;
    // Of a cluster that has been taken down since, nothing is brought up again.
    if (before === undefined || now === 0 || now === before) continue;
    await cluster.scale(service, before);
  }
}

function tell({ pid, faults }: Undo, replicas: number): string {
  const kinds = [...new Set(faults.map(({ kind }) => kind))].join(', ') || 'no fault yet';
  const whole = replicas === 0 ? 'its cluster is gone' : `all ${replicas} replicas are whole again`;
  return `a chaos run was killed (pid ${pid}; it had injected: ${kinds}): ${whole}`;
}
