// shell · follows the proxy's event stream through all its restarts, and reads its policy table.
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterEvent } from '../../services/proxy/status/events.ts';
import { parsePrintable } from '../../services/shared/printable.ts';
import { fetchPolicies, fetchReadiness, type ServerRow } from './policies.ts';
import { epochMs } from './time.ts';

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
  /** Whether the proxy says that it is ready: not while it starts or stops. */
  isReady: boolean;
  servers: (Pick<ServerRow, 'policy' | 'state' | 'sent' | 'served' | 'failed'> & { id: string })[];
};

export type ProxyWatch = {
  /** The table as it is now; null when the proxy does not answer. */
  sample(): Promise<TableSample | null>;
  close(): void;
};

/** What is told of a proxy; times are ms since the epoch. */
export type ProxyWatcher = {
  /** Gets every event once. */
  event(event: ProxyEvent): void;
  /** The status listener has answered: at the start, and after each outage. */
  listens?(atMs: number): void;
  /** It has answered before, and its stream has ended. */
  closes?(atMs: number): void;
};

/** What has been read of the stream so far. */
type Reading = {
  boot: number;
  /** The id of the last event, `BOOT-NUMBER`: sent when connecting again, so that no event comes twice. */
  lastId: string;
  watcher: ProxyWatcher;
};

/** @param adminUrl base address of the status listener */
export function watchProxy(adminUrl: string, watcher: ProxyWatcher): ProxyWatch {
  const ending = new AbortController();
  const reading: Reading = { boot: 0, lastId: '', watcher };
  void follow(adminUrl, reading, ending.signal);
  return {
    sample: async () => {
      const asked = [
        fetchPolicies(adminUrl, ending.signal),
        fetchReadiness(adminUrl, ending.signal),
      ] as const;
      const answers = await Promise.all(asked).catch(() => null);
      if (answers === null) return null;
      const [table, isReady] = answers;
      const rows = table.policies.flatMap(({ servers }) => servers);
      const servers = rows.map(({ id, policy, state, sent, served, failed }) => {
        return { id: String(id), policy, state, sent, served, failed };
      });
      return { atMs: epochMs(), boot: reading.boot, isReady, servers };
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
      reading.watcher.listens?.(epochMs());
      response.socket.setTimeout(SILENT_MS);
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        const blocks = (text + chunk).split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) take(block, reading);
      });
      response.on('error', () => {});
      response.on('close', () => {
        if (!signal.aborted) reading.watcher.closes?.(epochMs());
        resolve();
      });
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
  reading.watcher.event({ ...event, id: String(event.id), boot: reading.boot });
}

function bootIn(id: string): string {
  return id.slice(0, id.lastIndexOf('-'));
}
