// shell · follows the proxy's event stream through all its restarts, and reads its policy table.
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterEvent } from '../../services/proxy/status/events.ts';
import { parsePrintable } from '../../services/shared/printable.ts';
import { epochMs } from './epoch.ts';
import { fetchPolicies, type ServerRow } from './policies.ts';

const RECONNECT_MS = 30;
const CONNECT_MS = 1_000;
/** The proxy writes a comment every 15 s, so a stream that is silent for longer is dead. */
const SILENT_MS = 20_000;

/** An event of the proxy; `atMs` is ms since the epoch. */
export type ProxyEvent = {
  -readonly [Field in keyof ClusterEvent]: Field extends 'id' ? string : ClusterEvent[Field];
} & {
  /** Which start of the proxy it belongs to, from 0: its numbers begin anew with each. */
  boot: number;
};

/** The policy table at one moment, ms since the epoch. */
export type TableSample = {
  atMs: number;
  boot: number;
  servers: (Pick<ServerRow, 'policy' | 'state' | 'sent' | 'served' | 'failed'> & { id: string })[];
};

export type ProxyWatch = {
  /** The table as it is now; null when the proxy does not answer. */
  sample(): Promise<TableSample | null>;
  close(): void;
};

/** What has been read of the stream so far. */
type Reading = {
  boot: number;
  /** The id of the last event, `BOOT-NUMBER`: sent when connecting again, so that no event comes twice. */
  lastId: string;
  onEvent: (event: ProxyEvent) => unknown;
  onListens: (atMs: number) => unknown;
};

/**
 * @param adminUrl  base address of the status listener
 * @param onEvent   gets every event once
 * @param onListens called when the status listener has answered (ms since the epoch): at the start, and after each outage
 */
export function watchProxy(
  adminUrl: string,
  onEvent: (event: ProxyEvent) => unknown,
  onListens: (atMs: number) => unknown = () => {},
): ProxyWatch {
  const ending = new AbortController();
  const reading: Reading = { boot: 0, lastId: '', onEvent, onListens };
  void follow(adminUrl, reading, ending.signal);
  return {
    sample: async () => {
      const table = await fetchPolicies(adminUrl, ending.signal).catch(() => null);
      if (table === null) return null;
      const rows = table.policies.flatMap(({ servers }) => servers);
      const servers = rows.map(({ id, policy, state, sent, served, failed }) => {
        return { id: String(id), policy, state, sent, served, failed };
      });
      return { atMs: epochMs(), boot: reading.boot, servers };
    },
    close: () => ending.abort(),
  };
}

async function follow(adminUrl: string, reading: Reading, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await readStream(new URL('/api/events', adminUrl), reading, signal);
    await sleep(RECONNECT_MS, undefined, { signal }).catch(() => {});
  }
}

// Resolves when the stream has ended, however it did.
function readStream(url: URL, reading: Reading, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const headers = { 'last-event-id': reading.lastId };
    const options = { agent: false, signal, timeout: CONNECT_MS, headers };
    const request = get(url, options, (response: IncomingMessage) => {
      reading.onListens(epochMs());
      response.socket.setTimeout(SILENT_MS);
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        const blocks = (text + chunk).split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) take(block, reading);
      });
      response.on('error', () => {});
      response.on('close', resolve);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve());
    request.on('close', () => resolve());
  });
}

function take(block: string, reading: Reading): void {
  const [, id, data] = /^id: (.*)$[\s\S]*^data: (.*)$/m.exec(block) ?? [];
  if (id === undefined || data === undefined) return;
  if (reading.lastId !== '' && bootIn(reading.lastId) !== bootIn(id)) reading.boot += 1;
  reading.lastId = id;
  const event = parsePrintable(data) as ClusterEvent;
  reading.onEvent({ ...event, id: String(event.id), boot: reading.boot });
}

function bootIn(id: string): string {
  return id.slice(0, id.lastIndexOf('-'));
}
