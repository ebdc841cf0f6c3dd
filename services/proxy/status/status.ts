// shell · the status listener: HTTP on a port of its own, for people, health checks and the chaos verdict.
// Must never change anything, or let a slow reader of events pile up memory.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { printableLines } from '../../shared/printable.ts';
import type { ListenerCounters } from '../clients/listener.ts';
import type { ForwarderCounters } from '../routing/forwarder.ts';
import type { PolicyTable } from '../routing/policy-table.ts';
import type { Upstream } from '../servers/upstream.ts';
import { streamEvents } from './event-stream.ts';
import type { EventLog } from './events.ts';

const MAX_CONNECTIONS = 256;

export type StatusSources = {
  table: PolicyTable;
  events: EventLog;
  /** Shown as they are, with all that is in them. */
  counters: ForwarderCounters;
  listenerCounters: ListenerCounters;
  /** Why the proxy is not ready; null when it is. */
  unreadyReason: () => string | null;
  openRequests: () => number;
  connections: () => number;
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

export type StatusOptions = {
  adminHost: string;
  adminPort: number;
  /** Names with a dot by which it may be asked. */
  adminNames: readonly string[];
};

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
      sendJson(response, 200, snapshot(sources));
      return;
    case '/api/events':
      response.writeHead(200, EVENT_STREAM);
      if (request.method === 'HEAD') response.end();
      else streamEvents(response, sources.events, request.headers['last-event-id']);
      return;
    default:
      sendJson(response, 404, { error: 'There is nothing here.', paths: PATHS });
  }
}

// A page from elsewhere can have its own name point here (DNS rebinding), and would then be let read what this tells. The
// names of the public DNS have a dot, addresses are no names, and whoever sends no host is no browser.
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

function snapshot({ table, counters, listenerCounters, openRequests, connections }: StatusSources): object {
  const routes = [...table.routes].sort((a, b) =>
    a.policy.localeCompare(b.policy, undefined, { numeric: true }),
  );
  return {
    at: new Date().toISOString(),
    policies: routes.map((route) => ({
      policy: route.policy,
      nextIndex: route.rotation.nextIndex,
      waiting: route.waiting.length,
      servers: route.upstreams.map(describe),
    })),
    proxy: {
      ...counters,
      abandoned: abandonedOf(counters, openRequests()),
      ...listenerCounters,
      openRequests: openRequests(),
      connections: connections(),
    },
  };
}

// What has ended neither with an answer nor with a refusal: its client has left.
function abandonedOf({ requests, answered, errors }: ForwarderCounters, open: number): number {
  return requests - answered - Object.values(errors).reduce((sum, count) => sum + count, 0) - open;
}

function describe(upstream: Upstream): object {
  const { id, policy, address, health, lastProbe } = upstream;
  return {
    id,
    policy,
    address,
    state: health.state,
    since: new Date(upstream.stateSinceWallMs).toISOString(),
    why: health.why,
    lastProbe: lastProbe === null ? null : describeProbe(lastProbe),
    sent: upstream.sent,
    served: upstream.served,
    failed: upstream.failed,
    inFlight: upstream.inFlight,
    session: upstream.hasSession,
    keepAlive: upstream.keepsAlive,
  };
}

function describeProbe({
  atWallMs,
  outcome,
  roundTripMs,
  detail,
}: NonNullable<Upstream['lastProbe']>): object {
  return {
    at: new Date(atWallMs).toISOString(),
    outcome,
    roundTripMs: Math.round(roundTripMs * 100) / 100,
    detail,
  };
}
