// pure · who gives up a place in a full table: not one that serves, but one that has never passed a probe, or no longer does.
import { sourceOf } from '../clients/source.ts';
import type { Upstream } from '../servers/upstream.ts';

/**
 * The server that is removed for a new one: of the source that has the most servers without a passed probe the oldest of
 * these, so that a flood of forged registrations displaces itself; else the one that has been evicted the longest.
 * A server whose first probe is still under way is left alone.
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
