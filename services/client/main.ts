// The client: file → packet → proxy → verdict → exit code.
import { hash } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import { createResolver } from '../shared/addresses.ts';
import { callerPath, runMain } from '../shared/config.ts';
import type { Line } from '../shared/log.ts';
import type { Id } from '../shared/packet.ts';
import { printable } from '../shared/printable.ts';
import { openTracing } from '../shared/tracing.ts';
import { type Exchange, exchange } from './exchange.ts';
import { readOptions, SCRIPT_NAME } from './options.ts';
import { readPacketFile } from './packet-file.ts';
import { ProxyFinder } from './proxy-finder.ts';
import { sendTraced } from './traced.ts';
import { judge, type Verdict } from './verify.ts';

const EXIT = { received: 0, corrupted: 1, refused: 3, unreachable: 4 } as const;

// Without npm this is most likely a container, which sees nothing of the machine's files.
const MOUNT_HINT =
  '\nIn a container, mount it first: docker compose run --rm -v "$PWD:/m" client /m/mine.json';

process.on('SIGINT', () => process.exit(130)).on('SIGTERM', () => process.exit(143));

await runMain(SCRIPT_NAME, async () => {
  const options = readOptions(process.argv.slice(2), process.env);
  const { fileName, clientId, proxies, timeoutMs, tls, traceEndpoint } = options;
  const missingHint = process.env.INIT_CWD === undefined ? MOUNT_HINT : '';
  const { bytes, payload } = await readPacketFile(fileName, callerPath('.'), clientId, missingHint);
  const digest = payload === null ? null : hash('sha1', payload);
  const finder = new ProxyFinder(proxies, createResolver(Math.min(1_000, timeoutMs)));
  const tracing = traceEndpoint === null ? null : await openTracing('policy-client', traceEndpoint, complain);
  const send = (packet: Buffer): Promise<Exchange> => exchange(packet, finder, timeoutMs, tls);
  let code: number;
  do {
    const result = await (tracing === null ? send(bytes) : sendTraced(tracing, proxies, bytes, send));
    code =
      result.kind === 'reply'
        ? print(judge(result.packet, digest), result)
        : printFailure(result, tls === null);
  } while (code === EXIT.corrupted && (await wantsAnotherTry()));
  process.exitCode = code;
  await tracing?.close();
});

function complain({ message, why }: Line): void {
  console.error(`${message}: ${printable(String(why))}`);
}

function print(verdict: Verdict, { roundTripMs }: Extract<Exchange, { kind: 'reply' }>): number {
  switch (verdict.kind) {
    case 'received':
      console.log('Transmission successfully received by server');
      console.log(`Server ${shown(verdict.serverId)}, round trip ${roundTripMs.toFixed(2)} ms`);
      break;
    case 'corrupted':
      console.error(`Transmission corrupted: ${printable(verdict.reason)}.`);
      if (verdict.serverId !== null) console.error(`It came from server ${shown(verdict.serverId)}.`);
      break;
    case 'refused':
      console.error(printable(verdict.sentence));
      console.error(`Error ${printable(verdict.code)}: ${adviceOn(verdict)}`);
      if (verdict.trace !== null) console.error(`In the proxy's logs: ${printable(verdict.trace)}`);
      break;
    default:
      verdict satisfies never;
  }
  return EXIT[verdict.kind];
}

function printFailure(failure: Extract<Exchange, { kind: 'failed' }>, isPlain: boolean): number {
  console.error(`No reply from the proxy: ${printable(failure.reason)}.`);
  console.error(hint(failure, isPlain));
  return EXIT.unreachable;
}

function hint({ wasTaken, isTls }: Extract<Exchange, { kind: 'failed' }>, isPlain: boolean): string {
  if (isTls)
    return '--tls-ca says whose certificates are good, --tls-name for which name, --tls-cert and --tls-key show our own.';
  if (!wasTaken) return 'Is it running? "npm start" starts the cluster, --proxy host:port says where it is.';
  const paused = 'Is it paused, or just being started? "docker compose ps" shows it.';
  const tls = isPlain
    ? 'If it takes TLS only, add --tls.'
    : 'If it refuses our certificate, its log says why.';
  return `${paused} ${tls}`;
}

function adviceOn({ isRetryable, wasSent }: Extract<Verdict, { kind: 'refused' }>): string {
  const advice = isRetryable ? 'trying again can help.' : 'trying again as it is will not help.';
  return wasSent ? `${advice} A server may have worked on the packet.` : advice;
}

async function wantsAnotherTry(): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  terminal.on('SIGINT', () => process.exit(130));
  const closed = new Promise<string>((resolve) => terminal.on('close', () => resolve('')));
  const answer = await Promise.race([terminal.question('Try again? [y/N] '), closed]);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

function shown(serverId: Id | null): string {
  return serverId === null ? '(without an id)' : printable(String(serverId));
}
