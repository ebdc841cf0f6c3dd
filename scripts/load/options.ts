// shell · command line and environment → the options of a run, checked.
import {
  commandLine,
  type HostPort,
  parseHostPorts,
  publishedProxy,
  requireWhole,
  UsageError,
  withEnvironment,
} from '../../services/shared/config.ts';
import { MAX_PAYLOAD_BYTES } from '../../services/shared/packet.ts';
import { type DialTls, dialTlsOptions, readDialTls } from '../../services/shared/tls.ts';
import { flag, number } from '../kit/script.ts';
import { SERIAL_LENGTH } from './exchange.ts';

export const SCRIPT_NAME = 'npm run load --';

export type LoadOptions = {
  /** At least one; each name stands for every address behind it. */
  proxies: readonly HostPort[];
  /** Null for plain connections. */
  tls: DialTls | null;
  /** Requests per second, above 0. */
  rate: number;
  durationSeconds: number;
  /** Request i asks for policy i mod n; at least one, each once. */
  policies: readonly string[];
  connection: 'per-request' | 'keep';
  /** How many connections stay open with `keep`. */
  connections: number;
  payloadBytes: number;
  /** When requests are sent again, `attemptTimeoutMs` counts for each; for so long one of several proxies is replaced by another. */
  timeoutMs: number;
  /** 0: requests are never sent again. */
  retryForMs: number;
  attemptTimeoutMs: number;
  maxInFlight: number;
  lateMs: number;
};

export type LoadCommand = { options: LoadOptions; isJson: boolean; allowErrors: boolean };

const FLAGS = {
  rate: number(120, 'requests per second'),
  duration: number(10, 'seconds'),
  policies: { type: 'string', default: '1,2,3', describe: 'policies, taken in turn' },
  connection: {
    choices: ['per-request', 'keep'] as const,
    default: 'keep' as const,
    describe:
      'connections that stay open and carry one request at a time (if all are busy, another one is opened, and closed after a second without use), or one connection per request',
  },
  connections: number(32, 'connections that stay open with --connection keep'),
  payload: number(64, `size of each payload in bytes, ${SERIAL_LENGTH} to ${MAX_PAYLOAD_BYTES}`),
  proxy: {
    type: 'string',
    describe: 'host:port, or several with commas; each name stands for every address behind it',
  },
  ...dialTlsOptions('tls', 'the proxy'),
  timeout: number(5000, 'ms from sending, after which a request without a reply is lost'),
  'retry-for': number(
    0,
    'ms from the intended time, for which a request that is lost or gets a retryable error is sent again; 0: never',
  ),
  'attempt-timeout': {
    type: 'number',
    describe:
      'with --retry-for or several proxies, ms from sending, after which an attempt is lost; --timeout unless given',
  },
  'max-in-flight': number(
    10_000,
    'unanswered requests, those to be sent again included; what is due beyond that is dropped, not lost',
  ),
  late: number(1000, 'ms by which the generator may be late itself; a request later than that is dropped'),
  'allow-errors': flag('error replies do not make the exit code 1'),
  json: flag('one JSON document on standard output, nothing else'),
} as const;

const EPILOGUE = `Open loop: every request has its intended time and is sent then, whatever became of the others; latency counts from that time. Nothing is sent twice, except with --retry-for, or when one of several proxies does not answer or has no server: then the last attempt's outcome counts.

Exit codes: 0 all answered right · 1 something was lost or wrong, or answered with an error (unless --allow-errors) · 2 bad usage · 3 the proxy can't be reached at the start, or the report could not be written · 4 more than 0.1 % dropped by the generator itself, so the run proves nothing · 130 ended early with Ctrl-C, 143 by SIGTERM (the report is still printed)`;

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError
 */
export function parseLoadCommand(args: readonly string[], environment = process.env): LoadCommand {
  const proxy = { ...FLAGS.proxy, default: publishedProxy(environment) };
  const flags = commandLine(args, SCRIPT_NAME)
    .usage(
      '$0 --rate 120 --duration 10\n\nSends requests to the proxy at a fixed rate and checks every digest.',
    )
    .options(withEnvironment('LOAD', { ...FLAGS, proxy }, environment))
    .epilogue(EPILOGUE)
    .parseSync();
  return {
    options: {
      proxies: parseHostPorts('--proxy', flags.proxy),
      tls: readDialTls('tls', flags),
      rate: requireBetween('--rate', flags.rate, 0.01, 100_000),
      durationSeconds: requireBetween('--duration', flags.duration, 0.01, 86_400),
      policies: parsePolicies(flags.policies),
      connection: flags.connection,
      connections: requireWhole('--connections', flags.connections, 1, 10_000),
      payloadBytes: requireWhole('--payload', flags.payload, SERIAL_LENGTH, MAX_PAYLOAD_BYTES),
      timeoutMs: requireWhole('--timeout', flags.timeout, 1, 600_000),
      retryForMs: requireWhole('--retry-for', flags.retryFor, 0, 600_000),
      attemptTimeoutMs: requireWhole('--attempt-timeout', flags.attemptTimeout ?? flags.timeout, 1, 600_000),
      maxInFlight: requireWhole('--max-in-flight', flags.maxInFlight, 1, 100_000),
      lateMs: requireWhole('--late', flags.late, 1, 600_000),
    },
    isJson: flags.json,
    allowErrors: flags.allowErrors,
  };
}

function parsePolicies(text: string): string[] {
  const policies = String(text)
    .split(',')
    .map((policy) => policy.trim());
  if (policies.includes('') || new Set(policies).size !== policies.length) {
    throw new UsageError(
      `--policies is "${text}": it must be policies with commas between, each once, for example 1,2,3.`,
    );
  }
  return policies;
}

function requireBetween(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw new UsageError(`${name} must be a number from ${min} to ${max}.`);
  }
  return value;
}
