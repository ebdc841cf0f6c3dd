// pure · scenarios on a swarm of three nodes with a proxy on each: what Docker Swarm does to tasks and to nodes.
import { detection } from '../judge/detection.ts';
import { anotherAnswers } from '../judge/proxy.ts';
import { newServersServe } from '../judge/recovery.ts';
import type { FaultKind } from '../plan.ts';
import { CRASH_LIMITS } from './crashes.ts';
import { type Draft, onEachPolicyInTurn, type Scenario } from './scenario.ts';

/** How many nodes there are. The first one is the manager, which is left alone: there is no other. */
export const NODES = 3;
// On each node a proxy and a server of each policy.
const ON_SWARM = { engine: 'swarm', proxies: NODES, minServers: NODES } as const;
// Clients try those that were away again up to 8 s after they have failed.
const QUIET_MS = 12_000;

export const SWARM: readonly Scenario[] = [
  {
    ...ON_SWARM,
    name: 'task-kill',
    title: 'SIGKILL of one server of each policy in turn; Swarm puts another one in its place',
    phases: { faultsMs: 24_000, quietMs: QUIET_MS },
    draft: onEachPolicyInTurn('kill'),
    criteria: () => [detection(CRASH_LIMITS)],
  },
  {
    ...ON_SWARM,
    name: 'service-update',
    title: 'docker service update --force of a service of servers, then of the proxies',
    phases: { faultsMs: 70_000, quietMs: QUIET_MS },
    draft: (draft) => {
      const [first, second] = [draft.random.between(0, 1_000), draft.random.between(25_000, 26_000)];
      draft.add({ kind: 'update', targets: anyService(draft), atMs: first });
      draft.add({ kind: 'update', targets: 'proxy', atMs: second });
    },
    criteria: () => [anotherAnswers],
  },
  {
    ...ON_SWARM,
    name: 'service-scale',
    title: 'docker service scale: two more servers for a policy, one proxy in place of three, and back',
    phases: { faultsMs: 40_000, quietMs: QUIET_MS },
    draft: (draft) => {
      const replicas = draft.serversPerPolicy + 2;
      const atMs = draft.random.between(0, 1_000);
      draft.add({ kind: 'scale', targets: anyService(draft), atMs, forMs: 8_000, params: { replicas } });
      draft.add({
        kind: 'scale',
        targets: 'proxy',
        atMs: atMs + 18_000,
        forMs: 10_000,
        params: { replicas: 1 },
      });
    },
    criteria: () => [newServersServe, anotherAnswers],
  },
  {
    ...ON_SWARM,
    name: 'node-drain',
    title: 'a node is drained, and is active again: maintenance of a machine',
    phases: { faultsMs: 30_000, quietMs: QUIET_MS },
    draft: onAnyWorker('node-drain', 15_000),
    criteria: () => [anotherAnswers],
  },
  {
    ...ON_SWARM,
    name: 'node-kill',
    title: 'SIGKILL of a node with all that runs on it, and a start: loss of a machine',
    phases: { faultsMs: 40_000, quietMs: QUIET_MS },
    draft: onAnyWorker('node-kill', 15_000),
    criteria: () => [anotherAnswers],
  },
];

function anyService(draft: Draft): string {
  return draft.random.pick(draft.hitPolicies.flatMap((policy) => draft.servicesOf(policy)));
}

function onAnyWorker(kind: FaultKind, forMs: number): Scenario['draft'] {
  return (draft) => {
    const node = `node-${draft.random.between(2, NODES)}`;
    draft.add({ kind, targets: node, atMs: draft.random.between(0, 1_000), forMs });
  };
}
