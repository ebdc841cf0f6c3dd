// The proxy's options, from its command line and its environment, checked before anything starts.
import {
  commandLine,
  defaultValues,
  given,
  type HostPort,
  LOG_OPTIONS,
  parseHostPorts,
  readLogOptions,
  requireWhole,
  UsageError,
  variableOf,
  withEnvironment,
} from '../shared/config.ts';
import type { LogFormat, LogLevel } from '../shared/log.ts';
import { readToken, refuseClearToken } from '../shared/proof.ts';
import {
  type DialTls,
  dialTlsOptions,
  LISTEN_TLS_OPTIONS,
  type ListenTls,
  readDialTls,
  readListenTls,
} from '../shared/tls.ts';
import { readTraceEndpoint, TRACE_OPTIONS } from '../shared/tracing.ts';
import { workersForAllCores } from './workers/cores.ts';

const MAX_WORKERS = 64;
const PROBE_MODES = ['request', 'connect'] as const;
const RETRY_MODES = ['never', 'connect', 'always'] as const;

function row<Key extends string>(key: Key, [value, min, max]: [number, number, number], describe: string) {
  return { key, value, min, max, describe };
}

/** Name on the command line → key in ProxyOptions, default, least and greatest value, description. */
export const NUMBERS = {
  port: row('port', [10_000, 0, 65_535], 'the well-known port, for clients and servers'),
  'admin-port': row('adminPort', [10_081, 0, 65_535], 'port of the status listener (HTTP)'),
  'max-connections': row('maxConnections', [10_000, 1, 1_000_000], 'client connections, if open files allow'),
  'max-connections-per-source': row(
    'maxConnectionsPerSource',
    [0, 0, 1_000_000],
    'of those from one address, 0 for nine tenths of them',
  ),
  'max-setups-per-source': row(
    'maxSetupsPerSource',
    [2048, 0, 1_000_000],
    'new servers from one address in 10 s, 0 for any number',
  ),
  'idle-timeout': row('idleTimeoutMs', [60_000, 100, 86_400_000], 'ms until a silent connection is closed'),
  'client-timeout': row(
    'clientTimeoutMs',
    [10_000, 10, 600_000],
    'ms that a client may take to finish a packet that it has begun, or to read replies that wait for it',
  ),
  'max-servers': row('maxServers', [1024, 1, 100_000], 'servers in the table'),
  subset: row(
    'subset',
    [0, 0, 100_000],
    'servers of each policy that this proxy probes and uses, drawn anew at each start; 0 for all',
  ),
  'health-interval': row('healthIntervalMs', [1000, 20, 3_600_000], 'ms between two probes of a server'),
  'health-timeout': row('healthTimeoutMs', [500, 10, 60_000], 'ms that a probe may take'),
  fall: row('fall', [2, 1, 100], 'failed probes in a row that evict a server'),
  rise: row('rise', [2, 1, 100], 'passed probes in a row that bring it back'),
  'forget-after': row('forgetAfterMs', [60_000, 100, 86_400_000], 'ms that an evicted server is probed'),
  'request-timeout': row(
    'requestTimeoutMs',
    [2000, 10, 600_000],
    'ms until a request gets a reply at the latest',
  ),
  'attempt-timeout': row(
    'attemptTimeoutMs',
    [500, 10, 600_000],
    'ms without an answer until a server is suspected and another one is asked too',
  ),
  'max-attempts': row('maxAttempts', [2, 1, 8], 'servers that may have worked on a request at most'),
  'connect-timeout': row('connectTimeoutMs', [300, 10, 60_000], 'ms that connecting to a server may take'),
  hold: row('holdMs', [500, 0, 60_000], 'ms that a request waits for a server to become ready'),
  'startup-hold': row(
    'startupMs',
    [1500, 0, 60_000],
    'ms after the start in which requests wait for the first server of their policy',
  ),
  queue: row(
    'maxWaiting',
    [1024, 1, 65_536],
    'requests that may wait, for each policy, shared evenly among connections',
  ),
  'pipeline-depth': row('pipelineDepth', [64, 1, 10_000], 'requests in flight on one connection to a server'),
  'upstream-connections': row('upstreamConnections', [1, 1, 64], 'connections to a server that keeps them'),
  'one-request-connections': row(
    'oneRequestConnections',
    [4, 1, 256],
    'connections at first to a server that takes one request on each; the number adapts to the server',
  ),
  'upstream-idle': row(
    'upstreamIdleMs',
    [30_000, 100, 86_400_000],
    'ms after which an idle connection to a server is not used again',
  ),
  'lame-duck': row(
    'lameDuckMs',
    [0, 0, 600_000],
    'ms that a shutdown serves on, while clients and servers are told to go to other proxies',
  ),
  'drain-timeout': row('drainTimeoutMs', [10_000, 0, 600_000], 'ms that a shutdown waits for open requests'),
} as const;

