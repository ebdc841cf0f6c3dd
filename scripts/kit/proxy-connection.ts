// shell · one connection to the proxy, plain or over TLS, that carries one request at a time.
import { connect, type Socket } from 'node:net';
import { FrameReader } from '../../services/shared/framing.ts';
import { type DialTls, dialTls, explainTls } from '../../services/shared/tls.ts';

// One buffer for all connections: a chunk is dealt with before the next read, and FrameReader copies what is unfinished.
const READ_BUFFER = Buffer.allocUnsafe(65_536);

type Target = {
  readonly host: string;
  readonly port: number;
  /** What the certificate must be for when `tls` does not say; `host` unless given. */
  readonly name?: string;
};

/** Why a connection ended. `no-local-resources`: this machine ran out of something, so nothing left it. */
export type BreakReason =
  | 'refused'
  | 'reset'
  | 'closed'
  | 'unreachable'
  | 'connect-timeout'
  | 'timeout'
  | 'tls'
  | 'unparseable'
  | 'no-local-resources';

const REASONS: Readonly<Record<string, BreakReason>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENOTFOUND: 'unreachable',
  EMFILE: 'no-local-resources',
  ENFILE: 'no-local-resources',
  EADDRNOTAVAIL: 'no-local-resources',
  ENOBUFS: 'no-local-resources',
  ENOMEM: 'no-local-resources',
};

export type ConnectionEvents<Carried, To extends Target = Target> = {
  opened(connection: Connection<Carried, To>): void;
  /** A frame arrived; `receivedMs` is monotonic. */
  replied(connection: Connection<Carried, To>, text: string, receivedMs: number): void;
  /** It ended without having been closed from this side. Called at most once; `error` where there was one. */
  broke(connection: Connection<Carried, To>, reason: BreakReason, error?: NodeJS.ErrnoException): void;
};

export class Connection<Carried, To extends Target = Target> {
  /** Where it goes. */
  readonly target: To;
  /** The request that waits for its reply here: its owner's. */
  carried: Carried | null = null;
  /** Since when it is connected, monotonic ms; null while it is not. */
  openedMs: number | null = null;
  /** Frames that were sent. */
  sentCount = 0;
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #events: ConnectionEvents<Carried, To>;
  #isOver = false;

  /**
   * Starts to connect; what is sent before that is done is written then.
   * @param tls null for a plain connection
   */
  constructor(target: To, events: ConnectionEvents<Carried, To>, tls: DialTls | null = null) {
    const { host, port, name = host } = target;
    this.target = target;
    this.#events = events;
    const onread = {
      buffer: READ_BUFFER,
      callback: (size: number, buffer: Uint8Array): boolean =>
        this.#read((buffer as Buffer).subarray(0, size)),
    };
    this.#socket =
      tls === null
        ? connect({ host, port, noDelay: true, onread })
        : dialTls(host, port, tls, name).on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#break(this.#reasonOf(error), error));
    this.#socket.on('close', () => this.#break('closed'));
    this.#socket.on(tls === null ? 'connect' : 'secureConnect', () => {
      this.openedMs = performance.now();
      events.opened(this);
    });
  }

  send(frame: string): void {
    this.sentCount += 1;
    this.#socket.write(frame);
  }

  /** Closes without an event: a late reply reaches nothing any more. */
  close(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): boolean {
    const receivedMs = performance.now();
    const reader = this.#reader;
    reader.feed(chunk);
    while (reader.next()) {
      this.#events.replied(this, reader.bytes.toString('utf8', reader.start, reader.end), receivedMs);
    }
    if (reader.fault !== null) this.#break('unparseable');
    return true;
  }

  #break(reason: BreakReason, error?: NodeJS.ErrnoException): void {
    if (this.#isOver) return;
    this.close();
    // A reply that begins and stops is no silence: the peer spoke and could not be understood.
    this.#events.broke(this, reason === 'closed' && this.#reader.isMidFrame ? 'unparseable' : reason, error);
  }

  #reasonOf(error: NodeJS.ErrnoException): BreakReason {
    const { code = '' } = error;
    if (code === 'ETIMEDOUT') return this.openedMs === null ? 'connect-timeout' : 'timeout';
    return REASONS[code] ?? (explainTls(error) === null ? 'reset' : 'tls');
  }
}
