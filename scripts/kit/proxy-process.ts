// shell · a real proxy in a process of its own, on free ports of loopback, for those who measure it from outside.
// Must never outlive its owner, or run with other settings than a person's proxy would.
import { join } from 'node:path';
import { Failure } from './failure.ts';
import { launch, type WatchedProcess, within } from './process.ts';
import { ROOT } from './project.ts';

const MAIN = join(ROOT, 'services', 'proxy', 'main.ts');
const SETTINGS = {
  PROXY_HOST: '127.0.0.1',
  PROXY_PORT: '0',
  PROXY_ADMIN_PORT: '0',
  PROXY_LOG_FORMAT: 'json',
};
const READY_WITHIN_MS = 20_000;
const STOPPED_WITHIN_MS = 15_000;
const NEXT = 'Its own last lines say why. See whether "npm run proxy" starts.';

export type ProxyProcess = WatchedProcess & {
  /** The well-known port. */
  port: number;
};

export type ProxyCommand = {
  /** What `node` is started by: a tracer with its options. */
  tracer?: readonly string[];
  nodeFlags?: readonly string[];
  /** Settings that differ from the defaults, such as PROXY_HEALTH_INTERVAL. */
  environment?: Readonly<Record<string, string>>;
  /** Opens a channel for messages between this process and the proxy's. */
  hasChannel?: boolean;
  /** Called with every line of its output; must not throw. */
  onLine?: (line: string) => void;
  signal: AbortSignal;
};

/**
 * Starts a proxy and waits until it listens.
 * @throws Failure with its last lines when it does not; the signal's reason when the signal has fired
 */
export async function startProxyProcess(command: ProxyCommand): Promise<ProxyProcess> {
  const { tracer = [], nodeFlags = [], environment = {}, hasChannel, onLine, signal } = command;
  const [program = '', ...args] = [...tracer, process.execPath, ...nodeFlags, MAIN];
  const listening = Promise.withResolvers<number>();
  const proxy = await launch(program, args, {
    // Nothing else of this process's own environment: a setting in .env would change what is measured.
    env: { PATH: process.env.PATH ?? '', ...SETTINGS, ...environment },
    signal,
    onLine: (line) => {
      onLine?.(line);
      const port = portIn(line);
      if (port !== null) listening.resolve(port);
    },
    stopWithinMs: STOPPED_WITHIN_MS,
    hasChannel,
  });
  const outcome = await within(Promise.race([listening.promise, proxy.ended]), READY_WITHIN_MS);
  if (typeof outcome === 'number') return { ...proxy, port: outcome };
  await proxy.stop();
  signal.throwIfAborted();
  const how = outcome ?? `it did not listen within ${READY_WITHIN_MS / 1000} s`;
  throw new Failure(`The proxy did not start: ${how}.`, NEXT, { tail: proxy.tail() });
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
