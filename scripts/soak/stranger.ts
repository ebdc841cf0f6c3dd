// shell · a server of the old kind in this process: it registers without a session, and is gone one day without a word.
// Must never answer wrong: requests that go to it count.
import { once } from 'node:events';
import { connect } from 'node:net';
import { AnswerServer } from '../../services/server/answer.ts';
import { freePorts } from '../kit/ports.ts';

const REGISTER_WITHIN_MS = 5_000;
const DRAIN_MS = 1_000;

/**
 * Registers such a server.
 * @returns ends it: the proxy has to find out by itself
 */
export async function registerStranger(
  id: string,
  policy: string,
  proxyPort: number,
): Promise<() => Promise<void>> {
  const server = new AnswerServer(id);
  const [wanted = 0] = await freePorts(1);
  const listenport = await server.listen(wanted, '127.0.0.1');
  await register({ type: 1, id, privPoliId: policy, listenport }, proxyPort);
  return () => server.drain(DRAIN_MS);
}

async function register(setup: object, port: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write(`${JSON.stringify(setup)}\n`);
  try {
    await once(socket, 'data', { signal: AbortSignal.timeout(REGISTER_WITHIN_MS) });
  } finally {
    socket.destroy();
  }
}
