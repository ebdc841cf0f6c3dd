// shell · sends the sample packets through the project's own client. Must never judge a reply itself: the client does.
import { join } from 'node:path';
import { attempt } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { ROOT } from '../kit/project.ts';

const CLIENT_TIMEOUT_MS = 15_000;

/** The packets that the repository carries; the number is the policy. */
export const SAMPLE_PACKETS = [
  'client_packet_1.json',
  'client_packet_2.json',
  'client_packet_3.json',
] as const;

/**
 * Sends one packet and returns what the client printed.
 * @param packet file name as the client takes it
 * @param proxy host:port
 * @throws Failure with the client's output when the packet was not answered as it should
 */
export async function sendPacket(packet: string, proxy: string, signal?: AbortSignal): Promise<string> {
  const args = [join(ROOT, 'services', 'client', 'main.ts'), packet, '--proxy', proxy];
  const result = await attempt(process.execPath, args, { cwd: ROOT, timeoutMs: CLIENT_TIMEOUT_MS, signal });
  if (result.isOk) return result.stdout.trimEnd();
  throw new Failure(
    `${packet} did not come back as it should: ${result.outcome}.`,
    'Look at "npm run status" and "docker compose logs".',
    { tail: result.tail },
  );
}
