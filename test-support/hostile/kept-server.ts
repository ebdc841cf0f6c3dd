// A keep-alive server whose answers are up to the case. The proxy ends each packet with a line feed, so lines are packets.
import { hash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** One packet that has come, and what the server knows about its connection. */
type Turn = {
  packet: { srcid: unknown; payload: string };
  /** A health probe of the proxy's: `health`, or 0 where no session is held. */
  isProbe: boolean;
  socket: net.Socket;
  /** How many packets came before it on the same connection. */
  before: number;
  /** Since the packet before it on the same connection, ms. */
  silenceMs: number;
  /** The right answer. */
  answer: string;
};

/** What the server does with a packet that is no probe; probes get the right answer. */
export type Behaviour = (turn: Turn) => void;

export const honest: Behaviour = ({ socket, answer }) => void socket.write(answer);

/** Answers in the order of arrival, each so long after it has come, and not before those that came earlier. */
export function after(delayMs: (payload: string) => number): Behaviour {
  const last = new WeakMap<net.Socket, Promise<unknown>>();
  return ({ socket, packet, answer }) => {
    const earlier = last.get(socket);
    const ready = Promise.all([earlier, sleep(delayMs(packet.payload), undefined, { ref: false })]);
    last.set(
      socket,
      ready.then(() => socket.writable && socket.write(answer)),
    );
  };
}

/** Listens on a free port of `host`. @returns the port, and what ends it */
export async function listenKept(
  id: number,
  behave: Behaviour,
  host = '127.0.0.1',
): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    let rest = '';
    let before = 0;
    let heardMs = performance.now();
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      const silenceMs = performance.now() - heardMs;
      heardMs += silenceMs;
      for (const line of lines) {
        const packet = JSON.parse(line) as Turn['packet'];
        const isProbe = packet.srcid === 'health' || Number(packet.srcid) === 0;
        const turn = { packet, isProbe, socket, before, silenceMs, answer: answerOf(id, packet) };
        (isProbe ? honest : behave)(turn);
        before += 1;
      }
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function answerOf(id: number, { srcid, payload }: Turn['packet']): string {
  const digest = hash('sha1', payload);
  return `${JSON.stringify({ type: 2, srcid: id, destid: srcid, payloadsize: 40, payload: digest })}\n`;
}
