// Accepted connections that are read without Node's stream in between, by what Node does not document. On the data path.
import { type Server, Socket } from 'node:net';
import type { Connection, Receiver } from './network.ts';

/**
 * Every connection is read into this one buffer: what is in it is dealt with, or copied, before the next read. By itself Node
 * takes 64 KiB for each read of each connection. What a connection can't be let take at once is copied, so a read is no
 * larger than two packets.
 */
export const READ_BUFFER = Buffer.allocUnsafeSlow(16_384);

// Packets of one program are mostly of a few lengths, and a view costs as much as parsing one.
const VIEWS_UP_TO_BYTES = 1024;
const views: Buffer[] = [];

/** The first `bytes` of what was read last. Another read of as many bytes has the same view. */
export function viewOfRead(bytes: number): Buffer {
  if (bytes > VIEWS_UP_TO_BYTES) return READ_BUFFER.subarray(0, bytes);
  let view = views[bytes];
  if (view === undefined) {
    view = READ_BUFFER.subarray(0, bytes);
    views[bytes] = view;
  }
  return view;
}

/** More than this waiting to be sent to a client, and nothing more is read from it. */
export const HIGH_WATER_BYTES = 16_384;

// The major versions of Node with which network.test.ts has passed. Another one may mean something else by the same names.
const TRIED_VERSIONS = [24, 25, 26];

type Handle = { readonly fd?: number };
type ListeningHandle = {
  /** Called by Node's own code for each connection; `status` other than 0 is an error. */
  onconnection?: (this: ListeningHandle, status: number, accepted?: Handle) => void;
};

class AcceptedSocket extends Socket {
  receiver: Receiver | null = null;

  constructor(handle: Handle) {
    // Undocumented: `handle`, and that the callback is called on its socket.
    super({ handle, allowHalfOpen: true, onread: READING, highWaterMark: HIGH_WATER_BYTES } as object);
  }

  // To listen to its own events would cost every connection three entries in a table of them.
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'drain') this.receiver?.onDrain();
    else if (event === 'close') this.receiver?.onClose();
    // The close that follows says all there is to say.
    else if (event === 'error') return true;
    return super.emit(event, ...args);
  }

  // Undocumented as well; undefined, or -1, where there is no such number.
  get descriptor(): number | undefined {
    return (this as { _handle?: Handle | null })._handle?.fd;
  }

  // The stream would report its end later, through two more functions that are put off.
  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk === null) this.receiver?.onEnd();
    return this.destroyed ? false : super.push(chunk, encoding);
  }

  // Its `close` comes from its handle. All that the stream would do of its own is to put off a function that does nothing.
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    super._destroy(error, error === null ? ignore : callback);
  }
}

const READING = {
  buffer: READ_BUFFER,
  callback(this: AcceptedSocket, bytes: number): boolean {
    this.receiver?.onRead(viewOfRead(bytes));
    return true;
  },
};

/**
 * Has a listening server's connections made here, instead of by Node.
 * @param nodeVersion such as `24.1.0`
 * @returns false, and nothing is changed, when this Node can't, or has not been tried
 */
export function acceptDirectly(
  server: Server,
  accept: (connection: Connection) => Receiver | null,
  nodeVersion = process.versions.node,
): boolean {
  const handle = (server as { _handle?: ListeningHandle })._handle;
  const byNode = handle?.onconnection;
  const isTried = TRIED_VERSIONS.includes(Number.parseInt(nodeVersion, 10));
  if (handle === undefined || byNode === undefined || !isTried) return false;
  handle.onconnection = (status, accepted) => {
    if (status !== 0 || accepted === undefined) {
      byNode.call(handle, status, accepted);
      return;
    }
    const socket = new AcceptedSocket(accepted);
    const receiver = accept(socket);
    socket.receiver = receiver;
  };
  return true;
}

function ignore(): void {
  // What it would put off does nothing.
}
