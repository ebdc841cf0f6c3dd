// shell · a network whose connections are TLS where that is asked for: the rest of the proxy is none the wiser.
// Must never hand out a connection before its peer is verified, or wait for a handshake without end.
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { type DialTls, dialTls, explainTls, type ListenTls, loadTls } from '../shared/tls.ts';
import type { Connection, Network } from './network.ts';

const HANDSHAKE_MS = 5_000;
// Each costs memory and a signature, before anything is known of the peer.
const MAX_HANDSHAKES = 1024;

export type TlsOptions = {
  /** For the well-known port; null leaves it plain. */
  listen: ListenTls | null;
  /** For the connections to servers; null leaves them plain. */
  dial: DialTls | null;
  /** A handshake failed: with who connected to us, or with a server. `why` is a clause about the other side. */
  onFailure: (failure: { with: 'client' | 'server'; address: string; why: string }) => void;
};

/** `network` with TLS on top. */
export function tlsNetwork(network: Network, { listen, dial, onFailure }: TlsOptions): Network {
  return {
    connect: dial === null ? network.connect : connectOver(dial, onFailure),
    listen: listen === null ? network.listen : listenOver(network, listen, onFailure),
  };
}

function connectOver(dial: DialTls, onFailure: TlsOptions['onFailure']): Network['connect'] {
  return (host, port, onConnected, onRead) => {
    const socket = dialTls(host, port, dial);
    let isSecure = false;
    socket.on('secureConnect', () => {
      isSecure = true;
      onConnected();
    });
    socket.on('data', onRead);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const why = isSecure ? null : explainTls(error);
      if (why !== null) onFailure({ with: 'server', address: `${host}:${port}`, why });
    });
    return socket;
  };
}

// Accepting stays the business of the network below, so that whoever floods the port with handshakes meets a limit.
function listenOver(
  network: Network,
  { cert, key, clientCa }: ListenTls,
  onFailure: TlsOptions['onFailure'],
): Network['listen'] {
  return (host, port, isShared, onConnection) => {
    const handshakes = new Handshakes(
      loadTls().createServer({
        cert,
        key,
        ...(clientCa === null ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
        allowHalfOpen: true,
        handshakeTimeout: HANDSHAKE_MS,
        minVersion: 'TLSv1.2',
      }),
      onConnection,
      (address, why) => onFailure({ with: 'client', address, why }),
    );
    return network.listen(host, port, isShared, (raw) => handshakes.begin(raw as Socket));
  };
}

class Handshakes {
  readonly #server: Server;
  readonly #onFailure: (address: string, why: string) => void;
  readonly #failed = new WeakSet<TLSSocket>();
  #count = 0;

  /** @param server does the handshakes, and listens nowhere */
  constructor(
    server: Server,
    onConnection: (connection: Connection) => void,
    onFailure: (address: string, why: string) => void,
  ) {
    this.#server = server;
    this.#onFailure = onFailure;
    server.on('secureConnection', (socket) => {
      this.#count -= 1;
      onConnection(socket);
    });
    server.on('tlsClientError', (error, socket) => this.#onError(error, socket));
  }

  begin(raw: Socket): void {
    if (this.#count >= MAX_HANDSHAKES) {
      this.#onFailure(raw.remoteAddress ?? '', `${MAX_HANDSHAKES} others have not finished theirs`);
      raw.on('error', () => {});
      raw.destroy();
      return;
    }
    this.#count += 1;
    this.#server.emit('connection', raw);
  }

  // A handshake that takes too long is told, but not ended; its end is told again.
  #onError(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    if (this.#failed.has(socket)) return;
    this.#failed.add(socket);
    this.#count -= 1;
    const code = (socket.authorizationError as unknown as string | null) ?? error.code ?? '';
    this.#onFailure(
      socket.remoteAddress ?? '',
      explainTls({ ...error, code }) ?? 'it left during the handshake',
    );
    socket.destroy();
  }
}
