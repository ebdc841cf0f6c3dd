// shell · a network of its own for whatever is measured: Linux's network namespaces, with nothing in them but loopback.
// Must never change a setting of the machine: the namespace ends with the last process in it.
import { attempt } from './command.ts';

const ASK_TIMEOUT_MS = 10_000;
// Where Docker runs, its rules make Linux keep each closed connection in a table for two minutes, loopback's too. A
// connection for each request fills it within seconds, and then new connections fail. A new namespace has no rules.
const WAYS = [['--net'], ['--user', '--map-root-user', '--net']] as const;
const THEN = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];

/**
 * What to put before a command line so that it runs in a network of its own; root is not needed where unprivileged
 * namespaces are allowed.
 * @returns null where it can't be had
 */
export async function ownNetwork(signal: AbortSignal): Promise<readonly string[] | null> {
  for (const way of WAYS) {
    const args = [...way, ...THEN];
    const { isOk } = await attempt('unshare', [...args, 'true'], { signal, timeoutMs: ASK_TIMEOUT_MS });
    if (isOk) return ['unshare', ...args];
  }
  return null;
}
