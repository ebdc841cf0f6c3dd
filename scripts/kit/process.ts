// Programs that run beside a command: started, awaited until they are ready, and stopped. They end with this process.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { basename } from 'node:path';
import type { Writable } from 'node:stream';
import { endOf, followLines, programEnvironment, signalGroup } from './command.ts';
import { Failure } from './failure.ts';

const READY_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 2_000;
const NEXT = 'Its last lines say why. If another program uses the port, stop that one and run this again.';

/** A program that was started. */
export type RunningProcess = {
  pid: number;
  /** For messages (`hasChannel`) and for signals to this one process. */
  child: ChildProcess;
  /** How it ended: `exit code 1`, `ended by SIGKILL`. */
  ended: Promise<string>;
  /** The last lines of its standard error. */
  tail(): string;
  /** Ends it and all that it has started: SIGTERM, and SIGKILL if that takes too long. Fine if it has ended already. */
  stop(): Promise<void>;
};

export type ProcessOptions = {
  /** Matches the line of either stream that says that the program is ready; without one it is ready once it runs. */
  readyLine?: RegExp | undefined;
  /** How long it may take to be ready; 20 seconds. */
  deadlineMs?: number | undefined;
  env?: NodeJS.ProcessEnv | undefined;
  /** Stops the program. */
  signal?: AbortSignal | undefined;
  /** Called with every line of both streams that is not blank; must not throw. */
  onLine?: ((line: string) => void) | undefined;
  /** How long it may take to end after SIGTERM; two seconds. */
  stopWithinMs?: number | undefined;
  /** Opens a channel for messages between this process and the program, which has to be Node. */
  hasChannel?: boolean | undefined;
  /** It writes to the standard streams of this process; there are no lines then. */
  sharesOutput?: boolean | undefined;
};

/**
 * Starts a program and waits until it is ready.
 * @throws Failure when there is no such program, and, with its last lines, when it ends before it is ready or is not
 * ready in time (it is stopped then); the signal's reason when the signal has fired
 */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<RunningProcess> {
  const { readyLine, deadlineMs = READY_WITHIN_MS, signal, stopWithinMs = STOP_WITHIN_MS } = options;
  signal?.throwIfAborted();
  const output = options.sharesOutput ? 'inherit' : 'pipe';
  const child = spawn(command, args, {
    env: programEnvironment(options.env),
    stdio: ['ignore', output, output, ...(options.hasChannel ? (['ipc'] as const) : [])],
    detached: true,
  });
  const ended = endOf(child);
  const { pid } = child;
  if (pid === undefined) throw new Failure(`${command} could not be started: ${await ended}.`, NEXT);
  const isOver = killWithThisProcess(child, pid);
  const ready = Promise.withResolvers<'ready'>();
  const tail: string[] = [];
  const onLine = (line: string): void => {
    options.onLine?.(line);
    if (readyLine?.test(line)) ready.resolve('ready');
  };
  if (child.stdout !== null) followLines(child.stdout, onLine);
  if (child.stderr !== null) followLines(child.stderr, onLine, tail);
  const stop = async (): Promise<void> => {
    if (isOver()) return;
    signalGroup(pid, 'SIGTERM');
    const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), stopWithinMs);
    await ended;
    clearTimeout(timer);
  };
  const onAbort = (): void => void stop();
  signal?.addEventListener('abort', onAbort, { once: true });
  void ended.then(() => signal?.removeEventListener('abort', onAbort));
  const started = { pid, child, ended, tail: () => tail.join('\n'), stop };
  if (readyLine === undefined) return started;
  const outcome = await within(Promise.race([ready.promise, ended]), deadlineMs);
  if (outcome === 'ready') return started;
  await stop();
  signal?.throwIfAborted();
  const what = outcome === null ? `was not ready within ${deadlineMs / 1000} s` : `has ended: ${outcome}`;
  throw new Failure(`${basename(command)} ${what}.`, NEXT, { tail: started.tail() });
}

/** What `promise` resolves to, or null after so many milliseconds. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

// One small process for all programs: it is given the id of each process group that begins and ends. When this process
// ends, however it does, the pipe closes, and the guard kills the groups that are left.
const GUARD = `all=
while read -r change pid; do
  case $change in
    begins) all="$all $pid " ;;
    ends) all="\${all%% $pid *} \${all#* $pid }" ;;
  esac
done
for pid in $all; do kill -KILL "-$pid"; done`;
let guard: Writable | null = null;

function tellGuard(change: 'begins' | 'ends', pid: number): void {
  if (guard === null) {
    const started = spawn('sh', ['-c', GUARD], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    started.unref();
    (started.stdin as unknown as Socket).unref();
    guard = started.stdin;
    guard.on('error', () => {});
  }
  guard.write(`${change} ${pid}\n`);
}

// Returns whether the program has ended.
function killWithThisProcess(child: ChildProcess, pid: number): () => boolean {
  let isOver = false;
  tellGuard('begins', pid);
  child.once('exit', () => {
    isOver = true;
    // What it has started may still run, and may hold its outputs open.
    signalGroup(pid, 'SIGKILL');
    tellGuard('ends', pid);
  });
  return () => isOver;
}
