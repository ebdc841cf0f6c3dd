// shell · free ports on loopback, and waiting until somebody listens on one.
// Must never give out a port that the kernel gives to outgoing connections: there are tens of thousands of those here.
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from './failure.ts';

const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const TRIES_FOR_EACH = 50;
const LISTEN_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 20;

/**
 * Ports that nobody listens on at the moment, each another one, below Linux's usual range of local ports.
 * @throws Failure when there are not so many
 */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tried = 0; found.size < count && tried < count * TRIES_FOR_EACH; tried += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (await isFree(port)) found.add(port);
  }
  if (found.size === count) return [...found];
  throw new Failure(
    `There are no ${count} free ports.`,
    `End what listens on ${FIRST_PORT} to ${LAST_PORT}, then run the command again.`,
  );
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * Waits until `port` accepts a connection.
 * @param name who ought to listen there, for the failure
 * @throws Failure when nobody does within ten seconds, or the signal's reason
 */
export async function waitForListener(name: string, port: number, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + LISTEN_TIMEOUT_MS;
  while (!(await accepts(port))) {
    signal.throwIfAborted();
    if (performance.now() > untilMs) {
      throw new Failure(
        `${name} does not accept connections on 127.0.0.1:${port} within ${LISTEN_TIMEOUT_MS / 1000} s.`,
        'Look at its output above, or leave it out with --targets.',
      );
    }
    await sleep(LOOK_EVERY_MS);
  }
}

/** Whether somebody accepts a connection on `port` of loopback. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const finish = (isUp: boolean): void => {
      socket.destroy();
      resolve(isUp);
    };
    socket.setTimeout(1000, () => finish(false));
    socket.once('connect', () => finish(true)).once('error', () => finish(false));
  });
}
