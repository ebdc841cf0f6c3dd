// Real processes for the tests: started, watched, and ended by their id.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS, within } from './peers.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { PATH = '', NODE_COMPILE_CACHE, PROXY_WORKERS } = process.env;
/** What every program gets: with the cache of compiled code it starts in half the time; PROXY_WORKERS=2 has all tests run so. */
const MINIMAL: Record<string, string> = {
  PATH,
  ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }),
  ...(PROXY_WORKERS && { PROXY_WORKERS }),
};

export type Program = {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves when both outputs together match. */
  printed(pattern: RegExp, timeoutMs?: number): Promise<void>;
  /** The exit code, or the signal that ended it. */
  exited(timeoutMs?: number): Promise<number | string>;
  /** Ends it for good; fine when it has ended already. */
  stop(): Promise<void>;
};

/**
 * Runs one of the project's programs in a process of its own.
 * @param file        path from the root of the repository
 * @param environment added to a minimal environment: nothing of the test's own leaks in
 * @param maxDescriptors how many descriptors it may have open; null for as many as this process
 */
export function startProgram(
  file: string,
  args: readonly string[] = [],
  {
    environment = {},
    cwd = ROOT,
    maxDescriptors = null,
  }: { environment?: Record<string, string>; cwd?: string; maxDescriptors?: number | null } = {},
): Program {
  const command = [process.execPath, `${ROOT}${file}`, ...args];
  const limit = maxDescriptors === null ? '' : `ulimit -n ${maxDescriptors}; `;
  const child = spawn('/bin/sh', ['-c', `${limit}exec "$@"`, 'sh', ...command], {
    cwd,
    env: { ...MINIMAL, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      for (const watcher of watchers) watcher();
    });
  }
  const closed = new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  const exited = (timeoutMs = PATIENCE_MS) => within(closed, timeoutMs, `exit of ${file}`);
  return {
    child,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    printed: async (pattern, timeoutMs = PATIENCE_MS) => {
      const seen = new Promise<void>((resolve) => {
        const look = () => {
          if (pattern.test(`${output.stdout}\n${output.stderr}`)) resolve();
        };
        watchers.add(look);
        look();
      });
      const ended = closed.then((code) => {
        if (!pattern.test(`${output.stdout}\n${output.stderr}`)) {
          throw new Error(`${file} exited with ${code} before it printed ${pattern}: ${output.stderr}`);
        }
      });
      await within(Promise.race([seen, ended]), timeoutMs, `${pattern} of ${file}`);
    },
    exited,
    stop: async () => {
      child.kill('SIGKILL');
      await exited();
    },
  };
}

/** How a program has ended, and all that it has written. */
export type Ended = { code: number | string; stdout: string; stderr: string };

/** Waits for the end of a program. */
export async function ended(program: Program, timeoutMs?: number): Promise<Ended> {
  const code = await program.exited(timeoutMs);
  return { code, stdout: program.stdout(), stderr: program.stderr() };
}
