// A packet that is sent from the live page: through the well-known port, as any client's.
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { DEFAULT_MAX_FRAME_BYTES } from '../../shared/framing.ts';
import { formatRequest } from '../../shared/packet.ts';
import { PacketReader } from '../../shared/packet-reader.ts';

const TIMEOUT_MS = 10_000;

export type SendTarget = { host: string; port: number; isTls: boolean };
export type Outgoing = { clientId: string; policy: string; payload: string };

/** Sends it and waits for the reply; rejects with the system's error, or when none has come within 10 s. */
export function sendPacket({ host, port, isTls }: SendTarget, packet: Outgoing) {
  const beganMs = performance.now();
  let connectMs = 0;
  return new Promise<ReturnType<typeof describe>>((resolve, reject) => {
    const onConnected = (): void => {
      connectMs = performance.now() - beganMs;
      socket.write(formatRequest(packet.clientId, packet.policy, packet.payload));
    };
    // It is this proxy itself that is asked.
    const socket = isTls
      ? connectTls({ host, port, rejectUnauthorized: false }, onConnected)
      : connect({ host, port }, onConnected);
    const reader = new PacketReader(2 * DEFAULT_MAX_FRAME_BYTES);
    const chunks: Buffer[] = [];
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`No reply within ${TIMEOUT_MS / 1000} s.`)));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      reader.feed(chunk);
      if (reader.next() === null) return;
      socket.destroy();
      // A server's answer reaches a client as it is, and may be no JSON.
      try {
        const raw = Buffer.concat(chunks).toString().trim();
        resolve(describe(raw, connectMs, performance.now() - beganMs));
      } catch (error) {
        reject(error);
      }
    });
    socket.on('error', reject);
    socket.on('end', () => reject(new Error('The connection was closed without a reply.')));
  });
}

function describe(raw: string, connectMs: number, totalMs: number) {
  const reply = JSON.parse(raw) as { type?: number; srcid?: string | number };
  const ok = reply.type === 2;
  const server = ok && reply.srcid !== undefined ? { id: reply.srcid } : null;
  const upstreamMs = totalMs - connectMs;
  const attempts = server === null ? [] : [{ ...server, outcome: 'answered', ms: upstreamMs }];
  return { ok, reply, raw, server, attempts, phases: { connectMs, queueMs: 0, upstreamMs, totalMs } };
}
