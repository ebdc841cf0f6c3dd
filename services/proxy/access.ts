// shell · who may register: a shared token and the networks that servers may come from.
// Must never look at what a server says of its own address: only the connection's counts.
import { timingSafeEqual } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import { UsageError } from '../shared/config.ts';

export class RegistrationAccess {
  readonly #token: Buffer | null;
  readonly #networks: BlockList | null;

  /**
   * @param token    what a setup packet's `token` must be; null admits any
   * @param networks addresses or CIDR blocks; none admits all
   * @throws UsageError when a network is neither an address nor a CIDR block
   */
  constructor(token: string | null, networks: readonly string[]) {
    this.#token = token === null ? null : Buffer.from(token);
    this.#networks = networks.length === 0 ? null : blockList(networks);
  }

  /** Why a server from `host` with `token` may not register; null when it may. */
  refusal(host: string, token: string | null): string | null {
    if (this.#networks !== null && !this.#networks.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4')) {
      return `Servers may not register from ${host}: the proxy's --register-from does not list it.`;
    }
    if (this.#token === null) return null;
    const offered = Buffer.from(token ?? '');
    const isRight = offered.length === this.#token.length && timingSafeEqual(offered, this.#token);
    if (isRight) return null;
    return token === null
      ? "The token is missing: start the server with the proxy's --register-token."
      : "The token is wrong: start the server with the proxy's --register-token.";
  }
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const version = isIP(address);
    const family = version === 6 ? 'ipv6' : 'ipv4';
    const prefix = bits === undefined ? (version === 6 ? 128 : 32) : Number(bits);
    if (version === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > (version === 6 ? 128 : 32)) {
      throw new UsageError(
        `--register-from has "${network}": it must be an address or a block such as 172.16.0.0/12.`,
      );
    }
    list.addSubnet(address, prefix, family);
  }
  return list;
}
