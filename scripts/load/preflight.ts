// shell · one connection before the run, to tell "nobody there" from "requests were lost".
// Must never send a byte: the run's counts are to be of the run alone.
import { connect } from 'node:net';
import type { Target } from './connection.ts';

/** The proxy can't be reached at all; the message is a sentence for a person, the original error is the cause. */
export class UnreachableError extends Error {
  override name = 'UnreachableError';
}

/**
 * Connects once and closes again.
 * @param timeoutMs how long connecting may take
 * @returns the numeric address that answered, so that the run asks no name server
 * @throws UnreachableError
 */
export function findTarget(target: Target, timeoutMs: number): Promise<Target> {
  const name = target.host.includes(':')
    ? `[${target.host}]:${target.port}`
    : `${target.host}:${target.port}`;
  const { promise, resolve, reject } = Promise.withResolvers<Target>();
  const socket = connect({ host: target.host, port: target.port });
  const timer = setTimeout(() => {
    socket.destroy();
    reject(unreachable(`nobody answered within ${timeoutMs} ms`));
  }, timeoutMs);
  socket.on('error', (error: NodeJS.ErrnoException) => {
    clearTimeout(timer);
    reject(
      unreachable(
        error.code === 'ECONNREFUSED' ? 'connection refused' : (error.code ?? error.message),
        error,
      ),
    );
  });
  socket.on('connect', () => {
    clearTimeout(timer);
    const host = socket.remoteAddress ?? target.host;
    socket.destroy();
    resolve({ host, port: target.port });
  });
  return promise;

  function unreachable(why: string, cause?: Error): UnreachableError {
    return new UnreachableError(
      `The proxy at ${name} can't be reached (${why}): start it (npm start), or say where it is with --proxy host:port.`,
      { cause },
    );
  }
}
