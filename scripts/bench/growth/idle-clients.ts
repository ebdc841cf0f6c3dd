// shell · a worker: clients that send their requests one after another, get their answers, and then stay and say nothing.
// Must never send another byte once `open` has been answered: from then on the proxy's memory is read.
import { hash } from 'node:crypto';
import net from 'node:net';
import { FrameReader } from '../../../services/shared/framing.ts';
import { formatRequest, parsePacket } from '../../../services/shared/packet.ts';
import { answerCalls } from './calls.ts';

const OPENING_AT_ONCE = 100;
const ANSWERS_WITHIN_MS = 60_000;
const PAYLOAD = 'x'.repeat(64);
const DIGEST = hash('sha1', PAYLOAD);

export type ClientCalls = {
  open: {
    argument: { proxyPort: number; clients: number; requestsEach: number; policies: readonly string[] };
    /** How many clients have had all their answers. */
    reply: { answered: number; elapsedMs: number };
  };
  /** How many of them are connected still. */
  connected: { argument: object; reply: { connected: number } };
};

const settled = new Set<net.Socket>();

answerCalls<ClientCalls>({ open, connected: () => ({ connected: settled.size }) });

async function open(plan: ClientCalls['open']['argument']): Promise<ClientCalls['open']['reply']> {
  const startedMs = performance.now();
  let next = 0;
  const openOthers = async (): Promise<void> => {
    while (next < plan.clients) {
      const policy = plan.policies[next % plan.policies.length] ?? '1';
      next += 1;
      await settle(plan.proxyPort, policy, plan.requestsEach);
    }
  };
  await Promise.all(Array.from({ length: OPENING_AT_ONCE }, openOthers));
  return { answered: settled.size, elapsedMs: performance.now() - startedMs };
}

// Resolves when the client has had all its answers, or is cut off.
function settle(port: number, policy: string, requestsEach: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const reader = new FrameReader();
  const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
  const timer = setTimeout(() => socket.destroy(), ANSWERS_WITHIN_MS);
  const wire = formatRequest('idle', policy, PAYLOAD);
  let left = requestsEach;
  socket.on('connect', () => socket.write(wire));
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    reader.feed(chunk);
    while (reader.next()) {
      const packet = parsePacket(reader.bytes.toString('utf8', reader.start, reader.end));
      if (packet.kind !== 'answer' || packet.digest !== DIGEST) {
        socket.destroy();
        return;
      }
      left -= 1;
      if (left > 0) {
        socket.write(wire);
        continue;
      }
      clearTimeout(timer);
      settled.add(socket);
      resolve();
    }
  });
  socket.on('close', () => {
    clearTimeout(timer);
    settled.delete(socket);
    resolve();
  });
  return promise;
}
