// shell · runs a program to its end, in a process group of its own that ends as a whole, with a deadline.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Failure } from './failure.ts';

const MAX_STDOUT_CHARS = 4 * 1024 * 1024;
const TAIL_LINES = 20;
const KILL_AFTER_MS = 5_000;

export type CommandOptions = {
  timeoutMs: number;
  /** Ends the program when nothing at all has been printed by then: it is waiting for a network that is not there. */
  firstLineWithinMs?: number;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
  /** Called with every line of both streams that is not blank. */
  onLine?: ((line: string) => void) | undefined;
};

export type CommandResult = {
  isOk: boolean;
  /** What happened, in words: `exit code 1`, `no answer within 20 s`, `not found`. */
  outcome: string;
  stdout: string;
  /** The last lines of both streams. */
  tail: string;
};

/**
 * Runs a program to its end, whatever that is.
 * @throws the signal's reason when the signal fires; nothing else
 */
export async function attempt(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const { cwd, env, signal, timeoutMs, firstLineWithinMs = timeoutMs } = options;
  signal?.throwIfAborted();
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  const child = spawn(program, args, {
    cwd,
    env: programEnvironment(env),
    stdio: [...stdio],
    detached: true,
  });
  const tail: string[] = [];
  let stdout = '';
  let ending = '';
  const end = (why: string): void => {
    ending ||= why;
    signalGroup(child.pid, 'SIGTERM');
    setTimeout(() => signalGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS).unref();
  };
  const onAbort = (): void => end('interrupted');
  signal?.addEventListener('abort', onAbort, { once: true });
  const timers = [
    setTimeout(() => end(`not done after ${timeoutMs / 1000} s`), timeoutMs),
    setTimeout(() => tail.length === 0 && end('no answer from the network'), firstLineWithinMs),
  ];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (stdout.length < MAX_STDOUT_CHARS) stdout += text;
  });
  for (const output of [child.stdout, child.stderr]) followLines(output, options.onLine, tail);
  const outcome = await endOf(child);
  timers.forEach(clearTimeout);
  signal?.removeEventListener('abort', onAbort);
  signal?.throwIfAborted();
  const isOk = ending === '' && outcome === 'exit code 0';
  return { isOk, outcome: ending || outcome, stdout, tail: tail.join('\n') };
}

/**
 * Runs a program that has to succeed.
 * @param failure what to say when it does not: `what` is finished with how it ended
 * @returns its standard output
 * @throws Failure with the last lines of the program's output
 */
export async function run(
  program: string,
  args: readonly string[],
  options: CommandOptions & { failure: { what: string; next: string } },
): Promise<string> {
  const result = await attempt(program, args, options);
  if (result.isOk) return result.stdout;
  const { what, next } = options.failure;
  throw new Failure(`${what}: ${program} ${args[0] ?? ''}: ${result.outcome}.`, next, { tail: result.tail });
}

/** Calls `onLine` with each line that is not blank, and keeps the last ones in `tail`. */
export function followLines(
  output: Readable,
  onLine: (line: string) => void = () => {},
  tail: string[] = [],
): void {
  createInterface({ input: output }).on('line', (line) => {
    if (line.trim() === '') return;
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    onLine(line);
  });
}

/** The environment for a program; root's own folders are in the path even where `su` has left them out. */
export function programEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return { ...environment, PATH: `${environment.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` };
}

/** How a program ended: `exit code 1`, `ended by SIGKILL`, `not found`. */
export function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ENOENT' ? 'not found' : error.message),
    );
    child.once('close', (code, killedBy) =>
      resolve(code === null ? `ended by ${killedBy}` : `exit code ${code}`),
    );
  });
}

/** Sends a signal to a program that was started `detached`, and to all that it has started. */
export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}
