// All targets, in the order of the report, and what is started so that some of them can be measured.
import { freePorts } from '../../kit/ports.ts';
import { type NativePrograms, startServers } from '../native.ts';
import { bareNode } from './bare-node.ts';
import { direct } from './direct.ts';
import { haproxy, haproxyOneThread } from './haproxy.ts';
import { heldWorkers } from './held-workers.ts';
import { nginx } from './nginx.ts';
import { baseline, logged, policyProxy, sixServers, watched } from './policy-proxy.ts';
import type { ServerAddress, StartedTarget, Target, TargetContext } from './target.ts';
import { threadPerRequest } from './thread-per-request.ts';

export const TARGETS: readonly Target[] = [
  direct,
  bareNode,
  haproxy,
  haproxyOneThread,
  nginx,
  threadPerRequest,
  sixServers,
  watched,
  logged,
  ...heldWorkers,
  baseline,
  policyProxy,
];

// Several, so that none of them is busy with the requests of all.
const SERVER_PROCESSES = 6;

/** A target that runs, with the processes of its servers. */
export type RunningTarget = Omit<StartedTarget, 'policies'> & {
  policies: number;
  serverPids: readonly number[];
};

/**
 * Starts targets, each with servers of its own.
 * @returns the targets by name, and what ends every process that was started
 * @throws Failure when one does not start; the others are stopped then
 */
export async function startTargets(
  names: readonly string[],
  programs: NativePrograms,
  common: Omit<TargetContext, 'port' | 'startServers'>,
): Promise<{ byName: ReadonlyMap<string, RunningTarget>; stop(): Promise<void> }> {
  const running: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(running.splice(0).map((each) => each.stop()));
  };
  const byName = new Map<string, RunningTarget>();
  try {
    for (const target of TARGETS.filter(({ name }) => names.includes(name))) {
      const serverPids: number[] = [];
      const [port = 0] = await freePorts(1);
      const context: TargetContext = {
        ...common,
        port,
        startServers: async ({ servers, policies }, proxyPort) => {
          const all: ServerAddress[] = [];
          const ports = await freePorts(Math.min(servers, SERVER_PROCESSES));
          for (const [at, port] of ports.entries()) {
            const first = Math.floor((servers * at) / ports.length);
            const count = Math.floor((servers * (at + 1)) / ports.length) - first;
            const spec = { first, count, port, policies, proxyPort };
            const { process, addresses } = await startServers(programs, spec, common.signal);
            running.push(process);
            serverPids.push(process.pid);
            all.push(...addresses);
          }
          return all;
        },
      };
      const started = await target.start(context);
      running.push(started);
      byName.set(target.name, { ...started, policies: started.policies ?? common.size.policies, serverPids });
      common.signal.throwIfAborted();
    }
    return { byName, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
