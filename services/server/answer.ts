// The data path of the server: request → SHA-1 of its payload → answer, in order.
import { hash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { formatAnswer, formatError, type Id, type Packet, type RequestPacket } from '../shared/packet.ts';
import { PacketReader } from '../shared/packet-reader.ts';
import { type ListenTls, loadTls } from '../shared/tls.ts';
import { traceOf } from '../shared/trace-context.ts';
import type { Span, Tracing } from '../shared/tracing.ts';

/** A peer that takes nothing off us for this long is given up. */
const STALLED_MS = 30_000;

/** How long a peer may take to read our last words and close its side. */
const GOODBYE_MS = 2_000;
// Below the time that draining has: a peer in the middle of a handshake holds it up.
const HANDSHAKE_MS = 2_500;

type Connection = { socket: net.Socket; reader: PacketReader };

/** Answers in the place of the honest path: the faults of the chaos tests. */
export type StandIn = {
  /** True while every connection is the stand-in's business. */
  takes(): boolean;
  /** Answers one request, later or wrongly perhaps. @returns false when its connection is over */
  answer(socket: net.Socket, packet: RequestPacket): boolean;
  /** All requests of a chunk have been handed over. */
  release(socket: net.Socket): void;
  /** Says goodbye behind what is held back. */
  end(socket: net.Socket, lastWords: string): void;
};

/** Answers requests on every connection until it is drained. */
export class AnswerServer {
  /** Requests answered so far, the proxies' probes included. */
  answered = 0;
  readonly #serverId: Id;
  readonly #connections = new Set<Connection>();
  readonly #server: net.Server;
  #standIn: StandIn | null = null;
  #tracing: Pick<Tracing, 'begin'> | null = null;
  #isDraining = false;

  /**
   * @param serverId goes into every answer as `srcid`
   * @param tls      null for plain connections
   */
  constructor(serverId: Id, tls: ListenTls | null = null) {
    this.#serverId = serverId;
    this.#server = createListener(tls);
    this.#server.on(tls === null ? 'connection' : 'secureConnection', (socket: net.Socket) =>
      this.#accept(socket),
    );
  }

  /** From now on `standIn` is asked before each chunk. */
  letStandIn(standIn: StandIn): void {
    this.#standIn = standIn;
  }

  /** From now on there is a span for each request whose client wants it traced. */
  traceWith(tracing: Pick<Tracing, 'begin'>): void {
    this.#tracing = tracing;
  }

  /** Starts to listen. @returns the port, which matters where 0 was asked for; rejects when the port can't be had */
  async listen(port: number, host: string): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    // Out of file descriptors, say: a connection that could not be accepted is lost, the others are served on.
    this.#server.on('error', () => {});
    return (this.#server.address() as net.AddressInfo).port;
  }

  /**
   * Stops listening and says goodbye on every connection once the packet that has begun on it is answered.
   * @param deadlineMs what is still open then is cut off
   */
  async drain(deadlineMs: number): Promise<void> {
    // A turn of the loop first, so that what the kernel already holds is accepted, read and answered.
    await nextTurn();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#isDraining = true;
    const timer = setTimeout(() => {
      for (const { socket } of this.#connections) socket.destroy();
    }, deadlineMs);
    await nextTurn();
    for (const { socket, reader } of this.#connections) if (!reader.isMidPacket) this.#end(socket, '');
    await closed;
    clearTimeout(timer);
  }

  #accept(socket: net.Socket): void {
    const connection = { socket, reader: new PacketReader() };
    this.#connections.add(connection);
    // Whatever breaks a connection, `close` follows, and it is for the peer to know.
    socket.on('error', () => {});
    socket.on('close', () => this.#connections.delete(connection));
    socket.on('data', (chunk) => this.#answer(connection, chunk));
  }

  get #activeStandIn(): StandIn | null {
    return this.#standIn?.takes() === true ? this.#standIn : null;
  }

  #answer({ socket, reader }: Connection, chunk: Buffer): void {
    const standIn = this.#activeStandIn;
    let answers = '';
    reader.feed(chunk);
    for (let packet = reader.next(); packet !== null; packet = reader.next()) {
      if (packet.kind === 'request') {
        this.answered += 1;
        if (standIn === null) answers += this.#answerTo(packet, reader);
        else if (!standIn.answer(socket, packet)) return;
      } else if (packet.kind !== 'legacy-probe') {
        this.#end(socket, answers + refusalOf(packet));
        return;
      }
    }
    if (this.#isDraining && !reader.isMidPacket) this.#end(socket, answers);
    else if (standIn !== null) standIn.release(socket);
    else if (answers !== '' && !socket.write(answers)) waitForReader(socket);
  }

  #answerTo({ clientId, payload }: RequestPacket, reader: PacketReader): string {
    const span = this.#tracing === null ? null : this.#beginSpan(this.#tracing, reader.takeWire());
    const answer = formatAnswer(this.#serverId, clientId, hash('sha1', payload));
    span?.end('OK', null, performance.now());
    return answer;
  }

  #beginSpan(tracing: Pick<Tracing, 'begin'>, wire: string): Span | null {
    const parent = traceOf(wire);
    if (parent?.isSampled !== true) return null;
    const attributes = { 'policy_proxy.server.id': String(this.#serverId) };
    return tracing.begin('request', 'server', parent, performance.now(), attributes);
  }

  #end(socket: net.Socket, lastWords: string): void {
    const standIn = this.#activeStandIn;
    if (standIn === null) sayGoodbye(socket, lastWords);
    else standIn.end(socket, lastWords);
  }
}

// What a server replies to a packet that it does not answer.
function refusalOf(packet: Exclude<Packet, { kind: 'request' | 'legacy-probe' }>): string {
  if (packet.kind === 'fault') return formatError(packet.code, packet.sentence, packet);
  return formatError(
    'UNKNOWN_TYPE',
    `A server answers requests only (type 0), and this is a ${packet.kind}.`,
  );
}

/**
 * The last words, then FIN. What still comes is read and dropped: unread bytes would turn the FIN into an RST, and
 * that can destroy the last words on their way.
 */
export function sayGoodbye(socket: net.Socket, lastWords: string): void {
  socket.removeAllListeners('data');
  socket.resume();
  if (lastWords !== '') socket.write(lastWords);
  socket.end();
  destroyUnless(socket, 'close', GOODBYE_MS);
}

/** Reads nothing more from a peer until it has read what was written to it, or has taken too long over that. */
export function waitForReader(socket: net.Socket): void {
  socket.pause();
  destroyUnless(socket, 'drain', STALLED_MS, () => socket.resume());
}

function destroyUnless(socket: net.Socket, event: 'drain' | 'close', afterMs: number, then = () => {}): void {
  const timer = setTimeout(() => socket.destroy(), afterMs);
  const settle = () => {
    clearTimeout(timer);
    socket.off(event, settle).off('close', settle);
    then();
  };
  socket.on(event, settle);
  if (event !== 'close') socket.on('close', settle);
}

function createListener(tls: ListenTls | null): net.Server {
  const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
  if (tls === null) return net.createServer(options);
  const { cert, key, clientCa } = tls;
  const client = clientCa === null ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  const secure = { cert, key, ...client, handshakeTimeout: HANDSHAKE_MS, minVersion: 'TLSv1.2' as const };
  // A failed handshake is for the peer to know.
  return loadTls()
    .createServer({ ...options, ...secure })
    .on('tlsClientError', (_error, socket) => socket.destroy());
}
