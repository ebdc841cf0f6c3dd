// pure · whether the machine could have told: what it kept from those at work is not held against the proxy.
// Must never excuse what no slowness explains, such as a wrong answer: criteria do not ask here about that.

import type { MachineSample, Recording, Verdict } from '../journal.ts';
import { millis, moment } from './criterion.ts';
import { MAX_CONNTRACK, PROBE_TIMEOUT_MS } from './limits.ts';
import type { Span } from './queries.ts';

/** Something against the proxy: by how many milliseconds, or, without `excessMs`, that it happened at all. */
export type Trouble = Span & {
  excessMs?: number;
  /** The servers that had to do with it; without it, any. */
  servers?: readonly string[];
};

const PROXY = 'proxy-1';
/** A machine that keeps a request's way waiting for half of a second starves it: probes time out, and so on. */
const STARVED_STRETCH_MS = 1000;
const STARVED_MS = PROBE_TIMEOUT_MS;
/** What happened then may have begun so long before: two probes in a row. */
const STARVED_BEFORE_MS = 3000;

/**
 * At most so much of a span was kept from the generator, the proxy and the servers, which work for one request one after
 * the other: of the servers the one that waited longest counts.
 */
export function takenMs(recording: Recording, span: Span, servers?: readonly string[]): number {
  return takenOf(recording, samplesIn(recording, span), servers);
}

function takenOf(
  { names }: Recording,
  samples: readonly MachineSample[],
  servers: readonly string[] | undefined,
): number {
  const wanted = servers?.map((id) => names[id] ?? id);
  let shared = 0;
  const own = new Map<string, number>();
  for (const { loadLagMs, waitMs } of samples) {
    shared += loadLagMs;
    for (const [name, ms] of Object.entries(waitMs)) {
      if (name === PROXY) shared += ms;
      else if (wanted === undefined || wanted.includes(name)) own.set(name, (own.get(name) ?? 0) + ms);
    }
  }
  return shared + Math.max(0, ...own.values());
}

/** A sample tells of the time since the one before; the kernel tells of a wait when it is over. */
function samplesIn({ machine }: Recording, { fromMs, toMs }: Span): readonly MachineSample[] {
  const first = firstAfter(machine, fromMs);
  const beyond = firstAfter(machine, toMs);
  return machine.slice(first, beyond + 1);
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
export function leastMs(
  recording: Recording,
  fromMs: number,
  afterMs: number,
  servers?: readonly string[],
): number {
  if (!Number.isFinite(afterMs)) return afterMs;
  return Math.max(0, afterMs - takenMs(recording, { fromMs, toMs: fromMs + afterMs }, servers));
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

/**
 * The verdict over troubles: none passes; one for which the machine was quick enough fails; else nothing can be told.
 * `notes` say what was excused, for the details.
 */
export function weigh(
  recording: Recording,
  troubles: readonly Trouble[],
): { verdict: Verdict; notes: string[] } {
  if (troubles.length === 0) return { verdict: 'pass', notes: [] };
  const excused = troubles.filter((trouble) => !couldTell(recording, trouble));
  const notes = excused.map(({ fromMs, toMs, servers }) => {
    const taken = millis(Math.round(takenMs(recording, { fromMs, toMs }, servers)));
    return `${moment(fromMs)} to ${moment(toMs)}: the machine was too slow to tell, it kept ${taken} from those at work`;
  });
  return { verdict: excused.length === troubles.length ? 'unknown' : 'fail', notes };
}

/** The most entries of connection tracking that were seen. */
export function maxConntrack({ machine, faults }: Recording): number {
  return [...machine, ...faults].reduce((max, { conntrack }) => Math.max(max, conntrack ?? 0), 0);
}

/** Whether the kernel's connection tracking slowed Docker's network, whoever filled it. */
export function isConntrackFull(recording: Recording): boolean {
  return maxConntrack(recording) > MAX_CONNTRACK;
}
