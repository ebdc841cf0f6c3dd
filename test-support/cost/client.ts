// Requests in lockstep: what the proxy does for them is the same in every run, however fast the machine is.
import { once } from 'node:events';
import { connect } from 'node:net';

const PATIENCE_MS = 10_000;

/** A request and its answer as they go over the wire. */
export type Exchange = { request: string; answer: string };

export type Lockstep = {
  /** One after the other. */
  connections: number;
  /** How often each connection sends, after all answers to what it has sent before. */
  rounds: number;
  /** How many requests it sends at a time, in one write. */
  depth: number;
};

/** How many requests these are. */
export function requestsOf({ connections, rounds, depth }: Lockstep): number {
  return connections * rounds * depth;
}

/** Sends them all; throws when an answer is missing or wrong. */
export async function send(port: number, exchange: Exchange, lockstep: Lockstep): Promise<void> {
  for (let opened = 0; opened < lockstep.connections; opened += 1) {
    await converse(port, exchange, lockstep);
  }
}

async function converse(
  port: number,
  { request, answer }: Exchange,
  { rounds, depth }: Lockstep,
): Promise<void> {
  const question = request.repeat(depth);
  const expected = answer.repeat(depth);
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let left = rounds;
  let received = '';
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
  socket.on('connect', () => socket.write(question));
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text;
    if (received.length < expected.length) return;
    if (received !== expected) {
      socket.destroy(new Error(`not the right answer: ${received.slice(0, 300)}`));
      return;
    }
    received = '';
    left -= 1;
    if (left > 0) socket.write(question);
    // The next connection comes after the proxy has closed this one, so that it never has both to do at once.
    else socket.end();
  });
  await once(socket, 'close');
  if (left > 0) throw new Error(`the proxy closed the connection after: ${received}`);
}
