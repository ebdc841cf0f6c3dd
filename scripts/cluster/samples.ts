// shell · the sample packets, sent to a cluster that has just been brought up.
import { attempt } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { ROOT } from '../kit/project.ts';
import type { Outcome, Progress } from '../kit/steps.ts';

const CLIENT_TIMEOUT_MS = 15_000;
/** The number in a sample's name is its policy. */
const SAMPLES = ['1', '2', '3'];

/**
 * Sends a packet of each of the policies that there is a sample for.
 * @param proxy    host:port
 * @param options  more options of the client, as for TLS
 * @param replies  gets what the client printed
 * @param lookAt   the commands that say why a packet was not answered
 */
export async function sendSamples(
  proxy: string,
  policies: readonly string[],
  options: readonly string[],
  replies: string[],
  lookAt: string,
  { line, signal }: Progress,
): Promise<Outcome> {
  for (const policy of SAMPLES.filter((each) => policies.includes(each))) {
    const packet = `client_packet_${policy}.json`;
    line(packet);
    const args = ['services/client/main.ts', packet, '--proxy', proxy, ...options];
    const run = { cwd: ROOT, timeoutMs: CLIENT_TIMEOUT_MS, signal };
    const { isOk, outcome, stdout, tail } = await attempt(process.execPath, args, run);
    if (!isOk)
      throw new Failure(`${packet} was not answered as it should be: ${outcome}.`, `Look at ${lookAt}.`, {
        tail,
      });
    replies.push(`${packet}:\n${stdout.trimEnd().replaceAll(/^/gm, '  ')}`);
  }
  return `${replies.length} packets answered`;
}
