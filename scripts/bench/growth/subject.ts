// shell · a proxy process with its registered stub servers, ready to be measured.
// Must never share a proxy or a worker with another subject, or leave one behind when it can't be started.
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../kit/ports.ts';
import { startDefaultProxy } from '../default-proxy.ts';
import { NO_PROBES_INTERVAL_MS, proxyArguments, sessionsThatFit, tooFewFiles } from './cases.ts';
import { openFilesOf, withManyFiles } from './open-files.ts';
import { followRotation, type Rotation } from './rotation.ts';
import { shareOf } from './stub-plan.ts';
import type { StubCalls } from './stub-servers.ts';
import { waitUntil } from './waiting.ts';
import { startWorker, type Worker } from './worker-calls.ts';

const STUBS = fileURLToPath(new URL('stub-servers.ts', import.meta.url));

// Ten thousand take a few seconds where the proxy keeps up with their probes.
const REGISTER_MS = 45_000;
const REGISTER_GRACE_MS = 15_000;
// The proxy forgets a server that has not passed a probe within ten seconds.
const READY_MS = 15_000;
const SERVERS_PER_WORKER = 5_000;
const SPREAD_FROM_INTERVAL_MS = 2_000;
const COUNTS_MS = 5_000;

export type SubjectPlan = { servers: number; policies: number; healthIntervalMs: number; clients?: number };

export type Subject = {
  readonly plan: SubjectPlan;
  readonly port: number;
  readonly proxyPid: number;
  readonly serverPids: readonly number[];
  readonly proxyArguments: readonly string[];
  readonly openFiles: number;
  readonly sessions: number;
  readonly registeredSeconds: number;
  readonly readySeconds: number;
  readonly rotation: Rotation;
  /** Probes answered so far, one count for each process of servers. */
  probeCounts(): Promise<readonly ProbeCount[]>;
  stop(): Promise<void>;
};

/** `atMs` is when it was counted: monotonic, of that process's own clock. */
export type ProbeCount = { atMs: number; probes: number };

/** This machine can't have so many servers; the message says why, as a clause. */
export class NotManaged extends Error {
  override name = 'NotManaged';
}

/**
 * Starts a proxy and its servers, and waits until they are in rotation.
 * @throws NotManaged, or a Failure
 */
export async function startSubject(plan: SubjectPlan, signal: AbortSignal): Promise<Subject> {
  const workers: Worker<StubCalls>[] = [];
  const [port, adminPort] = (await freePorts(2)) as [number, number];
  const args = proxyArguments(plan.servers, plan.healthIntervalMs, plan.clients);
  const proxy = await startDefaultProxy(port, adminPort, signal, { flags: args, wrap: withManyFiles });
  const rotation = followRotation(adminPort);
  const stop = async (): Promise<void> => {
    rotation.close();
    await Promise.all([proxy.stop(), ...workers.map((worker) => worker.stop())]);
  };
  try {
    const openFiles = openFilesOf(proxy.pid);
    const sessions = sessionsThatFit(plan.servers, openFiles);
    if (sessions === null) throw new NotManaged(tooFewFiles(plan.servers, openFiles));
    const count = Math.ceil(plan.servers / SERVERS_PER_WORKER);
    for (let started = 0; started < count; started += 1)
      workers.push(await startWorker<StubCalls>(STUBS, signal));
    const startedMs = performance.now();
    const registeredSeconds = await register(workers, plan, sessions, port, signal);
    const isReady = await waitUntil(() => rotation.ready >= plan.servers, READY_MS, signal);
    if (!isReady)
      throw new NotManaged(`only ${rotation.ready} of ${plan.servers} servers came into rotation`);
    return {
      plan,
      port,
      proxyPid: proxy.pid,
      serverPids: workers.map(({ pid }) => pid),
      proxyArguments: args,
      openFiles,
      sessions,
      registeredSeconds,
      readySeconds: (performance.now() - startedMs) / 1000,
      rotation,
      probeCounts: () => Promise.all(workers.map((worker) => worker.call('counts', {}, COUNTS_MS))),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @returns seconds from the first setup packet to the last reply */
async function register(
  workers: readonly Worker<StubCalls>[],
  { servers, policies, healthIntervalMs }: SubjectPlan,
  sessions: number,
  proxyPort: number,
  signal: AbortSignal,
): Promise<number> {
  const isSpread = healthIntervalMs >= SPREAD_FROM_INTERVAL_MS && healthIntervalMs < NO_PROBES_INTERVAL_MS;
  const spreadMs = isSpread ? healthIntervalMs : 0;
  const deadlineMs = spreadMs + REGISTER_MS;
  const replies = await Promise.all(
    workers.map(async (worker, at) => {
      const [listenPort = 0] = await freePorts(1);
      const { first, count } = shareOf(servers, at, workers.length);
      const argument = {
        proxyPort,
        listenPort,
        first,
        count,
        policies,
        sessions: Math.min(count, Math.max(0, sessions - first)),
        spreadMs,
        deadlineMs,
      };
      return await worker.call('register', argument, deadlineMs + REGISTER_GRACE_MS);
    }),
  );
  signal.throwIfAborted();
  const registered = replies.reduce((sum, reply) => sum + reply.registered, 0);
  if (registered < servers) {
    const why = [...new Set(replies.flatMap(({ failures }) => failures))].join(', ');
    throw new NotManaged(
      `only ${registered} of ${servers} servers could register within ${deadlineMs / 1000} s (${why})`,
    );
  }
  return Math.max(...replies.map(({ elapsedMs }) => elapsedMs)) / 1000;
}
