// shell · the benchmark's C programs from TypeScript: a server is started, a load is run and its result read.
// Must never judge a result: errors are part of it.
import { readFileSync } from 'node:fs';
import { Failure } from '../kit/failure.ts';
import { type RunningProcess, startProcess, within } from '../kit/process.ts';
import type { NativePrograms } from './native/compile.ts';

export { type NativePrograms, prepareNative } from './native/compile.ts';

const SERVER_DEADLINE_MS = 5_000;
const DEFAULT_WARMUP_MS = 300;
// A closed connection keeps its local port for a while: from one address there can be some 14,000 a second. More addresses
// would fill the kernel's table of connections where there is one; in a network of nothing but loopback there is none.
const SOURCES_IN_OWN_NETWORK = 16;
// Beyond what a load is to take by itself.
const LOAD_GRACE_MS = 10_000;

export type ServerSpec = {
  id: string | number;
  policy: string | number;
  port: number;
  /** It registers with the proxy there, and keeps a session. */
  proxyPort?: number | undefined;
};

/** Each mode is described in `native/load-options.h`. */
type LoadMode = 'oneshot' | 'keep' | 'pipeline' | 'open';

export type LoadRun = {
  port: number;
  mode: LoadMode;
  /** Without a meaning in the open loop, which opens one for each request. */
  connections: number;
  /** How long is counted, in seconds. */
  seconds: number;
  /** From 2 to 1,024. */
  payloadBytes: number;
  /** Taken in turn; at least one. */
  policies: readonly (string | number)[];
  /** Requests a second of the open loop. */
  rate?: number | undefined;
  /** Requests in flight on each connection, with `pipeline`. */
  depth?: number | undefined;
  /** What happens before is not counted; 300 unless told otherwise. */
  warmupMs?: number | undefined;
};

export type LoadResult = {
  /** Answered right, in the counted time. */
  requests: number;
  /** The counted time. */
  seconds: number;
  /** Requests that failed, by what became of them. `refused`: connections that could not be opened. */
  errors: { errorReply: number; reset: number; timeout: number; wrongDigest: number; refused: number };
  /** In whole microseconds. */
  latencyUs: { p50: number; p90: number; p99: number; p999: number; max: number };
  /** Of the refused connections, those for which this machine had no free local port. */
  noLocalPort?: number;
  /** CPU time of the generator, user and system, in the counted time. */
  cpuUs: number;
};

/**
 * Starts a SHA-1 server on loopback. Resolves when it listens and, where that is asked for, is registered.
 * @throws Failure when it is not in time
 */
export function startServer(
  programs: NativePrograms,
  { id, policy, port, proxyPort }: ServerSpec,
  signal?: AbortSignal,
): Promise<RunningProcess> {
  const registration = proxyPort === undefined ? [] : ['--proxy', String(proxyPort)];
  const args = ['--id', String(id), '--policy', String(policy), '--port', String(port), ...registration];
  return startProcess(programs.server, args, {
    readyLine: /^ready$/,
    signal,
    deadlineMs: SERVER_DEADLINE_MS,
  });
}

/**
 * Sends a load to loopback. Resolves at the moment when counting ends.
 * @param onStart called at the moment when it begins
 * @throws Failure when the generator fails; the signal's reason when it fires
 */
export async function runLoad(
  programs: NativePrograms,
  run: LoadRun,
  onStart: () => void,
  signal?: AbortSignal,
): Promise<LoadResult> {
  const result = Promise.withResolvers<LoadResult>();
  const take = (line: string): void => {
    if (line === 'start') onStart();
    else if (line.startsWith('{')) result.resolve(JSON.parse(line) as LoadResult);
  };
  const generator = await startProcess(programs.load, loadArguments(run, hasLoopbackOnly()), {
    signal,
    onLine: (line) => {
      try {
        take(line);
      } catch (error) {
        result.reject(error);
      }
    },
  });
  const deadlineMs = run.seconds * 1000 + (run.warmupMs ?? DEFAULT_WARMUP_MS) + LOAD_GRACE_MS;
  try {
    const outcome = await within(Promise.race([result.promise, generator.ended]), deadlineMs);
    if (outcome !== null && typeof outcome === 'object') return outcome;
    signal?.throwIfAborted();
    const what = outcome === null ? `has not ended after ${deadlineMs / 1000} s` : `has failed: ${outcome}`;
    throw new Failure(`The load generator ${what}.`, 'Its own last lines say why.', {
      tail: generator.tail(),
    });
  } finally {
    // Not waited for: whoever measures looks at the clocks of the others now.
    void generator.stop();
  }
}

/** The generator's command line; in a network of nothing but loopback, connections come from several addresses. */
export function loadArguments(run: LoadRun, hasLoopbackOnly: boolean): string[] {
  const given = {
    port: run.port,
    mode: run.mode,
    connections: run.connections,
    seconds: run.seconds,
    payload: run.payloadBytes,
    policies: run.policies.join(','),
    rate: run.rate,
    depth: run.depth,
    sources: hasLoopbackOnly ? SOURCES_IN_OWN_NETWORK : undefined,
    'warmup-ms': run.warmupMs ?? DEFAULT_WARMUP_MS,
  };
  return Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  );
}

// The machine's own interfaces, and a container's, are beside loopback (proc_pid_net(5)).
function hasLoopbackOnly(): boolean {
  const names = readFileSync('/proc/net/dev', 'utf8').matchAll(/^ *(\S+):/gm);
  return [...names].every(([, name]) => name === 'lo');
}
