// seam · the network. Whatever connects or listens takes a Network, so that a simulator can hand in one of its own.
// Must never look at what is sent, or decide when to connect.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { acceptDirectly } from './accepted-socket.ts';
import { HIGH_WATER_BYTES, READ_BUFFER } from './read-buffer.ts';

const BACKLOG = 4096;

/** What the proxy uses of a `net.Socket`. */
export type Connection = {
  readonly remoteAddress?: string | undefined;
  /** Which of our addresses the other side has connected to. */
  readonly localAddress?: string | undefined;
  /** The number that the system has given it, where that can be told. */
  readonly descriptor?: number | undefined;
  /** Bytes that wait to be sent. */
  readonly writableLength: number;
  readonly writableEnded: boolean;
  /** More waits to be sent than it should; `drain` tells when that has gone. */
  readonly writableNeedDrain: boolean;
  write(data: string, encoding: 'latin1' | 'utf8'): unknown;
  end(callback: () => void): unknown;
  end(data: string, callback: () => void): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  setNoDelay(isSet: boolean): unknown;
};

/** One that we opened. */
export type DialledConnection = Connection & {
  /** Cuts it with a RST, which leaves no TIME_WAIT behind on this machine. */
  resetAndDestroy(): unknown;
  /** Has the kernel ask a silent peer whether it is still there, first after `initialDelayMs`. */
  setKeepAlive(isSet: boolean, initialDelayMs: number): unknown;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  on(event: 'end' | 'close', listener: () => void): unknown;
};

/** Who deals with a connection that we accepted. */
export type Receiver = {
  /** Takes what comes; the bytes are its own only until it returns. */
  onRead(chunk: Buffer): void;
  /** The other side has said all it wanted. */
  onEnd(): void;
  /** What had to wait has been sent. */
  onDrain(): void;
  /** It is gone; called once, last. */
  onClose(): void;
};

export type Listening = {
  readonly port: number;
  /** Takes no more connections; those that are open stay. */
  close(): void;
};

export type Network = {
  /**
   * Opens a connection.
   * @param onConnected it stands, and the other side is who it has to be
   * @param onRead      takes what comes; the bytes are its own only until it returns
   */
  connect(
    host: string,
    port: number,
    onConnected: () => void,
    onRead: (chunk: Buffer) => void,
  ): DialledConnection;
  /**
   * Listens; rejects with the system's error when the port can't be had.
   * @param isShared  others of this process may listen on the same port
   * @param accept    takes a new connection; null when there is nobody to deal with it
   * @param onFailure a connection could not be accepted
   */
  listen(
    host: string,
    port: number,
    isShared: boolean,
    accept: (connection: Connection) => Receiver | null,
    onFailure?: (error: NodeJS.ErrnoException) => void,
  ): Promise<Listening>;
};

export const systemNetwork: Network = {
  connect: (host, port, onConnected, onRead) => {
    const callback = (bytes: number): boolean => {
      onRead(READ_BUFFER.subarray(0, bytes));
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

/** Has what happens on an accepted socket told to its receiver. */
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
 * @param onListening called before anybody can have been accepted
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
      // tells nothing: libuv has closed the connection by then (`uv__emfile_trick`).
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
