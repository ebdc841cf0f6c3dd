// shell · starts everything that takes part: the servers, and each target that was chosen.
// Must never leave a process behind, whichever of them did not start.
import { type NativePrograms, startServer } from '../native.ts';
import type { PeerPrograms } from '../peer-programs.ts';
import type { TargetName } from '../plan.ts';
import { freePorts } from '../ports.ts';
import type { BenchProcess } from '../process.ts';
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
  /** For the configurations. */
  folder: string;
};

/**
 * Starts the servers and the targets; the one set of servers serves them all.
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
  try {
    const targets = new Map<TargetName, RunningTarget>();
    const proxy = plan.targets.includes('policy-proxy') ? keep(await startPolicyProxy(signal)) : null;
    const servers = await addressServers();
    const processes: BenchProcess[] = [];
    for (const server of servers) {
      processes.push(keep(await startServer(plan.programs, { ...server, proxyPort: proxy?.port }, signal)));
      signal.throwIfAborted();
    }
    await proxy?.waitForServers(servers.length);
    const context = { servers, peers: plan.peers, folder: plan.folder, signal };
    for (const name of plan.targets) {
      const target = name === 'policy-proxy' ? proxy : keep(await startTarget(name, context));
      if (target !== null) targets.set(name, target);
      signal.throwIfAborted();
    }
    return { targets, serverPids: processes.map(({ pid }) => pid), policies: POLICIES.map(String), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function addressServers(): Promise<ServerAddress[]> {
  const ports = await freePorts(POLICIES.length * SERVERS_PER_POLICY);
  return ports.map((port, index) => {
    const policy = POLICIES[Math.floor(index / SERVERS_PER_POLICY)] as number;
    return { id: policy * 10 + (index % SERVERS_PER_POLICY) + 1, policy, port };
  });
}

async function startTarget(
  name: Exclude<TargetName, 'policy-proxy'>,
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
