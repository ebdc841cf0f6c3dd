// pure · what the machine kept from the load generator, the proxy and the servers, and what that excuses.

import type { MachineSample, Recording } from '../journal.ts';
import { MAX_CONNTRACK, PROBE_TIMEOUT_MS } from './limits.ts';
import type { Span } from './observations.ts';

/** Something against the proxy: by how many milliseconds, or, without `excessMs`, that it happened at all. */
export type Trouble = Span & {
  excessMs?: number;
  /** The servers that had to do with it; without it, any. */
  servers?: readonly string[] | undefined;
};

/** Something that no slowness of the machine explains. */
export const CERTAIN: Trouble = { fromMs: 0, toMs: 0, excessMs: Number.POSITIVE_INFINITY };

/** A machine that keeps a request waiting for half of a second starves it: probes time out, and so on. */
const STARVED_STRETCH_MS = 1000;
const STARVED_MS = PROBE_TIMEOUT_MS;
/** What happened then may have begun so long before: two probes in a row. */
const STARVED_BEFORE_MS = 3000;

/**
 * At most so much of a span was kept from the generator, a proxy and a server, which work for one request one after the
 * other: of several the one that waited longest counts.
 */
export function takenMs(recording: Recording, span: Span, servers?: readonly string[]): number {
  return takenOf(recording, samplesIn(recording, span), servers);
}

function takenOf(
  { names }: Recording,
  samples: readonly MachineSample[],
  servers?: readonly string[],
): number {
  const wanted = servers?.map((id) => names[id] ?? id);
  let shared = 0;
  const [ofProxies, ofServers] = [new Map<string, number>(), new Map<string, number>()];
  for (const { loadLagMs, waitMs } of samples) {
    shared += loadLagMs;
    for (const [name, ms] of Object.entries(waitMs)) {
      const isProxy = name.startsWith('proxy-');
      if (!isProxy && wanted !== undefined && !wanted.includes(name)) continue;
      const own = isProxy ? ofProxies : ofServers;
      own.set(name, (own.get(name) ?? 0) + ms);
    }
  }
  return shared + Math.max(0, ...ofProxies.values()) + Math.max(0, ...ofServers.values());
}

/** A sample covers the time since the one before; the kernel counts a wait when it is over. */
function samplesIn({ machine }: Recording, { fromMs, toMs }: Span): readonly MachineSample[] {
  return machine.slice(firstAfter(machine, fromMs), firstAfter(machine, toMs) + 1);
}

function firstAfter(samples: readonly MachineSample[], atMs: number): number {
  let low = 0;
  let high = samples.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((samples[middle] as MachineSample).atMs > atMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The least that something took by itself: what the machine kept from it in that time is taken off. */
export function leastMs(recording: Recording, fromMs: number, afterMs: number): number {
  return Math.max(0, afterMs - takenMs(recording, { fromMs, toMs: fromMs + afterMs }));
}

/** Whether the machine was quick enough for the trouble to be the proxy's: without a calibration it was. */
export function couldTell(recording: Recording, { fromMs, toMs, excessMs, servers }: Trouble): boolean {
  if (excessMs !== undefined) {
    const taken = takenMs(recording, { fromMs, toMs }, servers);
    return taken === 0 || taken < excessMs;
  }
  return starvedMs(recording, { fromMs: fromMs - STARVED_BEFORE_MS, toMs }, servers) < STARVED_MS;
}

/** The most that was kept waiting in any second of a span. */
export function starvedMs(recording: Recording, span: Span, servers?: readonly string[]): number {
  const samples = samplesIn(recording, span);
  let most = 0;
  let from = 0;
  for (const [index, { atMs }] of samples.entries()) {
    while ((samples[from] as MachineSample).atMs <= atMs - STARVED_STRETCH_MS) from += 1;
    most = Math.max(most, takenOf(recording, samples.slice(from, index + 1), servers));
  }
  return most;
}

/** The most entries of connection tracking that were seen. */
export function maxConntrack({ machine, faults }: Recording): number {
  return [...machine, ...faults].reduce((max, { conntrack }) => Math.max(max, conntrack ?? 0), 0);
}

/** Whether the kernel's connection tracking slowed Docker's network, whichever program filled it. */
export function isConntrackFull(recording: Recording): boolean {
  return maxConntrack(recording) > MAX_CONNTRACK;
}
