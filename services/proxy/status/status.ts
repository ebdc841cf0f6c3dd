// The status listener: HTTP on a port of its own, for people, health checks and the chaos verdict.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { printable, printableLines } from '../../shared/printable.ts';
import type { ProxyOptions } from '../options.ts';
import type { EventLog } from './events.ts';
import type { Snapshot } from './snapshot.ts';

const MAX_CONNECTIONS = 256;
const KEEP_ALIVE_COMMENT_MS = 15_000;

export type StatusSources = {
  events: EventLog;
  /** The table and the counters, as they are now. */
  snapshot: () => Snapshot;
  /** Why the proxy is not ready; null when it is. */
  unreadyReason: () => string | null;
};

const EVENT_STREAM = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' };
// Nothing here is a page, and no other page may use it.
const SECURITY_HEADERS = [
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['cross-origin-resource-policy', 'same-origin'],
  ['referrer-policy', 'no-referrer'],
  ['x-content-type-options', 'nosniff'],
] as const;
const UNKNOWN_HOST =
  'The status listener is not asked by this name: use an address, or start the proxy with --admin-names.';
const PATHS = ['/healthz', '/readyz', '/api/policies', '/api/events'];

export type StatusOptions = Pick<ProxyOptions, 'adminHost' | 'adminPort' | 'adminNames'>;

/** Starts the status listener; rejects with the system's error when the port can't be had. */
export function openStatus(
  { adminHost: host, adminPort: port, adminNames }: StatusOptions,
  sources: StatusSources,
): Promise<Server> {
  const names = new Set(adminNames.map((name) => name.toLowerCase()));
  const server = createServer((request, response) => {
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    if (isKnownHost(request.headers.host, names)) answer(request, response, sources);
    else sendJson(response, 421, { error: UNKNOWN_HOST });
  });
  server.requestTimeout = 10_000;
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

function answer(request: IncomingMessage, response: ServerResponse, sources: StatusSources): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    sendJson(response, 405, { error: 'Only GET is answered here.' });
    return;
  }
  switch (URL.parse(request.url ?? '/', 'http://status')?.pathname) {
    case '/healthz':
      sendJson(response, 200, { status: 'alive' });
      return;
    case '/readyz': {
      const reason = sources.unreadyReason();
      sendJson(response, reason === null ? 200 : 503, {
        status: reason === null ? 'ready' : 'not ready',
        reason,
      });
      return;
    }
    case '/api/policies':
      sendJson(response, 200, sources.snapshot());
      return;
    case '/api/events':
      response.writeHead(200, EVENT_STREAM);
      if (request.method === 'HEAD') response.end();
      else new EventStream(response, sources.events, request.headers['last-event-id']).start();
      return;
    default:
      sendJson(response, 404, { error: 'There is nothing here.', paths: PATHS });
  }
}

// A page from elsewhere can have its own name point here (DNS rebinding), and could then read what this says. The
// names of the public DNS have a dot, addresses are no names, and a request without a host is not from a browser.
function isKnownHost(header: string | undefined, names: ReadonlySet<string>): boolean {
  if (header === undefined) return true;
  const host = header
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  return isIP(host) !== 0 || /^[\w-]+$/.test(host) || host.endsWith('.localhost') || names.has(host);
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(`${printableLines(JSON.stringify(body, null, 2))}\n`);
}

/**
 * One reader of the events, as server-sent events: first those that are kept, then every new one. Writes no faster than its
 * reader takes: what has not been written yet is in the log, which is bounded. A reader that has
 * fallen behind it misses the events in between, and sees that by their numbers; one that takes nothing is cut off.
 */
class EventStream {
  readonly #response: ServerResponse;
  readonly #events: EventLog;
  #lastSeq: number;
  #isFull = false;
  #wasFullAtLastLook = false;

  /** @param lastEventId what its reader has seen last, in its own words; of another start of the proxy, it gets everything */
  constructor(response: ServerResponse, events: EventLog, lastEventId: string | string[] | undefined) {
    this.#response = response;
    this.#events = events;
    this.#lastSeq = typeof lastEventId === 'string' ? events.seqOf(lastEventId) : 0;
  }

  start(): void {
    const response = this.#response;
    this.#write(': the last events, then every new one\n\n');
    const stopListening = this.#events.listen(() => this.#writeNew());
    const looking = setInterval(() => this.#look(), KEEP_ALIVE_COMMENT_MS);
    response.on('drain', () => {
      this.#isFull = false;
      this.#wasFullAtLastLook = false;
      this.#writeNew();
    });
    response.on('close', () => {
      clearInterval(looking);
      stopListening();
    });
    this.#writeNew();
  }

  #writeNew(): void {
    if (this.#isFull) return;
    for (const event of this.#events.since(this.#lastSeq)) {
      this.#lastSeq = event.seq;
      const id = this.#events.idOf(event);
      this.#write(`id: ${id}\nevent: ${event.type}\ndata: ${printable(JSON.stringify(event))}\n\n`);
      if (this.#isFull) return;
    }
  }

  #look(): void {
    if (this.#wasFullAtLastLook) this.#response.destroy();
    else if (this.#isFull) this.#wasFullAtLastLook = true;
    else this.#write(': still here\n\n');
  }

  #write(text: string): void {
    this.#isFull = !this.#response.write(text);
  }
}
