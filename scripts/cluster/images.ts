// shell · looking at local images. Must never pull one.
import { attempt } from '../kit/command.ts';

const INSPECT_TIMEOUT_MS = 20_000;

/** The id of a local image, or null when there is none of that name. */
export async function localImageId(name: string, signal?: AbortSignal): Promise<string | null> {
  const args = ['image', 'inspect', '--format', '{{.Id}}', name];
  const { isOk, stdout } = await attempt('docker', args, { timeoutMs: INSPECT_TIMEOUT_MS, signal });
  return isOk ? stdout.trim() : null;
}
