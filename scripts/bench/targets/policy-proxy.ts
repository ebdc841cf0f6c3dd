// This project's proxy, as a person would start it: as it is, as it was in another version, and with few servers.
import { waitForServers } from '../../kit/policies.ts';
import { ROOT } from '../../kit/project.ts';
import { startProxyProcess } from '../../kit/proxy-process.ts';
import { checkIntervalMs, type Size, type StartedTarget, type Target, type TargetContext } from './target.ts';

/** The cluster's own size. */
export const USUAL_SIZE: Size = { servers: 6, policies: 3 };

const READY_WITHIN_MS = 60_000;
const DEFAULT_MAX_SERVERS = 1024;
const DEFAULT_MAX_CONNECTIONS = 10_000;
// For clients and probes.
const SPARE_CONNECTIONS = 2500;
// Node raises its limit of open files to the hard one by itself. To raise the hard one takes root.
const WITH_MANY_FILES = ['sh', '-c', '(ulimit -n 65536) 2>/dev/null && ulimit -n 65536; exec "$@"', 'sh'];

export const policyProxy: Target = {
  name: 'policy-proxy',
  description: 'this proxy with its defaults',
  routesEveryRequest: true,
  start: (context) => startVersion(context, ROOT, context.size),
};

export const baseline: Target = {
  name: 'baseline',
  description: 'the version that --baseline names',
  routesEveryRequest: true,
  version: async (context) => context.baseline?.version ?? null,
  start: (context) => startVersion(context, context.baseline?.root ?? ROOT, context.size),
};

export const sixServers: Target = {
  name: 'six-servers',
  description: 'this proxy with six servers of three policies, for --servers and --policies',
  routesEveryRequest: true,
  start: (context) => startVersion(context, ROOT, USUAL_SIZE),
};

async function startVersion(
  { startServers, signal }: TargetContext,
  root: string,
  size: Size,
): Promise<StartedTarget> {
  const { servers } = size;
  const isUsual = servers <= DEFAULT_MAX_SERVERS;
  const proxy = await startProxyProcess({
    root,
    signal,
    tracer: isUsual ? [] : WITH_MANY_FILES,
    environment: isUsual ? {} : settingsFor(servers),
  });
  await startServers(size, proxy.port);
  await waitForServers({ adminUrl: proxy.adminUrl, count: servers, timeoutMs: READY_WITHIN_MS, signal });
  return { port: proxy.port, pid: proxy.pid, policies: size.policies, stop: proxy.stop };
}

// The defaults, but for limits that are too low for so many.
function settingsFor(servers: number): Record<string, string> {
  const connections = servers + SPARE_CONNECTIONS;
  return {
    PROXY_MAX_SERVERS: String(servers),
    PROXY_MAX_CONNECTIONS: String(Math.max(connections, DEFAULT_MAX_CONNECTIONS)),
    PROXY_HEALTH_INTERVAL: String(checkIntervalMs(servers)),
  };
}
