// One packet to a proxy and its reply back.
import type { Socket } from 'node:net';
import type { HostPort } from '../shared/config.ts';
import { type Packet, parsePacket, proxiesNamedIn } from '../shared/packet.ts';
import { PacketReader } from '../shared/packet-reader.ts';
import { addressOf } from '../shared/printable.ts';
import { type DialTls, dial, explainTls } from '../shared/tls.ts';
import type { KnownProxy } from './known-proxies.ts';
import type { ProxyFinder } from './proxy-finder.ts';
import { isEmpty, isGoodbye } from './refusals.ts';

const CONNECT_MS = 1_000;
// A proxy replies within two seconds. One that does not keeps none of the others from their turn.
const SILENT_MS = 2_500;
const MAX_REPLY_BYTES = 65_536;
// Behind a balancer's address another proxy may answer the next time.
const MAX_GOODBYES = 2;

type Failed = {
  kind: 'failed';
  reason: string;
  /** At least one address took the packet. */
  wasTaken: boolean;
  /** A connection was made, and TLS failed. */
  isTls: boolean;
};

type Replied = {
  kind: 'reply';
  packet: Packet;
  roundTripMs: number;
  /** The other proxies, as one has named them that is about to stop. */
  others: readonly unknown[] | null;
};

export type Exchange = (Replied & { proxy: KnownProxy }) | Failed;

/**
 * Sends `bytes` to the known proxies in turn until one gives a reply that counts: neither that it is shutting down, nor, for the
 * first time, that it has no server. The work is a pure function of the payload, so a packet whose connection broke may be sent
 * to the next address.
 * @param finder    its names are looked up first
 * @param timeoutMs for everything together
 * @param tls       null for a plain connection
 */
export async function exchange(
  bytes: Buffer,
  finder: ProxyFinder,
  timeoutMs: number,
  tls: DialTls | null = null,
): Promise<Exchange> {
  const deadlineMs = performance.now() + timeoutMs;
  const unknown = await finder.lookUp();
  const { proxies } = finder;
  const asked = new Set<KnownProxy>();
  const failures: Failed[] = [];
  let reply: Exchange | null = null;
  let wasEmpty = false;
  // By their addresses: one that was forgotten, and is named again, is another entry.
  const goodbyes = new Map<string, number>();
  for (let proxy = proxies.pick(); proxy !== null; proxy = proxies.pick(asked)) {
    const { host, port, name } = proxy;
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) break;
    asked.add(proxy);
    const address = addressOf(host, port);
    if ((goodbyes.get(address) ?? 0) >= MAX_GOODBYES) continue;
    const isLast = proxies.all.every((one) => asked.has(one));
    const open = (onOpen: () => void): Socket => dial(host, port, tls, name, onOpen);
    const result = await exchangeOver(open, bytes, isLast ? leftMs : Math.min(leftMs, SILENT_MS));
    if (result.kind === 'failed') {
      failures.push({ ...result, reason: `${address} ${result.reason}` });
    } else {
      if (result.others !== null) finder.hear(proxy, result.others);
      else proxies.reached(proxy);
      reply = { ...result, proxy };
      const code = result.packet.kind === 'error' ? result.packet.code : '';
      // It stays a good one. Where no proxy has a server, a second one is asked and not all of them.
      if (isEmpty(code) && !wasEmpty) {
        wasEmpty = true;
        continue;
      }
      if (!isGoodbye(code)) return reply;
      const count = (goodbyes.get(address) ?? 0) + 1;
      goodbyes.set(address, count);
      if (count < MAX_GOODBYES) asked.delete(proxy);
    }
    proxies.failed(proxy);
  }
  return reply ?? summary(unknown, failures);
}

function summary(unknown: readonly HostPort[], failures: readonly Failed[]): Failed {
  const reasons = unknown.map(({ host }) => `no address is known for "${host}"`);
  reasons.push(...failures.map(({ reason }) => reason));
  return {
    kind: 'failed',
    reason: reasons.join('; ') || 'the time was up before an address was tried',
    wasTaken: failures.some(({ wasTaken }) => wasTaken),
    isTls: failures.some(({ isTls }) => isTls),
  };
}

function exchangeOver(
  open: (onOpen: () => void) => Socket,
  bytes: Buffer,
  timeoutMs: number,
): Promise<Replied | Failed> {
  return new Promise((resolve) => {
    let others: readonly unknown[] | null = null;
    const parse = (text: string): Packet => {
      others = proxiesNamedIn(text);
      return parsePacket(text);
    };
    const reader = new PacketReader(MAX_REPLY_BYTES, parse, true);
    const socket = open(() => {
      clearTimeout(connectTimer);
      sentMs = performance.now();
      socket.write(bytes);
    });
    let sentMs: number | null = null;
    const finish = (result: Replied | Failed): void => {
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
        finish({ kind: 'reply', packet, roundTripMs: performance.now() - (sentMs ?? 0), others });
    });
  });
}
