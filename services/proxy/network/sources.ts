// Which source an address counts for.

const GROUPS_OF_A_NETWORK = 4;

/** An IPv4 address as it is; of an IPv6 address its /64 network, of which each machine has 2^64 addresses. */
export function sourceOf(address: string): string {
  if (!address.includes(':')) return address;
  const [left = '', right] = (address.split('%')[0] ?? '').split('::');
  const groups = left === '' ? [] : left.split(':');
  if (right !== undefined) {
    const after = right === '' ? [] : right.split(':');
    // An IPv4 address at the end stands for two groups.
    const width = after.length + (right.includes('.') ? 1 : 0);
    groups.push(...Array<string>(Math.max(0, 8 - groups.length - width)).fill('0'), ...after);
  }
  const network = groups
    .slice(0, GROUPS_OF_A_NETWORK)
    .map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

/** An IPv4 address that came in over an IPv6 socket, as plain IPv4. */
export function plainHost(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
