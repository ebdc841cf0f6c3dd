// shell · where plans are run: Compose's cluster, as it was found before and is left again, or a swarm made for the runs.
import { runningProxies } from '../cluster/containers.ts';
import { DockerCluster } from '../cluster/docker.ts';
import { healCluster, healLeftovers } from '../cluster/heal.ts';
import type { RolesFrom } from '../cluster/older-image.ts';
import { PREPARATION } from '../cluster/preparation.ts';
import type { ServerService } from '../cluster/services.ts';
import { removeNodes } from '../cluster/swarm/nodes.ts';
import { bringUpNodes, deployStack, removeImages, stackNodes, waitForStack } from '../cluster/swarm/stack.ts';
import { SwarmCluster } from '../cluster/swarm/swarm-cluster.ts';
import { openUndo, type SavedNetworks } from '../cluster/undo.ts';
import { clusterName } from '../kit/project.ts';
import type { Outcome, Progress } from '../kit/steps.ts';
import { bringUpFor, composeSettings, leaveAsFound, loadTarget, type ShowSteps, setUp } from './cluster.ts';
import { JUDGED_SETTINGS } from './judge/limits.ts';
import type { Plan } from './plan.ts';
import type { RunSetting } from './run/run.ts';
import { NODES } from './scenarios/swarm.ts';

export type Stage = {
  /** The variables with which roles come from other commits. */
  images: Readonly<Record<string, string>>;
  /** Brings it to where a run can begin. @throws Failure when it does not get there */
  prepare(plan: Plan, signal: AbortSignal): Promise<Omit<RunSetting, 'plan' | 'report' | 'show'>>;
  /** Heals whatever there is, and puts it back. @returns what could not be done, in words; null when all is well */
  leave(isKept: boolean): Promise<string | null>;
};

/** The cluster that `npm start` brings up. */
export async function composeStage(
  services: readonly ServerService[],
  from: RolesFrom,
  show: ShowSteps,
  signal: AbortSignal,
): Promise<Stage> {
  const project = clusterName();
  const found = await setUp(new DockerCluster(project), from, show, signal);
  return {
    images: found.images,
    async prepare(plan, by) {
      const env = { ...composeSettings(plan, found.found), ...found.images };
      const cluster = new DockerCluster(project, env);
      await show(by, [{ title: 'Cluster', run: (progress) => bringUpFor(plan, env, progress) }]);
      const networks = await savedNetworks(cluster);
      const proxies = await runningProxies(by);
      return {
        cluster,
        proxies,
        target: await loadTarget(cluster, proxies),
        remember: (fault) => found.undo.note(fault, networks),
        heal: () => healCluster(cluster, networks),
      };
    },
    leave: (isKept) => leaveAsFound(new DockerCluster(project), found, services, show, isKept),
  };
}

/** Three nodes of its own: what `npm run swarm` has brought up is not touched. */
export async function swarmStage(show: ShowSteps, signal: AbortSignal): Promise<Stage> {
  const project = `${clusterName()}-chaos`;
  const takeOver = async (progress: Progress): Promise<Outcome> => {
    await healLeftovers(project, progress);
    const left = await removeNodes(project);
    return left === 0 ? { skipped: 'nothing' } : `${left} nodes of a killed run are gone`;
  };
  await show(signal, [...PREPARATION, { title: 'What is there', run: takeOver }]);
  const undo = openUndo(project, null);
  return {
    images: {},
    async prepare(plan, by) {
      const env = { ...JUDGED_SETTINGS, ...plan.settings, SERVERS_PER_POLICY: String(plan.serversPerPolicy) };
      await show(by, [
        { title: 'Swarm', run: (progress) => bringUpNodes(project, NODES, progress) },
        {
          title: 'Stack',
          run: async (progress) => {
            const cluster = await swarmOf(project);
            await deployStack(cluster, env, progress);
            for (const service of Object.keys(plan.services)) await cluster.spread(service);
            return await waitForStack(cluster, progress);
          },
        },
      ]);
      const cluster = await swarmOf(project);
      const proxies = await cluster.proxies();
      return {
        cluster,
        proxies,
        target: proxies.map(({ address }) => address).join(),
        remember: (fault) => undo.note(fault),
        heal: () => cluster.heal(),
      };
    },
    async leave(isKept) {
      const run = async (): Promise<Outcome> => {
        const nodes = await removeNodes(project);
        await removeImages(project);
        return `${nodes} nodes are gone`;
      };
      if (!isKept) await show(new AbortController().signal, [{ title: 'As it was found', run }]);
      undo.close();
      return null;
    },
  };
}

async function swarmOf(project: string): Promise<SwarmCluster> {
  return new SwarmCluster(project, await stackNodes(project));
}

// A container that is cut off no longer has the names under which it was known.
async function savedNetworks(cluster: DockerCluster): Promise<SavedNetworks> {
  const replicas = await cluster.replicas();
  const entries = await Promise.all(
    replicas.map(async (replica) => [replica.name, await cluster.aliasesOf(replica)] as const),
  );
  return Object.fromEntries(entries);
}
