// Servers that lose their place to another one: which one a full table drops, and what is sent to them.
import { formatError, type SetupPacket } from '../../shared/packet.ts';
import { addressOf } from '../../shared/printable.ts';
import type { Because } from '../health/cause.ts';
import { sourceOf } from '../network/sources.ts';
import type { Upstream } from '../servers/upstream.ts';

/** Why an entry is replaced whose id has registered from another address. */
export function becauseMoved(host: string, { listenPort }: SetupPacket): Because {
  const address = addressOf(host, listenPort);
  const why = `its id registered a new address, ${address}: if both run, give each an id of its own`;
  return { cause: 'moved', why, evidence: { address } };
}

/** The line that the replaced server gets over its session, which is open only where it still runs. */
export function farewell({ id, policy, address, incarnation }: Upstream, successor: Upstream): string {
  const isSameId = policy === successor.policy && String(id) === String(successor.id);
  const sentence = !isSameId
    ? `Server ${String(successor.id)} of policy ${successor.policy} registered the address of this one, ${address}: give each a port of its own.`
    : incarnation !== null && incarnation === successor.incarnation
      ? `This server has also registered from ${successor.address}: give it one way to the proxy.`
      : `Another server registered with this id from ${successor.address}: give each an id of its own.`;
  return formatError('REGISTRATION_REFUSED', sentence, { clientId: id, policy });
}

/**
 * The server that is removed from a full table for a new one: of the source that has the most servers without a passed probe
 * the oldest of these, so that a flood of forged registrations displaces itself; else the one that has been evicted the
 * longest. A server whose first probe is still under way is left alone.
 * @returns null when every server serves, or may in a moment
 */
export function leastProven(upstreams: Iterable<Upstream>): Upstream | null {
  const unproven = new Map<string, { oldest: Upstream; count: number }>();
  let evicted: Upstream | null = null;
  for (const upstream of upstreams) {
    const { state, sinceMs } = upstream.health;
    if (state === 'evicted' && (evicted === null || sinceMs < evicted.health.sinceMs)) evicted = upstream;
    const { lastProbe } = upstream;
    if (state !== 'joining' || lastProbe === null || lastProbe.outcome === 'local') continue;
    const source = sourceOf(upstream.host);
    const group = unproven.get(source);
    if (group === undefined) unproven.set(source, { oldest: upstream, count: 1 });
    else {
      group.count += 1;
      if (sinceMs < group.oldest.health.sinceMs) group.oldest = upstream;
    }
  }
  let most: { oldest: Upstream; count: number } | null = null;
  for (const group of unproven.values()) if (most === null || group.count > most.count) most = group;
  return most?.oldest ?? evicted;
}