type NumberKey = (typeof NUMBERS)[keyof typeof NUMBERS]['key'];

/** Everything that can be set about a proxy. Times are in milliseconds, sizes in bytes. */
export type ProxyOptions = Record<NumberKey, number> & {
  /** Threads that serve requests; with one there is no other thread. */
  workers: number;
  host: string;
  adminHost: string;
  /** Names with a dot by which the status listener may be asked. */
  adminNames: string[];
  /** What servers must prove to know; null lets any register. */
  registerToken: Buffer | null;
  registerFrom: string[];
  /** Addresses and blocks of the load balancers whose connections begin with a PROXY header. */
  proxyProtocol: string[];
  /** For the well-known port; null leaves it plain. */
  tls: ListenTls | null;
  /** The names behind which the proxies are, this one among them. */
  peers: HostPort[];
  /** For the connections to servers; null leaves them plain. */
  upstreamTls: DialTls | null;
  probe: (typeof PROBE_MODES)[number];
  retry: (typeof RETRY_MODES)[number];
  verifyAnswers: boolean;
  /** Share of the requests that get a line in the access log, from 0, where there is none, to 1. */
  accessLog: number;
  /** Where spans are sent; null turns tracing off. */
  traceEndpoint: URL | null;
  /** Share of the requests that are traced, of those whose clients do not decide it; from 0 to 1. */
  traceShare: number;
  logLevel: LogLevel;
  logFormat: LogFormat;
};

const TEXTS = {
  workers: {
    type: 'string',
    default: '1',
    describe: 'threads that serve requests, or auto: one less than the processors that it may use',
  },
  host: { type: 'string', default: '0.0.0.0', describe: 'address to listen on' },
  'admin-host': { type: 'string', default: '127.0.0.1', describe: 'address of the status listener' },
  'admin-names': {
    type: 'string',
    describe: 'names with a dot that the status listener may be asked by, with commas',
  },
  'register-token-file': {
    type: 'string',
    describe: 'file with a token: only servers that prove that they know it may register',
  },
  'register-from': {
    type: 'string',
    describe: 'addresses or blocks that servers may register from, with commas',
  },
  peers: {
    type: 'string',
    describe: 'host:port of the other proxies, with commas; all addresses behind a name, without its own',
  },
  'proxy-protocol': {
    type: 'string',
    describe:
      'addresses or blocks, with commas, of load balancers: a connection from there has to begin with a PROXY header',
  },
  probe: {
    choices: PROBE_MODES,
    default: 'request' as const,
    describe: 'a complete request, or only a connection',
  },
  retry: {
    choices: RETRY_MODES,
    default: 'always' as const,
    describe: 'when a failed request goes to the next server',
  },
  'verify-answers': {
    type: 'boolean',
    default: false,
    describe:
      'check every digest, retry a wrong one, and eject a server that gives --fall of them within 10 s',
  },
  'access-log': {
    type: 'number',
    default: 0,
    describe:
      'share of the requests with a line each on standard output, 0 for no access log, 1 for all; errors, retries and slow requests always have one',
  },
  ...TRACE_OPTIONS,
  'trace-share': {
    type: 'number',
    default: 0.01,
    describe: 'share of the requests that are traced, 0 to 1; a client that says of its own is obeyed',
  },
  ...LISTEN_TLS_OPTIONS,
  ...dialTlsOptions('upstream-tls', 'a server'),
  ...LOG_OPTIONS,
} as const;

const SIGNALS_AND_CODES = `SIGTERM or Ctrl-C: serves on for --lame-duck, then refuses what is new, answers what is under way, exits with 0.
Exit codes: 0 stopped cleanly, 1 it could not start, 2 bad usage, 130 or 143 on a second signal.`;

export function proxyVariables(): string[] {
  return Object.keys({ ...NUMBERS, ...TEXTS }).map((name) => variableOf('PROXY', name));
}

/**
 * Reads the proxy's options: `npm run proxy -- 10000 --fall 3`, or PROXY_FALL=3.
 * @param args command-line arguments without node and the file; with none, yargs is not even loaded
 * @throws UsageError when one of them is not what it must be
 */
