// A real proxy in a process of its own, on free ports of loopback.
import { join } from 'node:path';
import { Failure } from './failure.ts';
import { type ProcessOptions, type RunningProcess, startProcess } from './process.ts';
import { ROOT } from './project.ts';

/** The proxy's program, from the project's folder. */
export const PROXY_MAIN = join('services', 'proxy', 'main.ts');

const SETTINGS = {
  PROXY_HOST: '127.0.0.1',
  PROXY_PORT: '0',
  PROXY_ADMIN_PORT: '0',
  PROXY_LOG_FORMAT: 'json',
};
const STOP_WITHIN_MS = 15_000;
const LISTENING = /^\{.*"message":"listening"/;

export type ProxyProcess = RunningProcess & {
  /** The port for clients and servers. */
  port: number;
  /** The base address of its status listener, for `policies.ts` and `proxy-events.ts`. */
  adminUrl: string;
};

export type ProxyCommand = Pick<ProcessOptions, 'hasChannel' | 'onLine' | 'signal'> & {
  /** The folder of the project whose proxy it is; this one. */
  root?: string;
  /** What `node` is started by, such as a tracer with its options. */
  tracer?: readonly string[];
  nodeFlags?: readonly string[];
  /** Settings that differ from the defaults, such as PROXY_HEALTH_INTERVAL. */
  environment?: Readonly<Record<string, string>>;
};

/**
 * Starts a proxy and waits until it listens. It has its defaults and no setting of this process's environment, where
 * .env may have put some.
 * @throws Failure with its last lines when it does not start; the signal's reason when the signal has fired
 */
export async function startProxyProcess(command: ProxyCommand): Promise<ProxyProcess> {
  const { root = ROOT, tracer = [], nodeFlags = [], environment = {}, onLine, hasChannel, signal } = command;
  const [program = '', ...args] = [...tracer, process.execPath, ...nodeFlags, join(root, PROXY_MAIN)];
  let listening = '';
  const started = await startProcess(program, args, {
    env: { PATH: process.env.PATH ?? '', ...SETTINGS, ...environment },
    readyLine: LISTENING,
    onLine: (line) => {
      if (listening === '' && LISTENING.test(line)) listening = line;
      onLine?.(line);
    },
    hasChannel,
    signal,
    stopWithinMs: STOP_WITHIN_MS,
  }).catch((error: unknown) => {
    if (!(error instanceof Failure)) throw error;
    const next = 'Its last lines say why. Check whether "npm run proxy" starts.';
    throw new Failure(`The proxy did not start: ${error.message}`, next, { tail: error.tail, cause: error });
  });
  const { port, status } = JSON.parse(listening) as { port: number; status: string };
  return { ...started, port, adminUrl: status };
}
