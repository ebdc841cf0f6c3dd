// The status listener: HTTP on a port of its own, for people, health checks and the chaos verdict.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { json } from 'node:stream/consumers';
import type { LimitedLog } from '../../shared/log.ts';
import { printableLines } from '../../shared/printable.ts';
import type { MetricsReply } from '../metrics/exposition.ts';
import type { ProxyOptions } from '../options.ts';
import type { ServerDetail } from '../page/browser/model/contract.ts';
import { PAGE_SECURITY_POLICY, type Page } from '../page/files.ts';
import { type ActSources, act } from './acts.ts';
import type { EventLog } from './events.ts';
import { type Faults, takeFault } from './faults.ts';
import type { History } from './history.ts';
import type { Live } from './live.ts';
import { Reader, writeEvents } from './reader.ts';
import { type RowSources, rowOf } from './rows.ts';
import { type Outgoing, type SendTarget, sendPacket } from './send.ts';
import type { Snapshot } from './snapshot.ts';

const MAX_CONNECTIONS = 256;
// The slowest request is cut after their sum.
const REQUEST_MS = 10_000;
const SLOW_CHECK_MS = 2_000;

export type StatusSources = {
  events: EventLog;
  /** The table and the counters, as they are now. */
  snapshot: () => Snapshot;
  /** Resolves when the counters of other threads are what they are now. */
  refresh: () => Promise<void>;
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
  /** How many threads serve requests. */
  workers: number;
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

/**
 * Starts the status listener; rejects with the system's error when the port can't be had.
 * @param failures gets a line about each request that could not be answered
 */
export function openStatus(
  { adminHost: host, adminPort: port, adminNames }: StatusOptions,
  sources: StatusSources & PageSources,
  failures: Pick<LimitedLog, 'write'>,
): Promise<Server> {
  const names = new Set(adminNames.map((name) => name.toLowerCase()));
  // Node takes the longer of the two for the whole request, whichever it is.
  const limits = {
    requestTimeout: REQUEST_MS,
    headersTimeout: REQUEST_MS,
    connectionsCheckingInterval: SLOW_CHECK_MS,
  };
  const server = createServer(limits, (request, response) => {
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    route(request, response, sources, names).catch((error: Error) => {
      failures.write({ level: 'error', message: 'the status listener has failed', error: error.stack });
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: 'This could not be answered: the log of the proxy says why.' });
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

// Whatever one throws becomes a rejection: nothing that is asked here may end the proxy.
async function route(
  request: IncomingMessage,
  response: ServerResponse,
  sources: StatusSources & PageSources,
  names: ReadonlySet<string>,
): Promise<void> {
  if (!isKnownHost(request.headers.host, names)) {
    sendJson(response, 421, { error: UNKNOWN_HOST });
    return;
  }
  const path = URL.parse(request.url ?? '/', 'http://status')?.pathname ?? '';
  if (request.method === 'GET' || request.method === 'HEAD') await answer(path, request, response, sources);
  else if (request.method === 'POST' && POST_PATHS.has(path)) await take(path, request, response, sources);
  else sendJson(response, 405, { error: 'Only GET is answered here.' });
}

async function answer(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  sources: StatusSources & PageSources,
): Promise<void> {
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
      await sources.refresh();
      sendJson(response, 200, { ...sources.snapshot(), workers: sources.workers });
      return;
    case '/api/events':
      response.writeHead(200, EVENT_STREAM);
      if (request.method === 'HEAD') response.end();
      else tellEvents(response, sources.events, request.headers['last-event-id']);
      return;
    case '/api/stream':
      response.writeHead(200, EVENT_STREAM);
      if (request.method === 'HEAD') response.end();
      else sources.live.add(response, request.headers['last-event-id']);
      return;
    case '/metrics':
      await sources.refresh();
      await scrape(request.headers.accept, response, sources.metrics);
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
  const detail: ServerDetail = {
    row: rowOf(upstream, rows),
    transitions: events.since(0).filter(isAbout),
    probes: upstream.probes,
  };
  sendJson(response, 200, detail);
}

async function scrape(
  accept: string | undefined,
  response: ServerResponse,
  metrics: MetricsReply,
): Promise<void> {
  const { type, body } = await metrics(accept);
  response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
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
 * Tells a reader the events, as server-sent events: first those that are kept, then every new one. One that has fallen behind
 * the log misses the events in between, and sees that by their numbers.
 * @param lastEventId what it has seen last, in its own words; of another start of the proxy, it gets everything
 */
function tellEvents(
  response: ServerResponse,
  events: EventLog,
  lastEventId: string | string[] | undefined,
): void {
  let lastSeq = events.seqOf(lastEventId);
  const writeNew = (): void => {
    lastSeq = writeEvents(reader, events, lastSeq, ({ type }) => type);
  };
  const stopListening = events.listen(writeNew);
  const reader = new Reader(response, writeNew, stopListening);
  reader.write(Buffer.from(': the last events, then every new one\n\n'));
  writeNew();
}