export function readProxyOptions(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): ProxyOptions {
  refuseClearToken('PROXY', environment);
  const numbers = Object.entries(NUMBERS).map(([name, { value, describe }]) => {
    return [name, { type: 'number', default: value, describe }] as const;
  });
  const options = withEnvironment('PROXY', { ...Object.fromEntries(numbers), ...TEXTS }, environment);
  if (args.length === 0) return check(defaultValues(options), environment);
  const { listenPort, ...values }: Record<string, unknown> = commandLine(args, 'npm run proxy --')
    .usage('$0 [PORT] [OPTIONS]\n\nRoutes packets to the servers that registered for their policy.')
    .command('$0 [listen-port]', false, (command) =>
      command.positional('listen-port', { type: 'number', describe: 'the same as --port' }),
    )
    .options(options)
    .example('$0 10000', 'listen on port 10000, with the status on 127.0.0.1:10081')
    .example('$0 --verify-answers --retry always', 'no wrong answer reaches a client')
    .example('$0 --register-token-file token', 'only servers that know the token may register')
    .epilogue(SIGNALS_AND_CODES)
    .parseSync();
  return check(listenPort === undefined ? values : { ...values, port: listenPort }, environment);
}

/**
 * The settings in force, for the log: what is a key, a certificate or a token is only said to be there. Of a kind that is
 * not known here nothing more is said either.
 */
export function settingsOf(options: ProxyOptions): Record<string, unknown> {
  const isShown = (value: unknown): boolean =>
    ['string', 'number', 'boolean'].includes(typeof value) || Array.isArray(value);
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => {
      // A user name and a password may be in it.
      if (value instanceof URL) return [name, value.origin];
      return [name, isShown(value) ? value : value === null ? 'none' : 'given'];
    }),
  );
}

function check(values: Record<string, unknown>, environment: NodeJS.ProcessEnv): ProxyOptions {
  const numbers = Object.entries(NUMBERS).map(([name, { key, min, max }]) => {
    return [key, requireWhole(`--${name}`, values[name], min, max)] as const;
  });
  const tokenFile = given('--register-token-file', values['register-token-file']);
  const peers = given('--peers', values.peers);
  return {
    ...(Object.fromEntries(numbers) as Record<NumberKey, number>),
    workers: readWorkers(values.workers),
    host: requireText('--host', values.host),
    adminHost: requireText('--admin-host', values['admin-host']),
    adminNames: list('--admin-names', values['admin-names']),
    registerToken: tokenFile === null ? null : readToken('--register-token-file', tokenFile),
    registerFrom: list('--register-from', values['register-from']),
    proxyProtocol: list('--proxy-protocol', values['proxy-protocol']),
    tls: readListenTls(values),
    peers: peers === null ? [] : parseHostPorts('--peers', peers),
    upstreamTls: readDialTls('upstream-tls', values),
    // The choices have been checked where they came from.
    probe: values.probe as ProxyOptions['probe'],
    retry: values.retry as ProxyOptions['retry'],
    verifyAnswers: values['verify-answers'] === true,
    accessLog: requireShare('--access-log', values['access-log']),
    traceEndpoint: readTraceEndpoint(values, environment),
    traceShare: requireShare('--trace-share', values['trace-share']),
    ...readLogOptions(values),
  };
}

/** How many threads `--workers` asks for, on whatever machine. @throws UsageError */
export function parseWorkers(value: unknown): number {
  const workers = value === 'auto' ? workersForAllCores() : Number(value);
  if (Number.isInteger(workers) && workers >= 1 && workers <= MAX_WORKERS) return workers;
  throw new UsageError(`--workers must be a whole number from 1 to ${MAX_WORKERS}, or auto.`);
}

function readWorkers(value: unknown): number {
  const workers = parseWorkers(value);
  if (workers > 1 && !canSharePorts())
    throw new UsageError(
      `--workers ${workers} needs Linux and Node 23.1 or newer, which can share a port among threads; this is Node ${process.versions.node} on ${process.platform}: use --workers 1, or start it with npm run proxy.`,
    );
  return workers;
}

function canSharePorts(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return process.platform === 'linux' && (major > 23 || (major === 23 && minor >= 1));
}

function requireText(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new UsageError(`${name} must not be empty.`);
  return value;
}

function requireShare(name: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw new UsageError(`${name} must be a number from 0 to 1: 0.01 is one of a hundred.`);
}

function list(name: string, value: unknown): string[] {
  const text = given(name, value);
  if (text === null) return [];
  const items = text.split(',').map((item) => item.trim());
  if (items.includes(''))
    throw new UsageError(`${name} is "${text}": give values with one comma between two.`);
  return items;
}
