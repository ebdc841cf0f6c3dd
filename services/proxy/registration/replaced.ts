// pure · servers whose place another one has taken: what they are told, and what they may still finish.
import { addressOf } from '../../shared/address-text.ts';
import { formatError, type SetupPacket } from '../../shared/packet.ts';
import type { Upstream } from '../servers/upstream.ts';

/** Why an entry is replaced whose id has registered from another address. */
export function whyMoved(host: string, { listenPort }: SetupPacket): string {
  const address = addressOf(host, listenPort);
  return `its id registered a new address, ${address}: if both run, give each an id of its own`;
}

/** What the one that was replaced is told over its session, which is open only where it still runs: one line. */
export function farewell({ id, policy, address, incarnation }: Upstream, successor: Upstream): string {
  const isSameId = policy === successor.policy && String(id) === String(successor.id);
  const sentence = !isSameId
    ? `Server ${String(successor.id)} of policy ${successor.policy} registered the address of this one, ${address}: give each a port of its own.`
    : incarnation !== null && incarnation === successor.incarnation
      ? `This server has also registered from ${successor.address}: give it one way to the proxy.`
      : `Another server registered with this id from ${successor.address}: give each an id of its own.`;
  return formatError('REGISTRATION_REFUSED', sentence, { clientId: id, policy });
}

/** No longer in the table, with requests that are still being answered. */
export class RetiredServers {
  readonly #servers = new Set<Upstream>();

  /** Lets a server finish what it has. */
  add(upstream: Upstream): void {
    for (const earlier of this.#servers) if (earlier.inFlight === 0) this.#servers.delete(earlier);
    this.#servers.add(upstream);
    upstream.carrier?.retire();
  }

  /** Another server has the address now: nothing that was meant for the former one may reach it. */
  destroyAt(address: string): void {
    for (const upstream of this.#servers) {
      if (upstream.address !== address) continue;
      upstream.carrier?.destroy();
      this.#servers.delete(upstream);
    }
  }

  /** Cuts whatever is not finished. */
  destroyAll(): void {
    for (const upstream of this.#servers) upstream.carrier?.destroy();
    this.#servers.clear();
  }
}
