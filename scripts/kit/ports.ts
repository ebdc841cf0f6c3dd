// Ports of loopback, and a network of its own with nothing but loopback in it.
import { connect, createServer } from 'node:net';
import { attempt } from './command.ts';
import { Failure } from './failure.ts';
import { until } from './time.ts';

// Below Linux's usual range of ports for outgoing connections.
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const LISTEN_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 20;
const ASK_TIMEOUT_MS = 10_000;

/** Different ports on which nothing listens at the moment. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if ((await whyNotFree(port)) === null) found.add(port);
  }
  return [...found];
}

/** The code of the error that keeps a program from listening on `port`; null when nothing does. */
export function whyNotFree(port: number, host = '0.0.0.0'): Promise<string | null> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

/**
 * Waits until `port` accepts a connection.
 * @param name what ought to listen there, for the failure
 * @throws Failure when nothing does within ten seconds, or the signal's reason
 */
export async function waitForListener(name: string, port: number, signal: AbortSignal): Promise<void> {
  const patience = { withinMs: LISTEN_TIMEOUT_MS, everyMs: LOOK_EVERY_MS, signal };
  if (await until(() => accepts(port), patience)) return;
  const what = `${name} does not accept connections on 127.0.0.1:${port} within ${LISTEN_TIMEOUT_MS / 1000} s.`;
  throw new Failure(what, 'Check its output above.');
}

/** Whether a connection to `port` of `host` is accepted within a second. */
export function accepts(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (isUp: boolean): void => {
      socket.destroy();
      resolve(isUp);
    };
    socket.setTimeout(1000, () => finish(false));
    socket.once('connect', () => finish(true)).once('error', () => finish(false));
  });
}

// Where Docker runs, its rules make Linux keep each closed connection in a table for two minutes, loopback's too. A
// connection for each request fills it within seconds, and then new connections fail. A new namespace has no rules.
const NAMESPACES = [['--net'], ['--user', '--map-root-user', '--net']] as const;
const THEN = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];

/**
 * What to put before a command line so that it runs in a network of its own, which ends with it; root is not needed
 * where unprivileged namespaces are allowed.
 * @returns null where namespaces are not allowed
 */
export async function ownNetwork(signal: AbortSignal): Promise<readonly string[] | null> {
  for (const namespace of NAMESPACES) {
    const args = [...namespace, ...THEN];
    const { isOk } = await attempt('unshare', [...args, 'true'], { signal, timeoutMs: ASK_TIMEOUT_MS });
    if (isOk) return ['unshare', ...args];
  }
  return null;
}
