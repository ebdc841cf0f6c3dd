// Addresses and CIDR blocks that an option lists, and whether a host is in one of them.
import { BlockList, isIP } from 'node:net';
import { UsageError } from '../../shared/config.ts';

/**
 * @param option such as `--register-from`, for the error
 * @throws UsageError when one of `networks` is neither an address nor a CIDR block
 */
export function blockList(option: string, networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [, address = '', bits] = /^([^/%]*)(?:\/(\d{1,3}))?$/.exec(network) ?? [];
    const longest = familyOf(address) === 'ipv6' ? 128 : 32;
    const prefix = Number(bits ?? longest);
    if (isIP(address) === 0 || prefix > longest) {
      throw new UsageError(
        `${option} has "${network}": it takes addresses and blocks such as 172.16.0.0/12, no names, with commas.`,
      );
    }
    list.addSubnet(address, prefix, familyOf(address));
  }
  return list;
}

/** Whether `host`, an address, is in one of the blocks; a text that is no address is in none. */
export function isListed(networks: BlockList, host: string): boolean {
  // A link-local address may carry the name of an interface.
  const address = host.split('%')[0] ?? '';
  return isIP(address) !== 0 && networks.check(address, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
