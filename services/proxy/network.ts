// seam · the network. Whatever connects or listens takes a Network, so that a simulator can hand in one of its own.
// Must never look at what is sent, or decide when to connect.
import { connect, createServer, type Server } from 'node:net';

const BACKLOG = 4096;
// All connections that we open read into this one: each chunk is dealt with before the next read, and frames that are
// not complete are copied out of it. A buffer each would be half a gigabyte with ten thousand servers.
const READ_BUFFER = Buffer.allocUnsafeSlow(65_536);

/** What the proxy uses of a `net.Socket`. */
export type Connection = {
  readonly remoteAddress?: string | undefined;
  /** Bytes that wait to be sent. */
  readonly writableLength: number;
  readonly writableEnded: boolean;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  on(event: 'end' | 'drain' | 'close', listener: () => void): unknown;
  write(data: string, encoding: 'latin1' | 'utf8'): unknown;
  end(callback: () => void): unknown;
  end(data: string, callback: () => void): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  setNoDelay(isSet: boolean): unknown;
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
  connect(host: string, port: number, onConnected: () => void, onRead: (chunk: Buffer) => void): Connection;
  /**
   * Listens; rejects with the system's error when the port can't be had.
   * @param isShared others of this process may listen on the same port
   */
  listen(
    host: string,
    port: number,
    isShared: boolean,
    onConnection: (connection: Connection) => void,
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
  listen: (host, port, isShared, onConnection) => {
    const server = createServer({ allowHalfOpen: true }, onConnection);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, backlog: BACKLOG, reusePort: isShared }, () => {
        server.off('error', reject);
        resolve({ port: portOf(server, port), close: () => void server.close() });
      });
    });
  },
};

function portOf(server: Server, asked: number): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : asked;
}
