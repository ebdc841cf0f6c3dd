// A TCP server on a loopback port that does with each request what the test says.
import { hash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { LoadOptions } from '../scripts/load/options.ts';
import { FrameReader } from '../services/shared/framing.ts';
import { formatAnswer, parsePacket, type RequestPacket } from '../services/shared/packet.ts';

/** What to do with request number `index` (from 0) that arrived on `socket`. */
export type Script = (request: RequestPacket, socket: Socket, index: number) => void;

export type ScriptedProxy = {
  port: number;
  /** Connections that carried at least one request. */
  usedConnections(): number;
  close(): void;
};

/**
 * @param port where to listen; 0: any free port
 * @param tls  makes it speak TLS; with `ca`, clients have to show a certificate of that authority
 * @param host address to listen on
 */
export async function startScriptedProxy(
  script: Script,
  port = 0,
  tls: { cert: string; key: string; ca?: string } | null = null,
  host = '127.0.0.1',
): Promise<ScriptedProxy> {
  const sockets = new Set<Socket>();
  let requests = 0;
  let used = 0;
  const onConnection = (socket: Socket): void => {
    let hasCarried = false;
    const reader = new FrameReader();
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      reader.feed(chunk);
      while (reader.next()) {
        const packet = parsePacket(reader.bytes.toString('utf8', reader.start, reader.end));
        if (packet.kind !== 'request') throw new Error(`not a request: ${packet.kind}`);
        if (!hasCarried) used += 1;
        hasCarried = true;
        script(packet, socket, requests++);
      }
    });
  };
  const server =
    tls === null
      ? createServer(onConnection)
      : createTlsServer({ ...tls, requestCert: tls.ca !== undefined }, onConnection);
  const listening = Promise.withResolvers<void>();
  server.listen(port, host, listening.resolve);
  await listening.promise;
  return {
    port: (server.address() as { port: number }).port,
    usedConnections: () => used,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The right answer of server `serverId`. */
export function answerTo(request: RequestPacket, serverId: string): string {
  return formatAnswer(serverId, request.clientId, hash('sha1', request.payload));
}

/** A reply of a proxy that is about to stop, and names others. */
export function naming(reply: string, ...ports: number[]): string {
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  return reply.replace(/}\n$/, `,"proxies":${JSON.stringify(addresses)}}\n`);
}

/** Options of a short run: 200 requests in 0.2 s to the proxy on this port, or to those on several, unless told otherwise. */
export function optionsFor(
  ports: number | readonly number[],
  changes: Partial<LoadOptions> = {},
): LoadOptions {
  return {
    proxies: [ports].flat().map((port) => ({ host: '127.0.0.1', port })),
    tls: null,
    rate: 1000,
    durationSeconds: 0.2,
    policies: ['1', '2', '3'],
    connection: 'per-request',
    connections: 4,
    payloadBytes: 64,
    timeoutMs: 5000,
    retryForMs: 0,
    attemptTimeoutMs: 5000,
    maxInFlight: 10_000,
    lateMs: 5000,
    ...changes,
  };
}
