// The client's options: command line and environment → checked values. The original's three arguments keep their order.
import {
  commandLine,
  type HostPort,
  parseHostPorts,
  parseId,
  publishedProxy,
  requireWhole,
  UsageError,
  variableOf,
  withEnvironment,
} from '../shared/config.ts';
import { type Id, MAX_ID_LENGTH } from '../shared/packet.ts';
import { type DialTls, dialTlsOptions, readDialTls } from '../shared/tls.ts';
import { readTraceEndpoint, TRACE_OPTIONS } from '../shared/tracing.ts';

export const SCRIPT_NAME = 'npm run client --';

export type ClientOptions = {
  fileName: string;
  clientId: Id | null;
  /** At least one; each name stands for every address behind it. */
  proxies: readonly HostPort[];
  timeoutMs: number;
  tls: DialTls | null;
  /** Where the span of its request is sent; null turns tracing off. */
  traceEndpoint: URL | null;
};

const OPTIONS = {
  proxy: { type: 'string', describe: 'host:port of the proxy, or several with commas' },
  id: { type: 'string', describe: "this client's id, in place of the packet's srcid" },
  timeout: { type: 'number', default: 5_000, describe: 'milliseconds to wait for the reply' },
  ...TRACE_OPTIONS,
  ...dialTlsOptions('tls', 'the proxy'),
} as const;

const CODES = `Exit codes:
  0  received: the digest is right
  1  corrupted: the digest is wrong, or the reply is no answer
  2  bad usage, or no packet in the file
  3  the proxy replied with an error
  4  no reply: the proxy can't be reached, or let the packet go unanswered
  130  interrupted with Ctrl-C

A file that is not found is looked for among the samples client_packet_1.json, client_packet_2.json and
client_packet_3.json; the number is the policy.`;

/** Every variable that the client reads. */
export function clientVariables(): string[] {
  return Object.keys(OPTIONS).map((name) => variableOf('CLIENT', name));
}

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError with one sentence about what is wrong
 */
export function readOptions(args: readonly string[], environment: NodeJS.ProcessEnv): ClientOptions {
  const here = { ...OPTIONS.proxy, default: publishedProxy(environment) };
  const values = commandLine(args, SCRIPT_NAME)
    .usage(
      `$0 JSON_FILENAME\n$0 CLIENT_ID PROXY_PORT JSON_FILENAME\n\nSends one packet and checks the answer.`,
    )
    .options(withEnvironment('CLIENT', { ...OPTIONS, proxy: here }, environment))
    .parserConfiguration({ 'parse-positional-numbers': false })
    .example(`$0 client_packet_2.json`, 'a packet of policy 2 to the proxy on this machine')
    .example(`$0 111 10000 client_packet_2.json`, 'the same, as client 111')
    .example(`$0 mine.json --proxy proxy:10000`, 'to the proxies behind that name')
    .epilogue(CODES)
    .demandCommand(0)
    .parseSync();
  const proxies = parseHostPorts('--proxy', String(values.proxy));
  const tls = readDialTls('tls', values);
  const traceEndpoint = readTraceEndpoint(values, environment);
  const timeoutMs = requireWhole('--timeout', values.timeout, 1, 600_000);
  const words = values._.map(String);
  const [first, port, last] = words;
  if (words.length === 3 && first !== undefined && last !== undefined) {
    for (const option of ['--proxy', '--id']) {
      if (args.some((arg) => arg === option || arg.startsWith(`${option}=`))) {
        throw new UsageError(
          `CLIENT_ID PROXY_PORT JSON_FILENAME and ${option} say the same thing: give one of them.`,
        );
      }
    }
    const proxyPort = requireWhole('PROXY_PORT', Number(port), 1, 65_535);
    const there = proxies.map(({ host }) => ({ host, port: proxyPort }));
    return { fileName: last, clientId: checkId(first), proxies: there, timeoutMs, tls, traceEndpoint };
  }
  if (words.length !== 1 || first === undefined || first === '') {
    throw new UsageError('Give one packet file, or CLIENT_ID PROXY_PORT JSON_FILENAME.');
  }
  const clientId = values.id === undefined ? null : checkId(String(values.id));
  return { fileName: first, clientId, proxies, timeoutMs, tls, traceEndpoint };
}

function checkId(text: string): Id {
  if (text === '' || text.length > MAX_ID_LENGTH) {
    throw new UsageError(`The client's id must have 1 to ${MAX_ID_LENGTH} characters.`);
  }
  return parseId(text);
}
