// shell · what a swarm's manager, or the loss of a machine, does to the tasks of a stack.
import { SwarmCluster } from '../../cluster/swarm/swarm-cluster.ts';
import type { ArmedFault, FaultContext, HitNote } from './fault.ts';

/** All tasks of a service are replaced. No replica is hit: nothing may go wrong. */
export function update({ cluster, fault }: FaultContext): ArmedFault {
  const service = fault.targets[0] as string;
  let before: string[] = [];
  let state = '';
  const ids = async (): Promise<string[]> =>
    (await cluster.replicas(service)).map(({ containerId }) => containerId);
  return {
    async inject() {
      before = await ids();
      state = await onSwarm(cluster).update(service);
    },
    async prove() {
      const kept = (await ids()).filter((id) => before.includes(id)).length;
      return {
        isProven: state === 'completed' && kept === 0,
        evidence: `${service}: ${state}, ${kept} not replaced`,
      };
    },
    heal: async () => await onSwarm(cluster).settled(),
  };
}

type NodeVerbs = {
  strike(cluster: SwarmCluster, node: string): Promise<void>;
  mend(cluster: SwarmCluster, node: string): Promise<void>;
};

const DRAIN: NodeVerbs = {
  strike: (cluster, node) => cluster.setAvailability(node, 'drain'),
  mend: (cluster, node) => cluster.setAvailability(node, 'active'),
};

const KILL: NodeVerbs = {
  strike: (cluster, node) => cluster.killNode(node),
  mend: (cluster, node) => cluster.startNode(node),
};

export const nodeDrain = onNode(DRAIN);
export const nodeKill = onNode(KILL);

/** A fault that hits all that runs on a node. It is over when every service is whole again. */
function onNode({ strike, mend }: NodeVerbs) {
  return ({ cluster, fault, hit }: FaultContext): ArmedFault => {
    const node = fault.targets[0] as string;
    const notes: HitNote[] = [];
    const tasks = async (): Promise<string[]> =>
      (await onSwarm(cluster).replicas()).filter((replica) => replica.node === node).map(({ name }) => name);
    return {
      async inject() {
        for (const replica of await onSwarm(cluster).replicas())
          if (replica.node === node) notes.push(hit(replica));
        await strike(onSwarm(cluster), node);
        for (const note of notes) note.struck();
      },
      async prove() {
        const left = await tasks();
        const evidence = `${node} had ${notes.length} tasks, and is to have ${left.join(', ') || 'none'}`;
        return { isProven: notes.length > 0 && left.length === 0, evidence };
      },
      async heal() {
        for (const note of notes) note.healing();
        await mend(onSwarm(cluster), node);
        await onSwarm(cluster).settled();
        for (const note of notes) note.healed();
      },
    };
  };
}

/** @throws Error in a cluster that is none */
function onSwarm(cluster: FaultContext['cluster']): SwarmCluster {
  if (cluster instanceof SwarmCluster) return cluster;
  throw new Error('This takes a swarm: --engine swarm.');
}
