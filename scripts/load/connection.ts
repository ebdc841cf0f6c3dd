// shell · one TCP connection to the proxy that carries one request at a time.
// Must never send again what got no reply, or report anything after it was closed from this side.
import { connect, type Socket } from 'node:net';
import { FrameReader } from '../../services/shared/framing.ts';
import type { Exchange, LostReason } from './exchange.ts';

// One buffer for all connections: a chunk is dealt with before the next read, and FrameReader copies what is unfinished.
const READ_BUFFER = Buffer.allocUnsafe(65_536);

// This machine ran out of something, so the request never left it.
const LOCAL_EXHAUSTION = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

export type Target = { host: string; port: number };

/** Why a connection ended without this side having closed it. */
export type BreakReason = LostReason | 'no-local-resources';

export type ConnectionEvents = {
  opened(connection: Connection): void;
  /** A frame arrived; `receivedMs` is monotonic. */
  replied(connection: Connection, text: string, receivedMs: number): void;
  /** The connection has ended and is useless now. Called at most once. */
  broke(connection: Connection, reason: BreakReason): void;
};

export class Connection {
  /** The request that waits for its reply here. Written by the pool only. */
  exchange: Exchange | null = null;
  /** Since when it stands, monotonic ms; null while it does not. */
  openedMs: number | null = null;
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #events: ConnectionEvents;
  #isOver = false;

  /** Starts to connect; what is sent before the connection stands is written as soon as it does. */
  constructor(target: Target, events: ConnectionEvents) {
    this.#events = events;
    this.#socket = connect({
      host: target.host,
      port: target.port,
      noDelay: true,
      onread: { buffer: READ_BUFFER, callback: (size, buffer) => this.#read(size, buffer) },
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#break(reasonOf(error, this.openedMs !== null)),
    );
    this.#socket.on('close', () => this.#break('closed'));
    this.#socket.on('connect', () => {
      this.openedMs = performance.now();
      events.opened(this);
    });
  }

  send(frame: string): void {
    this.#socket.write(frame);
  }

  /** Closes without a word to the owner. A late reply can no longer reach anybody. */
  close(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #read(size: number, buffer: Uint8Array): boolean {
    const receivedMs = performance.now();
    const reader = this.#reader;
    reader.feed((buffer as Buffer).subarray(0, size));
    while (reader.next()) {
      this.#events.replied(this, reader.bytes.toString('utf8', reader.start, reader.end), receivedMs);
    }
    if (reader.fault !== null) this.#break('unparseable');
    return true;
  }

  #break(reason: BreakReason): void {
    if (this.#isOver) return;
    this.close();
    // Bytes that begin a reply and stop are no silence: the peer spoke and could not be understood.
    this.#events.broke(this, reason === 'closed' && this.#reader.isMidFrame ? 'unparseable' : reason);
  }
}

function reasonOf(error: NodeJS.ErrnoException, wasOpen: boolean): BreakReason {
  const code = error.code ?? '';
  if (LOCAL_EXHAUSTION.has(code)) return 'no-local-resources';
  switch (code) {
    case 'ECONNREFUSED':
      return 'refused';
    case 'ETIMEDOUT':
      return wasOpen ? 'timeout' : 'connect-timeout';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENOTFOUND':
      return 'unreachable';
    default:
      return 'reset';
  }
}
