// shell · follows the proxy's event stream through all its restarts, and looks at its table now and then.
// Must never miss that the proxy has started anew: its event numbers begin again, and its table is empty.
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterEvent, EventType } from '../../services/proxy/status/events.ts';
import { parsePrintable } from '../../services/shared/printable.ts';
import { epochMs } from './epoch.ts';
import { fetchPolicies } from './policies.ts';

const REDIAL_MS = 30;
const CONNECT_MS = 1_000;
/** The proxy writes a comment every 15 s, so a stream that is silent for longer is dead. */
const SILENT_MS = 20_000;

/** An event of the proxy. */
export type ProxyEvent = {
  atMs: number;
  /** Which start of the proxy it belongs to, from 0: its numbers begin anew with each. */
  boot: number;
  seq: number;
  type: EventType;
  policy: string;
  id: string;
  address: string;
  why: string;
  /** Requests handed to this entry of the table so far. */
  sent: number;
};

/** The policy table at one moment. */
export type TableSample = {
  atMs: number;
  boot: number;
  servers: { id: string; policy: string; state: string; sent: number; served: number; failed: number }[];
};

export type ProxyWatch = {
  /** Which start of the proxy this is, from 0. */
  readonly boot: number;
  /** A sample of the table as it is now; null when the proxy does not answer. */
  sample(): Promise<TableSample | null>;
  close(): void;
};

/**
 * @param adminUrl  base address of the status listener
 * @param onEvent   gets every event once; its `atMs` is wall time, ms since the epoch
 * @param onListens told when the status listener has answered (ms since the epoch): at the start, and after each outage
 */
export function watchProxy(
  adminUrl: string,
  onEvent: (event: ProxyEvent) => void,
  onListens: (atMs: number) => void = () => {},
): ProxyWatch {
  const ending = new AbortController();
  const known = new Map<number, number>();
  let boot = 0;
  const take = (event: ClusterEvent): void => {
    const knownAt = known.get(event.seq);
    if (knownAt === event.atMs) return;
    if (knownAt !== undefined || (known.size > 0 && event.seq === 1)) {
      boot += 1;
      known.clear();
    }
    known.set(event.seq, event.atMs);
    const { atMs, seq, type, policy, id, address, why, sent } = event;
    onEvent({ atMs, boot, seq, type, policy, id: String(id), address, why, sent });
  };
  const to: Reader = { take, opened: () => onListens(epochMs()) };
  void follow(adminUrl, to, ending.signal);
  return {
    get boot() {
      return boot;
    },
    sample: async () => {
      try {
        const { policies } = await fetchPolicies(adminUrl, ending.signal);
        const servers = policies.flatMap(({ servers: rows }) => rows);
        return {
          atMs: epochMs(),
          boot,
          servers: servers.map(({ id, policy, state, sent, served, failed }) => {
            return { id: String(id), policy, state, sent, served, failed };
          }),
        };
      } catch {
        return null;
      }
    },
    close: () => ending.abort(),
  };
}

type Reader = { take: (event: ClusterEvent) => void; opened: () => void };

async function follow(adminUrl: string, to: Reader, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await readStream(new URL('/api/events', adminUrl), to, signal);
    await sleep(REDIAL_MS, undefined, { signal }).catch(() => {});
  }
}

// Resolves when the stream has ended, however it did.
function readStream(url: URL, { take, opened }: Reader, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, signal, timeout: CONNECT_MS }, (response: IncomingMessage) => {
      opened();
      response.socket.setTimeout(SILENT_MS);
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        const blocks = (text + chunk).split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) {
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (data !== undefined) take(parsePrintable(data) as ClusterEvent);
        }
      });
      response.on('error', () => {});
      response.on('close', resolve);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve());
    request.on('close', () => resolve());
  });
}
