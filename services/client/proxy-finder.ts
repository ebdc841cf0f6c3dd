// shell · the names of proxies → what is known of the proxies behind them.
import { isIP } from 'node:net';
import type { Resolve } from '../shared/addresses.ts';
import { type HostPort, hostPortOf } from '../shared/config.ts';
import { KnownProxies, type KnownProxy } from './known-proxies.ts';

export class ProxyFinder {
  readonly proxies: KnownProxies;
  readonly #names: readonly HostPort[];
  readonly #resolve: Resolve;
  #pending: Promise<HostPort[]> | null = null;

  constructor(names: readonly HostPort[], resolve: Resolve, proxies = new KnownProxies()) {
    this.#names = names;
    this.#resolve = resolve;
    this.proxies = proxies;
  }

  /**
   * Looks up every name. One that has no answer keeps what stood behind it; while a look-up is under way, this waits for it.
   * @returns the names without an answer
   */
  lookUp(): Promise<HostPort[]> {
    this.#pending ??= this.#lookUpAll().finally(() => {
      this.#pending = null;
    });
    return this.#pending;
  }

  /**
   * Takes note of the proxies that one has named in a reply.
   * @param addresses as they came; what is not an IP address with a port is passed over
   */
  hear(by: KnownProxy, addresses: readonly unknown[]): void {
    this.proxies.hear(by, addresses.flatMap(addressFrom));
  }

  async #lookUpAll(): Promise<HostPort[]> {
    const answers = await Promise.all(this.#names.map(({ host }) => this.#resolve(host)));
    const unknown: HostPort[] = [];
    for (const [i, name] of this.#names.entries()) {
      const addresses = answers[i] ?? [];
      if (addresses.length === 0) unknown.push(name);
      else this.proxies.list(name, addresses);
    }
    return unknown;
  }
}

function addressFrom(text: unknown): HostPort[] {
  const address = typeof text === 'string' ? hostPortOf(text) : null;
  return address === null || isIP(address.host) === 0 ? [] : [address];
}
