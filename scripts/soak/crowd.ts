// shell · many connections at once from clients that do not behave, or only come and go.
// Must never leave a connection open, or count for the load: nobody looks at what they are answered.
import { connect, type Socket } from 'node:net';
import { formatRequest } from '../../services/shared/packet.ts';
import { POLICIES } from '../chaos/plan.ts';
import { pauseOr } from './pause.ts';
import type { CrowdKind } from './plan.ts';

const GARBAGE = [
  'GET / HTTP/1.1\r\nHost: proxy\r\n\r\n',
  '[1, 2, 3]\n',
  '{"type": 0, "srcid": 1, "payload": }\n',
  '{"type": 7}\n',
  `{"type": 0, "payload": "${'x'.repeat(9_000)}"}\n`,
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001',
];

/**
 * Opens so many connections, does with them what the kind says, and ends them all after `lastsMs`.
 * @param signal ends them sooner
 */
export async function sendCrowd(
  port: number,
  { kind, size, lastsMs }: { kind: CrowdKind; size: number; lastsMs: number },
  signal: AbortSignal,
): Promise<void> {
  const sockets = Array.from({ length: size }, (_, index) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    // However it ends is fine.
    socket.on('error', () => {});
    socket.resume();
    behave(socket, kind, index);
    return socket;
  });
  const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  await pauseOr(lastsMs, signal);
  for (const [index, socket] of sockets.entries()) {
    if (index % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  }
  await Promise.all(closed);
}

function behave(socket: Socket, kind: CrowdKind, index: number): void {
  const request = formatRequest('crowd', POLICIES[index % POLICIES.length] as string, `request ${index}`);
  switch (kind) {
    case 'visitors':
      socket.end(request);
      return;
    case 'resets':
      socket.write(request, () => void socket.resetAndDestroy());
      return;
    case 'idlers':
      return;
    case 'unfinished':
      socket.write(request.slice(0, request.length >> 1));
      return;
    case 'garbage':
      socket.write(GARBAGE[index % GARBAGE.length] as string);
      return;
    default:
      kind satisfies never;
  }
}
