// How the descriptors of the process are shared: what it needs itself, servers, and the rest for clients.
import { readFileSync } from 'node:fs';
import type { Log } from '../../shared/log.ts';
import type { ProxyOptions } from '../options.ts';

// Measured with Node 24 at rest: 21, and two more for each open event stream's file or look-up. Node keeps one in reserve.
const OWN = 32;
// A thread's event loop, measured likewise.
const OWN_OF_A_WORKER = 6;
/** Of each thread on the well-known port: Node accepts one connection per socket and turn of the event loop. */
export const LISTENING_SOCKETS = 8;
/** The last ones, of each thread, are for connections that are refused: as many as are accepted in two turns, and the system's own. */
export const SPARE_DESCRIPTORS = 16;
// Each server may have a session, a probe, and at first four connections for requests.
const PER_SERVER = 6;
const SESSION_AND_PROBE = 2;
// The status listener takes no more.
const STATUS = 256;
// Where there are few, servers, probes and the status listener get so much of what the process does not need itself.
const SERVERS_SHARE = 1 / 3;
// And of that so much is for their sessions.
const SESSIONS_SHARE = 1 / 3;

export type Places = {
  /** Connections of clients at a time. */
  maxConnections: number;
  /** Connections above those, which may only register servers. */
  serverPlaces: number;
  /** Descriptors for servers: their sessions, probes, and connections for requests. */
  forServers: number;
};

/**
 * How many connections there may be, those of all threads together.
 * @param limit how many descriptors the process may have open; Infinity where that is not known
 */
export function placesFor(
  limit: number,
  { maxConnections, maxServers, workers }: Pick<ProxyOptions, 'maxConnections' | 'maxServers' | 'workers'>,
): Places {
  const ofEach = LISTENING_SOCKETS + SPARE_DESCRIPTORS + (workers === 1 ? 0 : OWN_OF_A_WORKER);
  const left = Math.max(0, limit - OWN - ofEach * workers);
  const forServers = Math.min(maxServers * PER_SERVER + STATUS, Math.floor(left * SERVERS_SHARE));
  return {
    maxConnections: Math.max(1, Math.min(maxConnections, left - forServers)),
    serverPlaces: Math.max(1, Math.min(maxServers, Math.floor(forServers * SESSIONS_SHARE))),
    forServers,
  };
}

/**
 * How many connections of one thread may carry one request alone: what is left of the servers' descriptors, and half of what
 * clients don't use now.
 * @param places  of all threads, as `servers` and `clients`, which are how many there are
 * @param options `upstreamConnections` are those of one thread
 */
export function lonePlacesFor(
  { maxConnections, forServers }: Places,
  { servers, clients }: { servers: number; clients: number },
  { upstreamConnections, workers }: Pick<ProxyOptions, 'upstreamConnections' | 'workers'>,
): number {
  const left = forServers - servers * SESSION_AND_PROBE;
  const lent = Math.max(0, maxConnections - clients) / 2;
  return Math.max(1, Math.floor((left + lent) / workers) - servers * upstreamConnections);
}

/** Says so where the limit allows fewer connections than the options. */
export function warnOfFewPlaces(limit: number, options: Parameters<typeof placesFor>[1], log: Log): void {
  const { maxConnections } = options;
  const { maxConnections: now } = placesFor(limit, options);
  if (now >= maxConnections) return;
  const message = 'fewer connections than --max-connections: the limit on open files allows no more';
  log({ level: 'warn', message, maxConnections, now, openFiles: limit });
}

/** The limit of this process, or of the text of `/proc/self/limits`; Infinity where it is not known. */
export function descriptorLimit(limits: string = readLimits()): number {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

// Node has raised the soft limit to the hard one by now.
function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    // Not Linux: the system's own refusal has to do.
    return '';
  }
}
