// The system's own network.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { acceptDirectly, HIGH_WATER_BYTES, READ_BUFFER, viewOfRead } from './accepted-socket.ts';
import type { Listening, Network, Receiver } from './network.ts';

const BACKLOG = 4096;

export const systemNetwork: Network = {
  connect: (host, port, onConnected, onRead) => {
    const callback = (bytes: number): boolean => {
      onRead(viewOfRead(bytes));
      return true;
    };
    return connect({ host, port, noDelay: true, onread: { buffer: READ_BUFFER, callback } }, onConnected);
  },
  listen: (host, port, isShared, accept, onFailure) =>
    listenForSockets(
      { host, port, isShared },
      (socket) => receiveFrom(socket, accept(socket)),
      (server) => void acceptDirectly(server, accept),
      onFailure,
    ),
};

/** Passes what happens on an accepted socket to its receiver. */
export function receiveFrom(socket: Socket, receiver: Receiver | null): void {
  // The close that follows says all there is to say.
  socket.on('error', () => {});
  if (receiver === null) return;
  socket.on('data', (chunk: Buffer) => receiver.onRead(chunk));
  socket.on('end', () => receiver.onEnd());
  socket.on('drain', () => receiver.onDrain());
  socket.on('close', () => receiver.onClose());
}

/**
 * Listens; rejects with the system's error when the port can't be had.
 * @param onListening called before a connection can have been accepted
 */
export function listenForSockets(
  { host, port, isShared }: { host: string; port: number; isShared: boolean },
  onSocket: (socket: Socket) => void,
  onListening: (server: Server) => void = () => {},
  onFailure: (error: NodeJS.ErrnoException) => void = () => {},
): Promise<Listening> {
  const server = createServer({ allowHalfOpen: true, highWaterMark: HIGH_WATER_BYTES }, onSocket);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG, reusePort: isShared }, () => {
      server.off('error', reject);
      // A connection that could not be accepted is lost; the next one is tried. Where descriptors have run out, Node 24
      // reports nothing: libuv has closed the connection by then (`uv__emfile_trick`).
      server.on('error', onFailure);
      onListening(server);
      resolve({ port: portOf(server, port), close: () => void server.close() });
    });
  });
}

function portOf(server: Server, asked: number): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : asked;
}
