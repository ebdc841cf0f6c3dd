// shell · the proxy's command line and environment, checked before anything starts.
// Must never be read after the start: what runs gets plain values.
import {
  commandLine,
  defaultValues,
  LOG_OPTIONS,
  requireWhole,
  UsageError,
  withEnvironment,
} from '../shared/config.ts';
import { DEFAULT_MAX_FRAME_BYTES } from '../shared/framing.ts';
import type { LogLevel } from '../shared/log.ts';
import type { RetryMode } from './forwarder.ts';
import type { ProbeMode } from './prober.ts';

const PROBE_MODES: readonly ProbeMode[] = ['request', 'connect'];
const RETRY_MODES: readonly RetryMode[] = ['never', 'connect', 'always'];

/** Everything that can be set about a proxy. Times are in milliseconds, sizes in bytes. */
export type ProxyOptions = {
  port: number;
  host: string;
  adminPort: number;
  adminHost: string;
  listeners: number;
  maxFrameBytes: number;
  packetTimeoutMs: number;
  maxConnections: number;
  maxServers: number;
  registerToken: string | null;
  registerFrom: string[];
  healthIntervalMs: number;
  healthTimeoutMs: number;
  fall: number;
  rise: number;
  forgetAfterMs: number;
  probe: ProbeMode;
  retry: RetryMode;
  requestTimeoutMs: number;
  attemptTimeoutMs: number;
  connectTimeoutMs: number;
  holdMs: number;
  startupMs: number;
  maxWaiting: number;
  pipelineDepth: number;
  upstreamConnections: number;
  verifyAnswers: boolean;
  drainTimeoutMs: number;
  logLevel: LogLevel;
  logFormat: 'text' | 'json';
};

// Number options: what they set, their default, the least and the most that is allowed, and what they are.
const NUMBERS = {
  port: {
    key: 'port',
    value: 10_000,
    min: 0,
    max: 65_535,
    describe: 'the well-known port, for clients and servers',
  },
  'admin-port': {
    key: 'adminPort',
    value: 10_080,
    min: 0,
    max: 65_535,
    describe: 'port of the status listener (HTTP)',
  },
  listeners: {
    key: 'listeners',
    value: 8,
    min: 1,
    max: 64,
    describe: 'listening sockets that share the port',
  },
  'max-frame': {
    key: 'maxFrameBytes',
    value: DEFAULT_MAX_FRAME_BYTES,
    min: 256,
    max: 65_536,
    describe: 'largest packet, bytes',
  },
  'packet-timeout': {
    key: 'packetTimeoutMs',
    value: 10_000,
    min: 10,
    max: 600_000,
    describe: 'ms from the first byte of a packet to its last',
  },
  'max-connections': {
    key: 'maxConnections',
    value: 10_000,
    min: 1,
    max: 1_000_000,
    describe: 'connections at a time',
  },
  'max-servers': { key: 'maxServers', value: 1024, min: 1, max: 100_000, describe: 'servers in the table' },
  'health-interval': {
    key: 'healthIntervalMs',
    value: 1000,
    min: 20,
    max: 3_600_000,
    describe: 'ms between two probes of a server',
  },
  'health-timeout': {
    key: 'healthTimeoutMs',
    value: 500,
    min: 10,
    max: 60_000,
    describe: 'ms that a probe may take',
  },
  fall: { key: 'fall', value: 2, min: 1, max: 100, describe: 'failed probes in a row that evict a server' },
  rise: { key: 'rise', value: 2, min: 1, max: 100, describe: 'passed probes in a row that bring it back' },
  'forget-after': {
    key: 'forgetAfterMs',
    value: 60_000,
    min: 100,
    max: 86_400_000,
    describe: 'ms that an evicted server is probed',
  },
  'request-timeout': {
    key: 'requestTimeoutMs',
    value: 2000,
    min: 10,
    max: 600_000,
    describe: 'ms until a request gets its reply, whatever it is',
  },
  'attempt-timeout': {
    key: 'attemptTimeoutMs',
    value: 500,
    min: 10,
    max: 600_000,
    describe: 'ms until another server is tried',
  },
  'connect-timeout': {
    key: 'connectTimeoutMs',
    value: 300,
    min: 10,
    max: 60_000,
    describe: 'ms that connecting to a server may take',
  },
  hold: {
    key: 'holdMs',
    value: 500,
    min: 0,
    max: 60_000,
    describe: 'ms that a request waits for a server to become ready',
  },
  'startup-hold': {
    key: 'startupMs',
    value: 1500,
    min: 0,
    max: 60_000,
    describe: 'ms after the start in which a policy without a server is waited for',
  },
  queue: {
    key: 'maxWaiting',
    value: 1024,
    min: 1,
    max: 65_536,
    describe: 'requests that may wait, for each policy',
  },
  'pipeline-depth': {
    key: 'pipelineDepth',
    value: 64,
    min: 1,
    max: 10_000,
    describe: 'requests in flight on one connection to a server',
  },
  'upstream-connections': {
    key: 'upstreamConnections',
    value: 1,
    min: 1,
    max: 64,
    describe: 'connections to a server that keeps them',
  },
  'drain-timeout': {
    key: 'drainTimeoutMs',
    value: 10_000,
    min: 0,
    max: 600_000,
    describe: 'ms that a shutdown waits for open requests',
  },
} as const;

