// The other proxies of the same cluster: every address behind their names, without our own.

import os from 'node:os';
import { createResolver, isWildcard } from '../../shared/addresses.ts';
import type { HostPort } from '../../shared/config.ts';
import { addressOf } from '../../shared/printable.ts';

/** So many go into a reply: it must stay short. */
const MAX_NAMED = 8;

/**
 * Looks the names up, within a second.
 * @param host what this proxy listens on
 * @param port where it listens
 * @returns host:port of each, at most 8
 */
export async function otherProxies(
  peers: readonly HostPort[],
  host: string,
  port: number,
): Promise<string[]> {
  const resolve = createResolver();
  const found = await Promise.all(
    peers.map(async (peer) => {
      const addresses = (await resolve(peer.host)) ?? [];
      return addresses.map((address) => addressOf(address, peer.port));
    }),
  );
  const own = new Set(ownHosts(host).map((address) => addressOf(address, port)));
  return [...new Set(found.flat())].filter((address) => !own.has(address)).slice(0, MAX_NAMED);
}

function ownHosts(host: string): string[] {
  if (!isWildcard(host)) return [host];
  return Object.values(os.networkInterfaces()).flatMap((addresses = []) =>
    addresses.map(({ address }) => address),
  );
}
