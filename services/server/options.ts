// The server's options: command line and environment → checked values.
import os from 'node:os';
import {
  commandLine,
  defaultValues,
  given,
  type HostPort,
  LOG_OPTIONS,
  type LogOptions,
  parseHostPorts,
  parseId,
  readLogOptions,
  requireWhole,
  UsageError,
  variableOf,
  withEnvironment,
} from '../shared/config.ts';
import { type Id, MAX_ID_LENGTH } from '../shared/packet.ts';
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

export const SCRIPT_NAME = 'npm run server --';

export type ServerOptions = LogOptions & {
  id: Id;
  policy: string;
  port: number;
  host: string;
  proxies: HostPort[];
  /** What it proves to know when a proxy asks; null without a token. */
  registerToken: Buffer | null;
  /** For its own port; null leaves it plain. */
  tls: ListenTls | null;
  /** For its connections to the proxy; null leaves them plain. */
  proxyTls: DialTls | null;
  /** Where faults are turned on; null without --faults. */
  controlPort: number | null;
  /** Where spans are sent; null turns tracing off. */
  traceEndpoint: URL | null;
};

const POSITIONALS = {
  id: { type: 'string', describe: 'id of this server (the host name, unless it is given)' },
  policy: { type: 'string', describe: 'policy that it serves, a number or a text' },
  port: { type: 'number', default: 9000, describe: 'port to listen on' },
} as const;

const OPTIONS = {
  host: { type: 'string', default: '0.0.0.0', describe: 'address to listen on' },
  proxy: {
    type: 'string',
    default: '127.0.0.1:10000',
    describe: 'host:port of the proxy, or several with commas; every address behind a name is served',
  },
  'register-token-file': {
    type: 'string',
    describe: "file with the proxy's token; it is proved, never sent",
  },
  ...LISTEN_TLS_OPTIONS,
  ...dialTlsOptions('proxy-tls', 'the proxy'),
  faults: {
    type: 'boolean',
    default: false,
    describe:
      'opens the control port, by which any peer that reaches it can break this server: for chaos tests',
  },
  'control-port': { type: 'number', default: 9100, describe: 'the control port, on the same address' },
  ...TRACE_OPTIONS,
  ...LOG_OPTIONS,
} as const;

const SIGNALS_AND_CODES = `SIGTERM or Ctrl-C: leaves the proxies, answers what is under way, exits with 0.
Exit codes: 0 stopped cleanly, 1 not in time, 2 bad usage or the port is taken, 130 or 143 on a second signal.`;

/** Every variable that a server reads. */
export function serverVariables(): string[] {
  return Object.keys({ ...POSITIONALS, ...OPTIONS }).map((name) => variableOf('SERVER', name));
}

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError with one sentence about what is wrong
 */
export function readOptions(args: readonly string[], environment: NodeJS.ProcessEnv): ServerOptions {
  refuseClearToken('SERVER', environment);
  const positionals = withEnvironment('SERVER', POSITIONALS, environment);
  const options = withEnvironment('SERVER', OPTIONS, environment);
  if (args.length === 0) return check(defaultValues({ ...positionals, ...options }), environment);
  return check(
    commandLine(args, SCRIPT_NAME)
      .command(
        '$0 [id] [policy] [port]',
        'Answers requests of one policy with the SHA-1 of their payload.',
        (y) =>
          y
            .positional('id', positionals.id)
            .positional('policy', positionals.policy)
            .positional('port', positionals.port),
      )
      .options(options)
      .example(`${SCRIPT_NAME} 1 2 9001`, 'server 1 of policy 2 on port 9001')
      .example(`${SCRIPT_NAME} 1 2 9001 --proxy proxy:10000`, 'the same, for the proxies behind a name')
      .epilogue(SIGNALS_AND_CODES)
      .parseSync(),
    environment,
  );
}

function check(values: Record<string, unknown>, environment: NodeJS.ProcessEnv): ServerOptions {
  const tokenFile = given('--register-token-file', values['register-token-file']);
  const controlPort = requireWhole('--control-port', values['control-port'], 0, 65_535);
  return {
    id: checkId('SERVER_ID', values.id ?? os.hostname()),
    policy: String(checkId('POLICY', values.policy)),
    port: requireWhole('PORT', values.port, 0, 65_535),
    host: String(values.host),
    proxies: parseHostPorts('--proxy', String(values.proxy)),
    registerToken: tokenFile === null ? null : readToken('--register-token-file', tokenFile),
    tls: readListenTls(values),
    proxyTls: readDialTls('proxy-tls', values),
    controlPort: values.faults === true ? controlPort : null,
    traceEndpoint: readTraceEndpoint(values, environment),
    ...readLogOptions(values),
  };
}

function checkId(name: string, value: unknown): Id {
  if (value === undefined || value === '')
    throw new UsageError(`${name} is missing: give it, as in "1 2 9001".`);
  const text = String(value);
  if (text.length > MAX_ID_LENGTH)
    throw new UsageError(`${name} is longer than ${MAX_ID_LENGTH} characters.`);
  return parseId(text);
}
