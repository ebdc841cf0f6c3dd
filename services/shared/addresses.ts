// Hosts and their addresses: a name → every address behind it, within a deadline.
import dns from 'node:dns/promises';
import net from 'node:net';

/** Every address behind `host`, or null when that could not be found out in time. Never throws. */
export type Resolve = (host: string) => Promise<readonly string[] | null>;

/**
 * Makes a look-up that is safe to repeat while the network is in trouble. Docker's resolver can hold an answer back for
 * eight seconds, and `dns.lookup` holds one of four threads meanwhile: so a DNS query of our own runs beside it, the
 * first answer counts, and no second `lookup` of a name is started while one hangs.
 * @param deadlineMs after this long the answer is "unknown"
 */
export function createResolver(deadlineMs = 1_000): Resolve {
  const pending = new Map<string, Promise<string[]>>();

  const lookUp = (host: string): Promise<string[]> => {
    const found = pending.get(host) ?? systemLookup(host).finally(() => pending.delete(host));
    pending.set(host, found);
    return found;
  };

  return async (host) => {
    if (net.isIP(host) !== 0) return [host];
    const query = new dns.Resolver({ timeout: deadlineMs, tries: 1 });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, deadlineMs, null);
    });
    try {
      return await Promise.race([Promise.any([query.resolve4(host), lookUp(host)]), late]);
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
      query.cancel();
    }
  };
}

// One family only: a proxy that listens on both would otherwise meet each server twice, at two addresses.
async function systemLookup(host: string): Promise<string[]> {
  const found = await dns.lookup(host, { all: true });
  const v4 = found.filter(({ family }) => family === 4);
  return (v4.length > 0 ? v4 : found).map(({ address }) => address);
}

/** Whether `host`, an address, means this machine itself. */
export function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}

/** Whether listening on `host` means every address of this machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
