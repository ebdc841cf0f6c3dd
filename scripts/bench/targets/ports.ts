// shell · free ports on loopback, and waiting until somebody listens on one.
// Must never wait without a deadline.
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../bootstrap/failure.ts';

const LISTEN_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 20;

/** Ports that nobody listens on at the moment, each another one. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  // All are held until the last one is known: the system would give one out twice.
  const ports = await Promise.all(
    servers.map(async (server) => {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen({ host: '127.0.0.1', port: 0 }, resolve);
      });
      return (server.address() as AddressInfo).port;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
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

function accepts(port: number): Promise<boolean> {
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
