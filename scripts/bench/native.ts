// The benchmark's C programs: compiled when their sources have changed, servers started, loads run.

import { readFileSync } from 'node:fs';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { requireInstalled } from '../kit/install.ts';
import { type RunningProcess, startProcess } from '../kit/process.ts';
import { CACHE } from '../kit/project.ts';
import type { Progress } from '../kit/steps.ts';
import type { CellLoad } from './plan.ts';
import type { ServerAddress } from './targets/target.ts';

const SOURCES = join(import.meta.dirname, 'native');
const OUTPUT = join(CACHE, 'bench');
const NAMES = ['load', 'server'] as const;
// Without its recommendations gcc comes without the C library's headers.
const PACKAGES = ['gcc', 'libc6-dev', 'libssl-dev'];
const FLAGS = ['-std=c11', '-O2', '-Wall', '-Wextra'];
const COMPILE_TIMEOUT_MS = 60_000;
const DEFAULT_WARMUP_MS = 300;
const SERVERS_READY_WITHIN_MS = 60_000;
// A closed connection keeps its local port for a while: from one address there can be some 14,000 a second. More addresses
// would fill the kernel's table of connections where there is one; in a network of nothing but loopback there is none.
const SOURCES_IN_OWN_NETWORK = 16;
// As in native/load.c. A pipeline keeps its connection.
const MODES: Readonly<Record<CellLoad['mode'], number>> = { oneshot: 0, keep: 1, pipeline: 1, open: 2 };
const SERVERS_PER_NET = 250;

/** Where the compiled programs lie: the load generator and the SHA-1 servers. */
export type NativePrograms = Readonly<Record<(typeof NAMES)[number], string>>;

export type LoadRun = CellLoad & {
  port: number;
  /** How long is counted, in seconds. */
  seconds: number;
  /** 1 to this one, in turn. */
  policies: number;
  /** What happens before is not counted; 300 unless told otherwise. */
  warmupMs?: number;
  /** Processes whose CPU time is measured meanwhile. */
  pids?: readonly number[];
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
  /** CPU time in the counted time, user and system: the generator's own, then that of each process that was named. */
  cpuUs: readonly number[];
};

/**
 * Makes sure that the generator and the server are compiled from the sources as they are now.
 * @throws Failure, with exit code 2 where there is no compiler and none can be installed
 */
export async function prepareNative(progress: Progress): Promise<NativePrograms> {
  const sources = await readdir(SOURCES);
  const [newestMs, oldestMs] = await Promise.all([
    Promise.all(sources.map((name) => changedMs(join(SOURCES, name)))).then((all) => Math.max(...all)),
    Promise.all(NAMES.map((name) => changedMs(join(OUTPUT, name)))).then((all) => Math.min(...all)),
  ]);
  if (oldestMs <= newestMs) {
    const test = ['-fsyntax-only', '-include', 'openssl/evp.h', '-x', 'c', '/dev/null'];
    const hasCompiler = async () => (await attempt('gcc', test, { timeoutMs: COMPILE_TIMEOUT_MS })).isOk;
    await requireInstalled('a C compiler with the headers of OpenSSL 3', PACKAGES, hasCompiler, progress);
    await mkdir(OUTPUT, { recursive: true });
    progress.phase('compiling the generator and the server');
    await Promise.all(NAMES.map((name) => compile(name, progress)));
  }
  return { load: join(OUTPUT, 'load'), server: join(OUTPUT, 'server') };
}

// Under another name first: a program that runs must not be overwritten, nor a half-written one be run.
async function compile(name: (typeof NAMES)[number], progress: Progress): Promise<void> {
  const output = join(OUTPUT, name);
  const unfinished = `${output}.${process.pid}`;
  await run('gcc', [...FLAGS, '-o', unfinished, `${name}.c`, '-lcrypto', '-lm'], {
    cwd: SOURCES,
    signal: progress.signal,
    timeoutMs: COMPILE_TIMEOUT_MS,
    onLine: progress.line,
    failure: { what: `The ${name} program could not be compiled`, next: 'See the lines above.' },
  });
  await rename(unfinished, output);
}

