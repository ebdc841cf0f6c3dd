// shell · starts everything that takes part: the servers, and each target that was chosen.
// Must never leave a process behind, whichever of them did not start.

import { freePorts } from '../../kit/ports.ts';
import { ROOT } from '../../kit/project.ts';
import type { Baseline } from '../baseline.ts';
import { type NativePrograms, startServer } from '../native.ts';
import type { PeerPrograms } from '../peer-programs.ts';
import type { TargetName } from '../plan.ts';
import { startBareNode } from './bare-node.ts';
import { startDirect } from './direct.ts';
import { startHaproxy } from './haproxy.ts';
import { startNginx } from './nginx.ts';
import { startPolicyProxy } from './policy-proxy.ts';
import type { RunningTarget, ServerAddress, TargetContext } from './target.ts';
import { startThreadPerRequest } from './thread-per-request.ts';

const POLICIES = [1, 2, 3];
const SERVERS_PER_POLICY = 2;

/** Everything that runs while it is measured. */
export type Arena = {
  targets: ReadonlyMap<TargetName, RunningTarget>;
  /** Process ids of the servers. */
  serverPids: readonly number[];
  policies: readonly string[];
  /** Ends every process that was started. */
  stop(): Promise<void>;
};

export type ArenaPlan = {
  targets: readonly TargetName[];
  programs: NativePrograms;
  peers: PeerPrograms;
  /** Null when it takes no part. */
  baseline: Baseline | null;
  /** For the configurations. */
  folder: string;
};

/**
 * Starts the servers and the targets. One set of servers serves them all but `baseline`, which has six of its own,
 * because a server registers with one proxy.
 * @throws Failure when one does not start; whatever had started is stopped by then
 */
export async function openArena(plan: ArenaPlan, signal: AbortSignal): Promise<Arena> {
  const running: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    // The last one first: a proxy would take note of servers that leave before it does.
    for (const each of running.splice(0).reverse()) await each.stop().catch(() => {});
  };
  const keep = <T extends { stop(): Promise<void> }>(each: T): T => {
    running.push(each);
    return each;
  };
  const serverPids: number[] = [];
  const startServers = async (proxyPort?: number): Promise<ServerAddress[]> => {
    const servers = await addressServers();
    for (const server of servers) {
      serverPids.push(keep(await startServer(plan.programs, { ...server, proxyPort }, signal)).pid);
      signal.throwIfAborted();
    }
    return servers;
  };
  try {
    const targets = new Map<TargetName, RunningTarget>();
    let shared: ServerAddress[] | null = null;
    for (const { name, root } of versionsOf(plan)) {
      const proxy = keep(await startPolicyProxy(name, root, signal));
      targets.set(name, proxy);
      const servers = await startServers(proxy.port);
      await proxy.waitForServers(servers.length);
      shared ??= servers;
    }
    const servers = shared ?? (await startServers());
    const context = { servers, peers: plan.peers, folder: plan.folder, signal };
    for (const name of plan.targets) {
      if (name === 'policy-proxy' || name === 'baseline') continue;
      targets.set(name, keep(await startTarget(name, context)));
      signal.throwIfAborted();
    }
    return { targets, serverPids, policies: POLICIES.map(String), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The versions of this project's proxy that take part, and where each lies. */
function versionsOf({ targets, baseline }: ArenaPlan): { name: 'policy-proxy' | 'baseline'; root: string }[] {
  return [
    ...(targets.includes('policy-proxy') ? [{ name: 'policy-proxy', root: ROOT } as const] : []),
    ...(baseline === null ? [] : [{ name: 'baseline', root: baseline.root } as const]),
  ];
}

async function addressServers(): Promise<ServerAddress[]> {
  const ports = await freePorts(POLICIES.length * SERVERS_PER_POLICY);
  return ports.map((port, index) => {
    const policy = POLICIES[Math.floor(index / SERVERS_PER_POLICY)] as number;
    return { id: policy * 10 + (index % SERVERS_PER_POLICY) + 1, policy, port };
  });
}

async function startTarget(
  name: Exclude<TargetName, 'policy-proxy' | 'baseline'>,
  context: TargetContext,
): Promise<RunningTarget> {
  switch (name) {
    case 'direct':
      return await startDirect(context);
    case 'bare-node':
      return await startBareNode(context);
    case 'haproxy':
    case 'haproxy-1':
      return await startHaproxy(name, context);
    case 'nginx':
      return await startNginx(context);
    case 'thread-per-request':
      return await startThreadPerRequest(context);
    default:
      return name satisfies never;
  }
}
