// shell · lets one process of this machine at a time do a piece of work that two would spoil for each other.
// Must never leave a lock behind: it is a socket without a file, which goes when its process goes, however that ends.
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from './failure.ts';

const RETRY_MS = 200;

/**
 * Does `work` while no other process does work of this name, and waits until it can (unix(7), abstract sockets).
 * @throws Failure when it can't begin in time; what `work` throws
 */
export async function oneAtATime<T>(
  name: string,
  deadlineMs: number,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const endMs = performance.now() + deadlineMs;
  let lock = await tryLock(name);
  while (lock === null) {
    if (performance.now() > endMs) {
      throw new Failure(
        `Another command has been busy with the ${name} for ${deadlineMs / 1000} s.`,
        'End it, or wait for it, then run this again.',
      );
    }
    await sleep(RETRY_MS, undefined, { signal });
    lock = await tryLock(name);
  }
  try {
    return await work();
  } finally {
    lock.close();
  }
}

async function tryLock(name: string): Promise<Server | null> {
  const server = createServer();
  try {
    server.listen({ path: `\0policy-proxy-${name}` });
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}
