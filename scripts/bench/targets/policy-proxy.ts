// This project's proxy, as a person would start it: as it is, as it was in another version, and with few servers.
import { waitForServers } from '../../kit/policies.ts';
import { ROOT } from '../../kit/project.ts';
import { type ProxyCommand, startProxyProcess } from '../../kit/proxy-process.ts';
import { checkIntervalMs, type Size, type StartedTarget, type Target, type TargetContext } from './target.ts';

/** The cluster's own size. */
export const USUAL_SIZE: Size = { servers: 6, policies: 3 };

const READY_WITHIN_MS = 60_000;
const SCRAPE_EVERY_MS = 1000;
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

export const watched: Target = {
  name: 'watched',
  description: 'this proxy with its page open in one tab, and its metrics scraped once a second',
  routesEveryRequest: true,
  start: async (context) => {
    const { adminUrl, stop, ...started } = await startVersion(context, ROOT, context.size);
    const stopWatching = watch(adminUrl);
    return { ...started, stop: () => stop().finally(stopWatching) };
  },
};

export const logged: Target = {
  name: 'logged',
  description: 'this proxy with a line of its access log for each request',
  routesEveryRequest: true,
  start: (context) => startVersion(context, ROOT, context.size, LOGGED),
};

// The lines go to a program that only reads them, once those of the start have been passed on.
const LOGGED = {
  tracer: ['bash', '-c', 'exec "$@" > >(head -n 20; exec cat > /dev/null)', 'bash'],
  environment: { PROXY_ACCESS_LOG: '1' },
};

/** Starts a proxy, with servers of its own that it has admitted. */
export async function startVersion(
  { startServers, signal }: TargetContext,
  root: string,
  size: Size,
  command: Pick<ProxyCommand, 'tracer' | 'environment'> = {},
): Promise<StartedTarget & { pid: number; adminUrl: string }> {
  const { servers } = size;
  const isUsual = servers <= DEFAULT_MAX_SERVERS;
  const proxy = await startProxyProcess({
    root,
    signal,
    tracer: isUsual ? [] : WITH_MANY_FILES,
    environment: isUsual ? {} : settingsFor(servers),
    ...command,
  });
  await startServers(size, proxy.port);
  await waitForServers({ adminUrl: proxy.adminUrl, count: servers, timeoutMs: READY_WITHIN_MS, signal });
  const { port, pid, adminUrl, stop } = proxy;
  return { port, pid, adminUrl, policies: size.policies, stop };
}

function watch(adminUrl: string): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  const readOn = async (path: string): Promise<void> => {
    const { body } = await fetch(`${adminUrl}${path}`, { signal });
    await body?.pipeTo(new WritableStream(), { signal });
  };
  const ignore = (): void => {};
  void readOn('/api/stream').catch(ignore);
  const scraping = setInterval(() => void readOn('/metrics').catch(ignore), SCRAPE_EVERY_MS);
  return () => {
    clearInterval(scraping);
    ending.abort();
  };
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
