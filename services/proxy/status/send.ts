// A packet that is sent from the live page: through the well-known port, as any client's.
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { DEFAULT_MAX_FRAME_BYTES } from '../../shared/framing.ts';
import { formatRequest } from '../../shared/packet.ts';
import { PacketReader } from '../../shared/packet-reader.ts';
import type { Ending, Traffic } from '../metrics/traffic.ts';
import type { Sent } from '../page/browser/model/contract.ts';
import type { Request } from '../routing/request.ts';

const TIMEOUT_MS = 10_000;

export type SendTarget = {
  host: string;
  port: number;
  isTls: boolean;
  /** What a connection from this machine has to begin with. */
  preface: string;
  traffic: Pick<Traffic<Request>, 'watch'>;
};
export type Outgoing = { clientId: string; policy: string; payload: string };

/** What the proxy knows of an answered request: who had it, and for how long. */
type Way = { triedIds: (string | number)[]; queueMs: number; upstreamMs: number };

/** Sends it and waits for the reply; rejects with the system's error, or when none has come within 10 s. */
export async function sendPacket(target: SendTarget, packet: Outgoing): Promise<Sent> {
  const wire = formatRequest(packet.clientId, packet.policy, packet.payload);
  const latin1 = Buffer.from(wire).toString('latin1');
  let way: Way | null = null;
  const stop = target.traffic.watch((ending) => {
    // Another client may send the very same bytes: the first answer to them is as true.
    if (way === null && ending.server !== null && ending.request.wire === latin1) way = wayOf(ending);
  });
  try {
    const { raw, connectMs, totalMs } = await exchange(target, wire);
    return describe(raw, connectMs, totalMs, way);
  } finally {
    stop();
  }
}

function wayOf({ request, server, arrivedMs, endedMs }: Ending<Request>): Way {
  const { trouble, attemptMs, upstream } = request;
  const triedIds = (trouble?.tried ?? []).filter((other) => other !== server).map(({ id }) => id);
  const tookMs = endedMs - arrivedMs;
  // One that was handed to a second server meanwhile was answered by the first, which had it from the beginning.
  const upstreamMs = upstream === server ? endedMs - attemptMs : tookMs;
  return { triedIds, queueMs: Math.max(0, tookMs - upstreamMs), upstreamMs };
}

function exchange({ host, port, isTls, preface }: SendTarget, wire: string) {
  const beganMs = performance.now();
  let connectMs = 0;
  return new Promise<{ raw: string; connectMs: number; totalMs: number }>((resolve, reject) => {
    const onConnected = (): void => {
      connectMs = performance.now() - beganMs;
      socket.write(wire);
    };
    // It is this proxy itself that is asked.
    const plain = connect({ host, port });
    if (preface !== '') plain.write(preface);
    const socket = isTls
      ? connectTls({ socket: plain, rejectUnauthorized: false }, onConnected)
      : plain.on('connect', onConnected);
    const reader = new PacketReader(2 * DEFAULT_MAX_FRAME_BYTES);
    const chunks: Buffer[] = [];
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`No reply within ${TIMEOUT_MS / 1000} s.`)));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      reader.feed(chunk);
      if (reader.next() === null) return;
      socket.destroy();
      const raw = Buffer.concat(chunks).toString().trim();
      resolve({ raw, connectMs, totalMs: performance.now() - beganMs });
    });
    socket.on('error', reject);
    socket.on('end', () => reject(new Error('The connection was closed without a reply.')));
  });
}

// A server's answer reaches a client as it is, and may be no JSON: then this throws.
function describe(raw: string, connectMs: number, totalMs: number, way: Way | null): Sent {
  const reply = JSON.parse(raw) as { type?: number; srcid?: string | number };
  const ok = reply.type === 2;
  const server = ok && reply.srcid !== undefined ? { id: reply.srcid } : null;
  const { triedIds = [], ...phases } = way ?? {};
  const attempts = [
    ...triedIds.map((id) => ({ id, outcome: 'failed, moved on' })),
    ...(server === null ? [] : [{ ...server, outcome: 'answered', ms: way?.upstreamMs }]),
  ];
  return { ok, reply, raw, server, attempts, phases: { connectMs, totalMs, ...phases } };
}
