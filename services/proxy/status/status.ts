// The status listener: HTTP on a port of its own, for people, health checks and the chaos verdict.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { json } from 'node:stream/consumers';
import { printable, printableLines } from '../../shared/printable.ts';
import type { MetricsReply } from '../metrics/exposition.ts';
import type { ProxyOptions } from '../options.ts';
import { PAGE_SECURITY_POLICY, type Page } from '../page/files.ts';
import { type ActSources, act } from './acts.ts';
import type { EventLog } from './events.ts';
import { type Faults, takeFault } from './faults.ts';
import type { History } from './history.ts';
import type { Live } from './live.ts';
import { type RowSources, rowOf } from './rows.ts';
import { type Outgoing, type SendTarget, sendPacket } from './send.ts';
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

/** What the live page shows, asks and orders, and what a scrape gets. */
export type PageSources = {
  metrics: MetricsReply;
  page: Page;
  live: Live;
  history: History;
  rows: RowSources;
  acts: ActSources;
  faults: Faults;
  /** Where its packets go; null before the well-known port is open. */
  target: () => SendTarget | null;
};

const EVENT_STREAM = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' };
const MAX_BODY_BYTES = 16_384;
// No other page may use what is here.
const SECURITY_HEADERS = [
  ['content-security-policy', PAGE_SECURITY_POLICY],
  ['cross-origin-resource-policy', 'same-origin'],
  ['referrer-policy', 'no-referrer'],
  ['x-content-type-options', 'nosniff'],
] as const;
const UNKNOWN_HOST =
  'The status listener is not asked by this name: use an address, or start the proxy with --admin-names.';
const PATHS = [
  ...['/', '/healthz', '/readyz', '/api/policies', '/api/events', '/api/stream', '/api/history', '/metrics'],
  '/api/servers/POLICY/ID',
];
const POST_PATHS: ReadonlySet<string> = new Set(['/api/acts', '/api/faults', '/api/send']);

export type StatusOptions = Pick<ProxyOptions, 'adminHost' | 'adminPort' | 'adminNames'>;

/** Starts the status listener; rejects with the system's error when the port can't be had. */
export function openStatus(
  { adminHost: host, adminPort: port, adminNames }: StatusOptions,
  sources: StatusSources & PageSources,
): Promise<Server> {
  const names = new Set(adminNames.map((name) => name.toLowerCase()));
  const server = createServer((request, response) => {
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    if (isKnownHost(request.headers.host, names)) route(request, response, sources);
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

function route(
  request: IncomingMessage,
  response: ServerResponse,
  sources: StatusSources & PageSources,
): void {
  const path = URL.parse(request.url ?? '/', 'http://status')?.pathname ?? '';
  if (request.method === 'GET' || request.method === 'HEAD') answer(path, request, response, sources);
  else if (request.method === 'POST' && POST_PATHS.has(path)) void take(path, request, response, sources);
  else sendJson(response, 405, { error: 'Only GET is answered here.' });
}

function answer(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  sources: StatusSources & PageSources,
): void {
  switch (path) {
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
    case '/api/stream':
      response.writeHead(200, EVENT_STREAM);
      if (request.method === 'HEAD') response.end();
      else sources.live.add(response, request.headers['last-event-id']);
      return;
    case '/metrics':
      void scrape(request.headers.accept, response, sources.metrics);
      return;
    case '/api/history':
      sendJson(response, 200, sources.history.describe(sources.events.since(0), sources.faults.kept), 0);
      return;
    default:
      answerByName(path, request, response, sources);
  }
}

function answerByName(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  { page, rows, events }: StatusSources & PageSources,
): void {
  const file = page.file(path);
  if (file !== null) {
    const isKnown = request.headers['if-none-match'] === file.etag;
    const headers = { 'content-type': file.type, 'cache-control': 'no-cache', etag: file.etag };
    response.writeHead(isKnown ? 304 : 200, headers).end(isKnown ? '' : file.body);
    return;
  }
  const [, policy = '', id = ''] = /^\/api\/servers\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  const upstream = rows.table.findById(textOf(policy), textOf(id));
  if (upstream === undefined) {
    sendJson(response, 404, { error: 'There is nothing here.', paths: PATHS });
    return;
  }
  const isAbout = (event: { policy: string; id: string | number }): boolean =>
    event.policy === upstream.policy && String(event.id) === String(upstream.id);
  sendJson(response, 200, {
    row: rowOf(upstream, rows),
    transitions: events.since(0).filter(isAbout),
    probes: upstream.probes,
  });
}

async function scrape(
  accept: string | undefined,
  response: ServerResponse,
  metrics: MetricsReply,
): Promise<void> {
  try {
    const { type, body } = await metrics(accept);
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
  } catch (error) {
    sendJson(response, 500, { error: `The metrics could not be read: ${(error as Error).message}` });
  }
}

function textOf(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// A page from elsewhere can't read what it gets, but it could order something: browsers say where a POST is from.
function isFromHere({ origin, host }: IncomingMessage['headers']): boolean {
  return origin === undefined || URL.parse(origin)?.host === host;
}

async function take(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  { acts, faults, target }: PageSources,
): Promise<void> {
  if (!isFromHere(request.headers)) {
    sendJson(response, 403, { error: 'Another page may order nothing here.' });
    return;
  }
  if (!(Number(request.headers['content-length']) <= MAX_BODY_BYTES)) {
    sendJson(response, 413, { error: `A body has at most ${MAX_BODY_BYTES} bytes, and says how many.` });
    request.destroy();
    return;
  }
  const body: unknown = await json(request).catch(() => null);
  if (path !== '/api/send') {
    const { authorization } = request.headers;
    const { status, body: reply } =
      path === '/api/acts'
        ? act(body, authorization, acts)
        : takeFault(body, authorization, { faults, token: acts.token });
    sendJson(response, status, reply);
    return;
  }
  const { clientId, policy, payload } = (body ?? {}) as Partial<Record<keyof Outgoing, unknown>>;
  const to = target();
  if (typeof clientId !== 'string' || typeof policy !== 'string' || typeof payload !== 'string')
    sendJson(response, 400, { error: 'A packet has "clientId", "policy" and "payload", each a text.' });
  else if (to === null) sendJson(response, 503, { error: 'The well-known port is not open yet.' });
  else
    await sendPacket(to, { clientId, policy, payload }).then(
      (sent) => sendJson(response, 200, sent),
      (error: Error) => sendJson(response, 502, { error: `The packet got no reply: ${error.message}` }),
    );
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

function sendJson(response: ServerResponse, status: number, body: object, indent = 2): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(`${printableLines(JSON.stringify(body, null, indent))}\n`);
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
