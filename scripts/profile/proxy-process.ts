// shell · a real proxy in a process of its own, on free ports of loopback, for those who measure it from outside.
// Must never outlive its owner, or run with other settings than a person's proxy would.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { within } from '../bench/process.ts';
import { Failure } from '../bootstrap/failure.ts';
import { ROOT } from '../bootstrap/project.ts';

const MAIN = join(ROOT, 'services', 'proxy', 'main.ts');
const SETTINGS = {
  PROXY_HOST: '127.0.0.1',
  PROXY_PORT: '0',
  PROXY_ADMIN_PORT: '0',
  PROXY_LOG_FORMAT: 'json',
};
const READY_WITHIN_MS = 20_000;
const STOPPED_WITHIN_MS = 15_000;
const TAIL_LINES = 20;
const NEXT = 'Its own last lines say why. See whether "npm run proxy" starts.';

export type ProxyProcess = {
  child: ChildProcess;
  /** The process that was started; with a tracer, the tracer's. */
  pid: number;
  /** The well-known port. */
  port: number;
  /** Ends it in good order, so that it writes what it has to write at its end. Fine when it has ended already. */
  stop(): Promise<void>;
};

export type ProxyCommand = {
  /** What `node` is started by: a tracer with its options. */
  tracer?: readonly string[];
  nodeFlags?: readonly string[];
  /** Settings that differ from the defaults, such as PROXY_HEALTH_INTERVAL. */
  environment?: Readonly<Record<string, string>>;
  /** Opens a channel for messages between this process and the proxy's. */
  hasChannel?: boolean;
  signal: AbortSignal;
};

/**
 * Starts a proxy and waits until it listens.
 * @throws Failure with its last lines when it does not; the signal's reason when the signal has fired
 */
export async function startProxyProcess(command: ProxyCommand): Promise<ProxyProcess> {
  const { signal } = command;
  signal.throwIfAborted();
  const child = spawnProxy(command);
  const { ended, stop } = watchOver(child);
  const tail: string[] = [];
  const listening = Promise.withResolvers<number>();
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    const port = portIn(line);
    if (port !== null) listening.resolve(port);
  });
  const onAbort = (): void => void stop();
  signal.addEventListener('abort', onAbort, { once: true });
  const outcome = await within(Promise.race([listening.promise, ended]), READY_WITHIN_MS);
  signal.removeEventListener('abort', onAbort);
  if (typeof outcome === 'number') return { child, pid: child.pid ?? 0, port: outcome, stop };
  await stop();
  signal.throwIfAborted();
  const how = outcome ?? `it did not listen within ${READY_WITHIN_MS / 1000} s`;
  throw new Failure(`The proxy did not start: ${how}.`, NEXT, { tail: tail.join('\n') });
}

function spawnProxy({
  tracer = [],
  nodeFlags = [],
  environment = {},
  hasChannel = false,
}: ProxyCommand): ChildProcess {
  const [program = '', ...args] = [...tracer, process.execPath, ...nodeFlags, MAIN];
  return spawn(program, args, {
    cwd: ROOT,
    // Nothing else of this process's own environment: a setting in .env would change what is measured.
    env: { PATH: process.env.PATH ?? '', ...SETTINGS, ...environment },
    stdio: ['ignore', 'ignore', 'pipe', ...(hasChannel ? (['ipc'] as const) : [])],
    // A group of its own: it is ended together with its tracer, and not by the Ctrl-C that its owner deals with.
    detached: true,
  });
}

function watchOver(child: ChildProcess): { ended: Promise<string>; stop: () => Promise<void> } {
  let isOver = false;
  const endGroup = (name: NodeJS.Signals): void => {
    if (isOver || child.pid === undefined) return;
    try {
      process.kill(-child.pid, name);
    } catch {
      // Already gone, which is what was wanted.
    }
  };
  const killAtExit = (): void => endGroup('SIGKILL');
  process.once('exit', killAtExit);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, by) => resolve(code === null ? `ended by ${by}` : `exit code ${code}`));
  });
  void ended.then(() => {
    isOver = true;
    process.off('exit', killAtExit);
  });
  const stop = async (): Promise<void> => {
    endGroup('SIGTERM');
    const timer = setTimeout(() => endGroup('SIGKILL'), STOPPED_WITHIN_MS);
    await ended;
    clearTimeout(timer);
  };
  return { ended, stop };
}

function portIn(line: string): number | null {
  if (!line.startsWith('{')) return null;
  try {
    const { message, port } = JSON.parse(line) as { message?: unknown; port?: unknown };
    return message === 'listening' && typeof port === 'number' ? port : null;
  } catch {
    return null;
  }
}
