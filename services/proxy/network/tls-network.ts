// shell · a network whose connections are TLS where that is asked for: the rest of the proxy is none the wiser.
// Must never hand out a connection before its peer is verified, or wait for a handshake without end.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { addressOf } from '../../shared/address-text.ts';
import { type DialTls, dialTls, explainTls, type ListenTls, loadTls } from '../../shared/tls.ts';
import { listenForSockets, type Network, receiveFrom } from './network.ts';
import { TicketKeys } from './ticket-keys.ts';

const HANDSHAKE_MS = 5_000;
// Each costs memory and a signature, before anything is known of the peer.
const MAX_HANDSHAKES = 1024;

type OnFailure = (failure: { with: 'client' | 'server'; address: string; why: string }) => void;

export type TlsOptions = {
  /** For the well-known port; null leaves it plain. */
  listen: ListenTls | null;
  /** For the connections to servers; null leaves them plain. */
  dial: DialTls | null;
  /** A handshake failed: with who connected to us, or with a server. `why` is a clause about the other side. */
  onFailure: OnFailure;
};

/** `network` with TLS on top. */
export function tlsNetwork(network: Network, { listen, dial, onFailure }: TlsOptions): Network {
  return {
    connect: dial === null ? network.connect : connectOver(dial, onFailure),
    listen: listen === null ? network.listen : listenOver(listen, onFailure),
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

// Accepting stays the business of the network below, so that whoever floods the port with handshakes meets a limit.
function listenOver({ cert, key, clientCa }: ListenTls, onFailure: OnFailure): Network['listen'] {
  // On all sockets of the port together.
  let handshakes = 0;
  const ticketKeys = new TicketKeys();
  return async (host, port, isShared, accept, onAcceptFailure) => {
    const refuse = (address: string | undefined, why: string): void =>
      onFailure({ with: 'client', address: address ?? '', why });
    const server = loadTls().createServer({
      cert,
      key,
      // Refused by hand, where it can still be told who it was.
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
    // A handshake that takes too long is told, but not ended; its end would be told again.
    const failed = new WeakSet<TLSSocket>();
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      if (failed.has(socket)) return;
      failed.add(socket);
      handshakes -= 1;
      refuse(socket.remoteAddress, explainTls(error) ?? 'it left during the handshake');
      socket.destroy();
    });
    const onSocket = (raw: Socket): void => {
      if (handshakes >= MAX_HANDSHAKES) {
        refuse(raw.remoteAddress, `${MAX_HANDSHAKES} others have not finished theirs`);
        raw.on('error', () => {});
        raw.destroy();
        return;
      }
      handshakes += 1;
      ticketKeys.rotateIfDue();
      // Whoever leaves during the handshake is to be forgotten at once.
      raw.allowHalfOpen = false;
      server.emit('connection', raw);
    };
    const listening = await listenForSockets({ host, port, isShared }, onSocket, undefined, onAcceptFailure);
    const close = (): void => {
      ticketKeys.remove(server);
      listening.close();
    };
    return { port: listening.port, close };
  };
}

// Why a peer that was asked for a certificate is not let in; null when it is.
function whyUntrusted(socket: TLSSocket): string | null {
  if (socket.authorized) return null;
  if (Object.keys(socket.getPeerCertificate()).length === 0) return 'it showed no certificate';
  const code = String(socket.authorizationError);
  return explainTls({ code }) ?? `its certificate is no good (${code})`;
}
