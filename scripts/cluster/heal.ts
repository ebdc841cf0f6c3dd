// shell · makes a cluster whole again, whatever state it is in. Safe at any time and as often as you like.
import { Failure } from '../kit/failure.ts';
import { type Progress, SILENT } from '../kit/steps.ts';
import { until } from '../kit/time.ts';
import { DockerCluster, isUp, type Replica, type SavedAliases } from './docker.ts';
import { clearFaults, isFaulty, isRefused, readFaults } from './server-faults.ts';
import { readUndo, removeUndo, requireOwnerGone, type SavedNetworks, type Undo } from './undo.ts';

const SETTLE_MS = 3_000;
const POLL_MS = 50;

type Patient = { cluster: DockerCluster; replica: Replica; saved: SavedAliases | undefined };
type Trouble = {
  /** Behind the replica's name, in a sentence. */
  says: string;
  isThere(patient: Patient): Promise<boolean>;
  mend(patient: Patient): Promise<void>;
};

/** All that can be wrong with a replica, in the order in which it is mended. */
const TROUBLES: readonly Trouble[] = [
  {
    says: 'is paused',
    isThere: async ({ cluster, replica }) => (await cluster.inspect(replica)).State.Paused,
    mend: ({ cluster, replica }) => cluster.unpause(replica),
  },
  {
    says: 'is under a CPU quota',
    isThere: async ({ cluster, replica }) => ((await cluster.inspect(replica)).HostConfig.CpuQuota ?? 0) > 0,
    mend: ({ cluster, replica }) => cluster.limitCpu(replica, null),
  },
  {
    says: 'is cut off from its network, or has lost its names there',
    isThere: async ({ cluster, replica, saved }) => !(await cluster.isAttached(replica, saved)),
    mend: ({ cluster, replica, saved }) => cluster.attach(replica, saved),
  },
  {
    says: 'is not running',
    isThere: async ({ cluster, replica }) => !isUp(await cluster.inspect(replica)),
    mend: ({ cluster, replica }) => cluster.bringUp(replica),
  },
  {
    says: 'still misbehaves on purpose, or its control port does not answer',
    async isThere({ cluster, replica }) {
      if (replica.policy === null) return false;
      // Its address may be another one by now. Without FAULTS=1, or before it listens, the port is closed.
      const now = await cluster.find(replica.name);
      return await readFaults(now).then(isFaulty, (error) => !isRefused(error));
    },
    mend: async ({ cluster, replica }) => clearFaults(await cluster.find(replica.name)),
  },
];

/**
 * Resumes what is paused, connects what is cut off, lifts quotas, starts what is not running and turns the servers'
 * own faults off; all replicas at the same time.
 * @param saved aliases of replicas that are cut off; without it, those that Compose gives
 * @returns what is still wrong, a sentence each; empty: everything was looked at and is whole
 * @throws Error when the engine does not list the containers
 */
export async function healCluster(cluster: DockerCluster, saved: SavedNetworks = {}): Promise<string[]> {
  const replicas = await cluster.replicas();
  const left = replicas.map((replica) => healReplica({ cluster, replica, saved: saved[replica.name] }));
  return (await Promise.all(left)).flat();
}

// It takes a moment for a server that has just been connected or started to be reached.
async function healReplica(patient: Patient): Promise<string[]> {
  let left: string[] = [];
  const mendAll = async (): Promise<boolean> => {
    left = [];
    for (const { says, isThere, mend } of TROUBLES) {
      try {
        if (!(await isThere(patient))) continue;
        left.push(`${patient.replica.name} ${says}.`);
        await mend(patient);
      } catch (error) {
        left.push((error as Error).message);
      }
    }
    return left.length === 0;
  };
  await until(mendAll, { withinMs: SETTLE_MS, everyMs: POLL_MS });
  return left;
}

/**
 * Heals what a chaos run has left that was killed, and throws its undo file away.
 * @returns what was done, in one sentence; null when there was nothing to heal
 * @throws Failure when that run is still under way, or when something can't be healed
 */
export async function healLeftovers(project: string, progress: Progress = SILENT): Promise<string | null> {
  const undo = readUndo(project);
  if (undo === null) return null;
  requireOwnerGone(undo);
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
