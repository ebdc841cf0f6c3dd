// shell · the load of a profile: six servers and the generator, native programs all, against one proxy.
// Must never leave a server running.

import type { Span } from '../../kit/cpu-profile.ts';
import { Failure } from '../../kit/failure.ts';
import { freePorts } from '../../kit/ports.ts';
import type { RunningProcess } from '../../kit/process.ts';
import { cpuBetween, sampleCpu } from '../../kit/process-cost.ts';
import type { ProxyProcess } from '../../kit/proxy-process.ts';
import { type LoadResult, type NativePrograms, runLoad, startServer } from '../native.ts';
import type { ProfileOptions } from './options.ts';
import { clockUs } from './record.ts';

// As the cluster has them.
const POLICIES = ['1', '2', '3'];
const SERVERS_PER_POLICY = 2;

export type LoadFigures = {
  result: LoadResult;
  /** CPU time of the proxy's process while requests were counted, µs. */
  cpuUs: number;
  span: Span;
};

/**
 * Starts the servers, lets them register, and puts the load on the proxy.
 * @throws Failure when no request was answered
 */
export async function loadProxy(
  proxy: ProxyProcess,
  programs: NativePrograms,
  options: ProfileOptions,
  signal: AbortSignal,
): Promise<LoadFigures> {
  const { mode, connections, payloadBytes, seconds } = options;
  const servers: RunningProcess[] = [];
  try {
    for (const [index, port] of (await freePorts(POLICIES.length * SERVERS_PER_POLICY)).entries()) {
      const policy = POLICIES[index % POLICIES.length] as string;
      const server = { id: index + 1, policy, port, proxyPort: proxy.port };
      servers.push(await startServer(programs, server, signal));
    }
    const run = { port: proxy.port, mode, connections, seconds, payloadBytes, policies: POLICIES };
    let started = { atUs: clockUs(), cpu: sampleCpu([proxy.pid]) };
    const onStart = (): void => {
      started = { atUs: clockUs(), cpu: sampleCpu([proxy.pid]) };
    };
    const result = await runLoad(programs, run, onStart, signal);
    const cpuUs = cpuBetween(started.cpu, sampleCpu([proxy.pid]), 1);
    if (result.requests === 0) {
      throw new Failure('No request was answered.', 'See whether "npm run bench" gets answers.', {
        tail: JSON.stringify(result.errors),
      });
    }
    return { result, cpuUs, span: { fromUs: started.atUs, toUs: started.atUs + result.seconds * 1e6 } };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}
