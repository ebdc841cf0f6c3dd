// shell · the programs that run beside the benchmark: servers, proxies, the generator. Started, watched, and ended.
// Must never leave one behind: each has a process group of its own, which ends with the benchmark at the latest.
import { type ChildProcess, spawn } from 'node:child_process';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { programEnvironment } from './command.ts';
import { Failure } from './failure.ts';

const TAIL_LINES = 20;
const STOP_WITHIN_MS = 2_000;
const NEXT =
  'Its own last lines say why. When another program has the port, end that one and run this again.';

/** A program that runs until it is stopped. */
export type BenchProcess = {
  pid: number;
  /** Ends it and whatever it has started: SIGTERM, and SIGKILL when that takes too long. Fine when it has ended already. */
  stop(): Promise<void>;
};

/** A program whose end is somebody's business too. */
export type WatchedProcess = BenchProcess & {
  /** Resolves with how it ended, in words: `exit code 1`, `ended by SIGKILL`. */
  ended: Promise<string>;
  /** The last lines of its standard error. */
  tail(): string;
  /** Where it can be sent messages, with `hasChannel`. */
  child: ChildProcess;
};

export type LaunchOptions = {
  env?: NodeJS.ProcessEnv | undefined;
  /** Stops the program. */
  signal?: AbortSignal | undefined;
  /** Called with every line of both streams; must not throw. */
  onLine?: ((line: string) => void) | undefined;
  /** How long it may take to end after SIGTERM; two seconds. */
  stopWithinMs?: number | undefined;
  /** Opens a channel for messages between this process and the program, which has to be Node. */
  hasChannel?: boolean | undefined;
};

const running = new Set<number>();
// Whoever is killed by hand can't clean up; every other end comes through here.
process.on('exit', () => {
  for (const pid of running) signalGroup(pid, 'SIGKILL');
});

/**
 * Starts a program.
 * @throws Failure when there is no such program; the signal's reason when it has fired already
 */
export async function launch(
  command: string,
  args: readonly string[],
  { env, signal, onLine, stopWithinMs = STOP_WITHIN_MS, hasChannel = false }: LaunchOptions = {},
): Promise<WatchedProcess> {
  signal?.throwIfAborted();
  const child = spawn(command, args, {
    env: programEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe', ...(hasChannel ? (['ipc'] as const) : [])],
    detached: true,
  });
  const ended = endOf(child);
  const { pid } = child;
  if (pid === undefined) throw new Failure(`${command} could not be started: ${await ended}.`, NEXT);
  running.add(pid);
  // What it has started itself may hold its outputs open.
  child.once('exit', () => signalGroup(pid, 'SIGKILL'));
  const tail = readLines(child, onLine);
  const stop = async (): Promise<void> => {
    if (!running.has(pid)) return;
    signalGroup(pid, 'SIGTERM');
    const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), stopWithinMs);
    await ended;
    clearTimeout(timer);
  };
  const onAbort = (): void => void stop();
  signal?.addEventListener('abort', onAbort, { once: true });
  void ended.then(() => {
    running.delete(pid);
    signal?.removeEventListener('abort', onAbort);
  });
  return { pid, ended, stop, tail: () => tail.join('\n'), child };
}

/**
 * Starts a program that runs until it is stopped, and waits until it is ready.
 * @param options.readyLine  a line of either stream that says so; without one, it is ready once it runs
 * @param options.deadlineMs how long that may take
 * @throws Failure with its last lines when it ends before it is ready, or is not ready in time; it is stopped then
 */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: {
    readyLine?: RegExp;
    env?: NodeJS.ProcessEnv;
    signal?: AbortSignal | undefined;
    deadlineMs: number;
  },
): Promise<BenchProcess> {
  const { readyLine, env, signal, deadlineMs } = options;
  const ready = Promise.withResolvers<true>();
  const onLine = (line: string): void => {
    if (readyLine?.test(line)) ready.resolve(true);
  };
  const started = await launch(command, args, { env, signal, onLine });
  if (readyLine === undefined) ready.resolve(true);
  const outcome = await within(Promise.race([ready.promise, started.ended]), deadlineMs);
  if (outcome === true) return started;
  await started.stop();
  signal?.throwIfAborted();
  const what = outcome === null ? `was not ready within ${deadlineMs / 1000} s` : `has ended: ${outcome}`;
  throw new Failure(`${basename(command)} ${what}.`, NEXT, { tail: started.tail() });
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ENOENT' ? 'not found' : error.message),
    );
    child.once('close', (code, killedBy) =>
      resolve(code === null ? `ended by ${killedBy}` : `exit code ${code}`),
    );
  });
}

// Returns where the last lines of standard error are kept.
function readLines(child: ChildProcess, onLine: LaunchOptions['onLine']): readonly string[] {
  const tail: string[] = [];
  createInterface({ input: child.stdout as Readable }).on('line', (line) => onLine?.(line));
  createInterface({ input: child.stderr as Readable }).on('line', (line) => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    onLine?.(line);
  });
  return tail;
}

/** What `promise` comes to, or null after so many milliseconds. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Already gone, which is what was wanted.
  }
}
