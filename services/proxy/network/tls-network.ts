// A network whose connections are TLS where that is asked for; one is handed out only when its peer is verified.
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { addressOf } from '../../shared/printable.ts';
import { type DialTls, dialTls, explainTls, type ListenTls, loadTls } from '../../shared/tls.ts';
import type { Network } from './network.ts';
import type { ProxyHeaders } from './proxy-protocol/proxy-protocol.ts';
import { listenForSockets, receiveFrom } from './system-network.ts';

const HANDSHAKE_MS = 5_000;
// Each costs memory and a signature, before anything is known of the peer.
const MAX_HANDSHAKES = 1024;
const TICKET_KEY_BYTES = 48;
// A ticket is good for two hours (OpenSSL's limit for TLS 1.3): a stolen key opens no more than what came near it.
const ROTATE_MS = 3_600_000;

type OnFailure = (failure: { with: 'client' | 'server'; address: string; why: string }) => void;

export type TlsOptions = {
  /** For the well-known port; null leaves it plain. */
  listen: ListenTls | null;
  /** For the connections to servers; null leaves them plain. */
  dial: DialTls | null;
  /** What load balancers send before the handshake; null where there are none. */
  headers?: ProxyHeaders | null;
  /** The keys of its session tickets; its own where they are not given. */
  tickets?: TicketKeys;
  /** A handshake failed: with who connected to us, or with a server. `why` is a clause about the other side. */
  onFailure: OnFailure;
};

/** `network` with TLS on top. */
export function tlsNetwork(
  network: Network,
  { listen, dial, headers = null, tickets = new TicketKeys(), onFailure }: TlsOptions,
): Network {
  return {
    connect: dial === null ? network.connect : connectOver(dial, onFailure),
    listen: listen === null ? network.listen : listenOver(listen, headers, tickets, onFailure),
  };
}

function connectOver(dial: DialTls, onFailure: OnFailure): Network['connect'] {
  return (host, port, onConnected, onRead) => {
    const socket = dialTls(host, port, dial);
    socket.on('secureConnect', onConnected);
    socket.on('data', onRead);
    // In TLS 1.3 a server refuses our certificate after we have been connected.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const why = explainTls(error);
      if (why !== null) onFailure({ with: 'server', address: addressOf(host, port), why });
    });
    return socket;
  };
}

// The network below accepts, so that floods of handshakes meet a limit.
function listenOver(
  { cert, key, clientCa }: ListenTls,
  headers: ProxyHeaders | null,
  ticketKeys: TicketKeys,
  onFailure: OnFailure,
): Network['listen'] {
  // On all sockets of the port together.
  let handshakes = 0;
  return async (host, port, isShared, accept, onAcceptFailure) => {
    const refuse = (address: string | undefined, why: string): void =>
      onFailure({ with: 'client', address: address ?? '', why });
    const server = loadTls().createServer({
      cert,
      key,
      // Refused by hand, where its address is still known.
      ...(clientCa === null ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false }),
      handshakeTimeout: HANDSHAKE_MS,
      minVersion: 'TLSv1.2',
    });
    ticketKeys.add(server);
    server.on('secureConnection', (socket) => {
      handshakes -= 1;
      const why = clientCa === null ? null : whyUntrusted(socket);
      if (why === null) {
        // From now on a peer that has said all it wanted still gets its replies.
        socket.allowHalfOpen = true;
        receiveFrom(socket, accept(socket));
        return;
      }
      refuse(socket.remoteAddress, why);
      socket.on('error', () => {});
      socket.destroy();
    });
    // A handshake that takes too long is reported, but not ended; its end would be reported again.
    const failed = new WeakSet<TLSSocket>();
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      if (failed.has(socket)) return;
      failed.add(socket);
      handshakes -= 1;
      refuse(socket.remoteAddress, explainTls(error) ?? 'it left during the handshake');
      socket.destroy();
    });
    const begin = (raw: Socket): void => {
      if (handshakes >= MAX_HANDSHAKES) {
        refuse(raw.remoteAddress, `${MAX_HANDSHAKES} others have not finished theirs`);
        raw.on('error', () => {});
        raw.destroy();
        return;
      }
      handshakes += 1;
      ticketKeys.rotateIfDue();
      // A peer that leaves during the handshake is to be forgotten at once.
      raw.allowHalfOpen = false;
      server.emit('connection', raw);
    };
    const onSocket = (raw: Socket): void => {
      if (headers?.isAwaitedOn(raw)) beginBehind(headers, raw, begin);
      else begin(raw);
    };
    const listening = await listenForSockets({ host, port, isShared }, onSocket, undefined, onAcceptFailure);
    const close = (): void => {
      ticketKeys.remove(server);
      listening.close();
    };
    return { port: listening.port, close };
  };
}

// A header is in the clear, before the handshake.
function beginBehind(headers: ProxyHeaders, raw: Socket, begin: (raw: Socket) => void): void {
  const reader = headers.read(raw, (rest) => {
    raw.off('data', onData).pause();
    if (rest.length > 0) raw.unshift(rest);
    const { _handle: handle } = raw as unknown as { _handle: { getpeername: unknown } };
    // Undocumented: what the TLS socket on top asks for the address of its peer.
    handle.getpeername = (peer: object) => void Object.assign(peer, { address: raw.remoteAddress });
    begin(raw);
    return null;
  });
  const onData = (chunk: Buffer): void => reader.onRead(chunk);
  raw.on('data', onData);
  raw.on('end', () => reader.onEnd());
  raw.on('close', () => reader.onClose());
  raw.on('error', () => {});
}

// Why a peer that was asked for a certificate is not let in; null when it is.
function whyUntrusted(socket: TLSSocket): string | null {
  if (socket.authorized) return null;
  if (Object.keys(socket.getPeerCertificate()).length === 0) return 'it showed no certificate';
  const code = String(socket.authorizationError);
  return explainTls({ code }) ?? `its certificate is no good (${code})`;
}

/** One key for the session tickets of all listening sockets of a port: the kernel hands a returning client to any of them. */
export class TicketKeys {
  readonly #servers = new Set<Server>();
  readonly #now: () => number;
  readonly #listeners = new Set<(key: Uint8Array) => void>();
  #key: Uint8Array = randomBytes(TICKET_KEY_BYTES);
  #rotateAtMs: number;

  /** @param now monotonic ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#rotateAtMs = now() + ROTATE_MS;
  }

  /** Has a server use the common key. */
  add(server: Server): void {
    this.#servers.add(server);
    server.setTicketKeys(Buffer.from(this.#key));
  }

  /** A server listens no more. */
  remove(server: Server): void {
    this.#servers.delete(server);
  }

  /** Takes a new key when the old one is old enough; called for each connection, so that no timer is needed. */
  rotateIfDue(): void {
    const nowMs = this.#now();
    if (nowMs < this.#rotateAtMs) return;
    this.#rotateAtMs = nowMs + ROTATE_MS;
    this.#use(randomBytes(TICKET_KEY_BYTES));
  }

  /** Hands the key over now, and each later one, until the function returned is called. */
  listen(listener: (key: Uint8Array) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#key);
    return () => this.#listeners.delete(listener);
  }

  /** From now on takes the keys of another thread, and makes none. */
  follow(key: Uint8Array): void {
    this.#rotateAtMs = Number.POSITIVE_INFINITY;
    this.#use(key);
  }

  #use(key: Uint8Array): void {
    this.#key = key;
    for (const server of this.#servers) server.setTicketKeys(Buffer.from(key));
    for (const listener of this.#listeners) listener(key);
  }
}
