// shell · a free port for a process that is about to be started.
// Must never be one that the kernel hands out to outgoing connections: there are tens of thousands of those here.
import { createServer } from 'node:net';
import { Failure } from '../../bootstrap/failure.ts';

const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const TRIES = 50;

/** A port below Linux's usual range of local ports that nobody listens on. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (await isFree(port)) return port;
  }
  throw new Failure('No free port was found.', `End what listens on ${FIRST_PORT} to ${LAST_PORT}.`);
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
