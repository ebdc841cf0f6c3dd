// One packet to the proxy and its reply back.
import type { Socket } from 'node:net';
import type { Resolve } from '../shared/addresses.ts';
import { type Packet, parsePacket } from '../shared/packet.ts';
import { PacketReader } from '../shared/packet-reader.ts';
import { addressOf } from '../shared/printable.ts';
import { type DialTls, dial, explainTls } from '../shared/tls.ts';

const CONNECT_MS = 1_000;
const MAX_REPLY_BYTES = 65_536;

export type Exchange =
  | { kind: 'reply'; packet: Packet; roundTripMs: number }
  | {
      kind: 'failed';
      reason: string;
      /** At least one address took the packet. */
      wasTaken: boolean;
      /** A connection was made, and TLS failed. */
      isTls: boolean;
    };

/**
 * Sends `bytes` to the first address behind the proxy's name that gives a reply. The work is a pure function of the
 * payload, so a packet whose connection broke may be sent to the next address.
 * @param timeoutMs for everything together
 * @param tls       null for a plain connection
 */
export async function exchange(
  bytes: Buffer,
  proxy: { host: string; port: number },
  timeoutMs: number,
  resolve: Resolve,
  tls: DialTls | null = null,
): Promise<Exchange> {
  const deadlineMs = performance.now() + timeoutMs;
  const addresses = await resolve(proxy.host);
  const reasons = addresses === null ? [`no address is known for "${proxy.host}"`] : [];
  let wasTaken = false;
  let isTls = false;
  for (const address of addresses ?? []) {
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) break;
    const open = (onOpen: () => void): Socket => dial(address, proxy.port, tls, proxy.host, onOpen);
    const result = await exchangeOver(open, bytes, leftMs);
    if (result.kind === 'reply') return result;
    reasons.push(`${addressOf(address, proxy.port)} ${result.reason}`);
    wasTaken ||= result.wasTaken;
    isTls ||= result.isTls;
  }
  const reason = reasons.join('; ') || 'the time was up before an address was tried';
  return { kind: 'failed', reason, wasTaken, isTls };
}

function exchangeOver(
  open: (onOpen: () => void) => Socket,
  bytes: Buffer,
  timeoutMs: number,
): Promise<Exchange> {
  return new Promise((resolve) => {
    const reader = new PacketReader(MAX_REPLY_BYTES, parsePacket, true);
    const socket = open(() => {
      clearTimeout(connectTimer);
      sentMs = performance.now();
      socket.write(bytes);
    });
    let sentMs: number | null = null;
    const finish = (result: Exchange): void => {
      clearTimeout(connectTimer);
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const fail = (reason: string, isTls = false): void =>
      finish({ kind: 'failed', reason, wasTaken: sentMs !== null, isTls });
    const connectTimer = setTimeout(fail, CONNECT_MS, `did not answer within ${CONNECT_MS} ms`);
    const timer = setTimeout(() => {
      const what = sentMs === null ? 'did not answer' : 'took the packet and sent no reply';
      fail(`${what} within ${Math.round(timeoutMs)} ms`);
    }, timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const why = explainTls(error);
      const what = sentMs === null ? "can't be reached" : 'broke the connection';
      if (why !== null) fail(`can't be talked to over TLS: ${why}`, true);
      else fail(`${what} (${error.code})`);
    });
    socket.on('close', () => fail('closed the connection without a reply'));
    socket.on('data', (chunk) => {
      reader.feed(chunk);
      const packet = reader.next();
      if (reader.isBroken) fail('sent what is not a packet');
      else if (packet !== null)
        finish({ kind: 'reply', packet, roundTripMs: performance.now() - (sentMs ?? 0) });
    });
  });
}
