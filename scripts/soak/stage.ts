// shell · what a soak takes place on: a real proxy and its servers, processes of their own on loopback.
// Must never leave a process behind, or give the proxy other settings than the report says.

import { fetchPolicies, type PolicySnapshot, waitForServers } from '../kit/policies.ts';
import { freePorts } from '../kit/ports.ts';
import { type ProxyProcess, startProxyProcess } from '../kit/proxy-process.ts';
import type { Inside } from './journal.ts';
import { residents } from './plan.ts';
import { ServerProcess } from './server-process.ts';

const INSIDE = new URL('./inside.ts', import.meta.url).href;
const WHOLE_WITHIN_MS = 20_000;

/** An evicted server is forgotten sooner than by default, so that forgetting is a part of the churn. */
const SETTINGS = { PROXY_FORGET_AFTER: '5000' };

/** The table, and how many connections the well-known port has. */
type Status = PolicySnapshot & { proxy: { connections: number } };

export type Stage = {
  readonly proxy: ProxyProcess;
  /** By their number. */
  readonly residents: ReadonlyMap<number, ServerProcess>;
  /** What has gone wrong without anybody having done it. */
  readonly problems: readonly string[];
  /** What the proxy has told of itself last, once; null when nothing new. */
  takeInside(): Inside | null;
  status(): Promise<Status>;
  /** A server that is none of the residents, not started yet. */
  makeGuest(id: string, policy: string): Promise<ServerProcess>;
  /** Waits until every resident is in rotation. @throws Failure when that takes too long */
  whole(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Starts the proxy and the servers.
 * @param signal is for starting only: what runs is ended by `stop`
 * @throws Failure when the proxy does not start
 */
export async function startStage(signal: AbortSignal): Promise<Stage> {
  const [adminPort = 0, ...ports] = await freePorts(1 + residents().length);
  signal.throwIfAborted();
  const running = new AbortController();
  const proxy = await startProxyProcess({
    nodeFlags: [`--import=${INSIDE}`, '--expose-gc'],
    environment: { ...SETTINGS, PROXY_ADMIN_PORT: String(adminPort) },
    hasChannel: true,
    signal: running.signal,
  });
  let inside: Inside | null = null;
  proxy.child.on('message', (told) => {
    inside = told as Inside;
  });
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const problems: string[] = [];
  const guests = new Set<ServerProcess>();
  const make = (id: string, policy: string, port: number): ServerProcess =>
    new ServerProcess({ id, policy, port, proxyPort: proxy.port }, (how) => void problems.push(how));
  const all = new Map(
    residents().map(({ server, policy }, at) => [server, make(String(server), policy, ports[at] as number)]),
  );
  const stop = async (): Promise<void> => {
    await Promise.all([...all.values(), ...guests].map((server) => server.stop()));
    await proxy.stop();
  };
  try {
    await Promise.all([...all.values()].map((server) => server.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    proxy,
    residents: all,
    problems,
    takeInside: () => {
      const told = inside;
      inside = null;
      return told;
    },
    status: async () => (await fetchPolicies(adminUrl)) as Status,
    makeGuest: async (id, policy) => {
      const [port = 0] = await freePorts(1);
      const guest = make(id, policy, port);
      guests.add(guest);
      return guest;
    },
    whole: async (until) => {
      await waitForServers({ adminUrl, count: all.size, timeoutMs: WHOLE_WITHIN_MS, signal: until });
    },
    stop,
  };
}