type NumberKey = (typeof NUMBERS)[keyof typeof NUMBERS]['key'];

const TEXTS = {
  host: { type: 'string', default: '0.0.0.0', describe: 'address to listen on' },
  'admin-host': { type: 'string', default: '127.0.0.1', describe: 'address of the status listener' },
  'register-token': { type: 'string', describe: 'token that servers must register with' },
  'register-from': {
    type: 'string',
    describe: 'addresses or blocks that servers may register from, with commas',
  },
  probe: {
    choices: PROBE_MODES,
    default: 'request' as ProbeMode,
    describe: 'a complete request, or only a connection',
  },
  retry: {
    choices: RETRY_MODES,
    default: 'always' as RetryMode,
    describe: 'when a failed request goes to the next server',
  },
  'verify-answers': {
    type: 'boolean',
    default: false,
    describe: 'check every digest, and retry a wrong one',
  },
  ...LOG_OPTIONS,
} as const;

/**
 * Reads the proxy's options: `npm run proxy -- 10000 --fall 3`, or PROXY_FALL=3.
 * @param args command-line arguments without node and the file; with none, yargs is not even loaded
 * @throws UsageError when one of them is not what it must be
 */
export function readProxyOptions(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): ProxyOptions {
  const numbers = Object.entries(NUMBERS).map(([name, { value, describe }]) => {
    return [name, { type: 'number', default: value, describe }] as const;
  });
  const options = withEnvironment('PROXY', { ...Object.fromEntries(numbers), ...TEXTS }, environment);
  if (args.length === 0) return check(defaultValues(options));
  const { listenPort, ...values }: Record<string, unknown> = commandLine(args, 'npm run proxy --')
    .usage('$0 [port]\n\nRoutes packets to the servers that registered for their policy.')
    .command('$0 [listen-port]', false, (command) => command.positional('listen-port', { type: 'number' }))
    .options(options)
    .example('$0 10000', 'listen on port 10000, with the status on 127.0.0.1:10080')
    .example('$0 --verify-answers --retry always', 'no wrong answer reaches a client')
    .parseSync();
  return check(listenPort === undefined ? values : { ...values, port: listenPort });
}

function check(values: Record<string, unknown>): ProxyOptions {
  const numbers = Object.entries(NUMBERS).map(([name, { key, min, max }]) => {
    return [key, requireWhole(`--${name}`, values[name], min, max)] as const;
  });
  return {
    ...(Object.fromEntries(numbers) as Record<NumberKey, number>),
    host: requireText('--host', values.host),
    adminHost: requireText('--admin-host', values['admin-host']),
    registerToken: optionalText(values['register-token']),
    registerFrom: (optionalText(values['register-from']) ?? '')
      .split(',')
      .map((text) => text.trim())
      .filter((text) => text !== ''),
    // The choices have been checked where they came from.
    probe: values.probe as ProbeMode,
    retry: values.retry as RetryMode,
    verifyAnswers: values['verify-answers'] === true,
    logLevel: values['log-level'] as LogLevel,
    logFormat: values['log-format'] as 'text' | 'json',
  };
}

function requireText(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new UsageError(`${name} must not be empty.`);
  return value;
}

function optionalText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