async function changedMs(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.mtimeMs ?? 0;
}

export type ServersSpec = {
  /** The number of the first one, from 0: the id of server 0 is 1. */
  first: number;
  count: number;
  port: number;
  /** Server 0 has policy 1, the next one policy 2, and so on, in turn. */
  policies: number;
  /** They register with the proxy there, and keep sessions. */
  proxyPort?: number | undefined;
};

/**
 * Starts SHA-1 servers on loopback in one process; several have an address each. Resolves when they listen and, with a
 * proxy, are registered.
 * @throws Failure when they are not within a minute
 */
export async function startServers(
  programs: NativePrograms,
  { first, count, port, policies, proxyPort = 0 }: ServersSpec,
  signal?: AbortSignal,
): Promise<{ process: RunningProcess; addresses: ServerAddress[] }> {
  const args = [first, count, port, proxyPort, policies].map(String);
  const options = { readyLine: /^ready$/, signal, deadlineMs: SERVERS_READY_WITHIN_MS };
  const started = await startProcess(programs.server, args, options);
  const addresses = Array.from({ length: count }, (_, at) => {
    const number = first + at;
    const [net, host] = [Math.floor(number / SERVERS_PER_NET), (number % SERVERS_PER_NET) + 1];
    return {
      policy: (number % policies) + 1,
      host: count === 1 ? '127.0.0.1' : `127.16.${net}.${host}`,
      port,
    };
  });
  return { process: started, addresses };
}

/**
 * Sends a load to loopback. Resolves at the moment when counting ends.
 * @param onStart called at the moment when it begins
 * @throws Failure when the generator fails, or one of the processes has ended; the signal's reason when it fires
 */
export async function runLoad(
  programs: NativePrograms,
  load: LoadRun,
  onStart: () => void,
  signal?: AbortSignal,
): Promise<LoadResult> {
  const { mode, port, connections, depth, rate, seconds, warmupMs = DEFAULT_WARMUP_MS, pids = [] } = load;
  const sources = hasLoopbackOnly() ? SOURCES_IN_OWN_NETWORK : 1;
  const timing = [depth ?? 1, rate ?? 0, seconds, warmupMs];
  const requests = [load.payloadBytes, load.policies, sources];
  const args = [MODES[mode], port, connections, ...timing, ...requests, ...pids];
  const result = Promise.withResolvers<Omit<LoadResult, 'cpuUs'> & { cpuUs: (number | null)[] }>();
  const take = (line: string): void => {
    try {
      if (line === 'start') onStart();
      else if (line.startsWith('{')) result.resolve(JSON.parse(line));
    } catch (error) {
      result.reject(error);
    }
  };
  const generator = await startProcess(programs.load, args.map(String), { signal, onLine: take });
  try {
    const outcome = await Promise.race([result.promise, generator.ended]);
    if (typeof outcome === 'object') {
      // Its time is not known any more.
      const ended = pids.find((_, at) => outcome.cpuUs[at + 1] === null);
      if (ended === undefined) return outcome as LoadResult;
      throw new Failure(`Process ${ended} has ended while it was measured.`, 'Run it again.');
    }
    signal?.throwIfAborted();
    const next = 'Its last lines say why.';
    throw new Failure(`The load generator has failed: ${outcome}.`, next, { tail: generator.tail() });
  } finally {
    // Not awaited: the caller reads the clocks of the others now.
    void generator.stop();
  }
}

// The machine's own interfaces, and a container's, are beside loopback (proc_pid_net(5)).
function hasLoopbackOnly(): boolean {
  const names = readFileSync('/proc/net/dev', 'utf8').matchAll(/^ *(\S+):/gm);
  return [...names].every(([, name]) => name === 'lo');
}
