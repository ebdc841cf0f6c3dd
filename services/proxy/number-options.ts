// The proxy's options that are numbers: the command line, its checks and the type are made from this table.

function row<Key extends string>(key: Key, value: number, min: number, max: number, describe: string) {
  return { key, value, min, max, describe };
}

/** Name on the command line → key in ProxyOptions, default, least and greatest value, description. */
export const NUMBERS = {
  port: row('port', 10_000, 0, 65_535, 'the well-known port, for clients and servers'),
  'admin-port': row('adminPort', 10_080, 0, 65_535, 'port of the status listener (HTTP)'),
  'max-connections': row('maxConnections', 10_000, 1, 1_000_000, 'client connections, if open files allow'),
  'max-connections-per-source': row(
    'maxConnectionsPerSource',
    0,
    0,
    1_000_000,
    'of those from one address, 0 for nine tenths of them',
  ),
  'max-setups-per-source': row(
    'maxSetupsPerSource',
    2048,
    0,
    1_000_000,
    'new servers from one address in 10 s, 0 for any number',
  ),
  'idle-timeout': row('idleTimeoutMs', 60_000, 100, 86_400_000, 'ms until a silent connection is closed'),
  'client-timeout': row(
    'clientTimeoutMs',
    10_000,
    10,
    600_000,
    'ms that a client may take to finish a packet that it has begun, or to read replies that wait for it',
  ),
  'max-servers': row('maxServers', 1024, 1, 100_000, 'servers in the table'),
  'health-interval': row('healthIntervalMs', 1000, 20, 3_600_000, 'ms between two probes of a server'),
  'health-timeout': row('healthTimeoutMs', 500, 10, 60_000, 'ms that a probe may take'),
  fall: row('fall', 2, 1, 100, 'failed probes in a row that evict a server'),
  rise: row('rise', 2, 1, 100, 'passed probes in a row that bring it back'),
  'forget-after': row('forgetAfterMs', 60_000, 100, 86_400_000, 'ms that an evicted server is probed'),
  'request-timeout': row(
    'requestTimeoutMs',
    2000,
    10,
    600_000,
    'ms until a request gets a reply at the latest',
  ),
  'attempt-timeout': row(
    'attemptTimeoutMs',
    500,
    10,
    600_000,
    'ms without an answer until a server is suspected and another one is asked too',
  ),
  'max-attempts': row('maxAttempts', 2, 1, 8, 'servers that may have worked on a request at most'),
  'connect-timeout': row('connectTimeoutMs', 300, 10, 60_000, 'ms that connecting to a server may take'),
  hold: row('holdMs', 500, 0, 60_000, 'ms that a request waits for a server to become ready'),
  'startup-hold': row(
    'startupMs',
    1500,
    0,
    60_000,
    'ms after the start in which requests wait for the first server of their policy',
  ),
  queue: row('maxWaiting', 1024, 1, 65_536, 'requests that may wait, for each policy'),
  'pipeline-depth': row('pipelineDepth', 64, 1, 10_000, 'requests in flight on one connection to a server'),
  'upstream-connections': row('upstreamConnections', 1, 1, 64, 'connections to a server that keeps them'),
  'one-request-connections': row(
    'oneRequestConnections',
    4,
    1,
    256,
    'connections at first to a server that takes one request on each; the number adapts to the server',
  ),
  'upstream-idle': row(
    'upstreamIdleMs',
    30_000,
    100,
    86_400_000,
    'ms after which an idle connection to a server is not used again',
  ),
  'drain-timeout': row('drainTimeoutMs', 10_000, 0, 600_000, 'ms that a shutdown waits for open requests'),
} as const;

/** The keys of the number options in ProxyOptions. */
export type NumberKey = (typeof NUMBERS)[keyof typeof NUMBERS]['key'];
