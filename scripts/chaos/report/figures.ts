// pure · requests → the figures that the report is about: kinds, counts, percentiles, phases.
// Must never judge; what is good or bad, the judgement says.
import type { Phase, PhaseName, Recording, RequestRow } from '../journal.ts';

/** How a request is drawn. A retried one is one that ended well, though not at its first attempt. */
export type Kind = 'ok' | 'retried' | 'error' | 'wrong' | 'lost' | 'dropped';

/** From the best to the worst, dropped last: that one is the generator's own doing. */
export const KINDS: readonly Kind[] = ['ok', 'retried', 'error', 'wrong', 'lost', 'dropped'];

export const KIND_WORDS: Readonly<Record<Kind, string>> = {
  ok: 'ok',
  retried: 'ok after retry',
  error: 'error reply',
  wrong: 'wrong answer',
  lost: 'lost',
  dropped: 'dropped',
};

export function kindOf(request: RequestRow): Kind {
  return request.outcome === 'ok' && request.attempts > 1 ? 'retried' : request.outcome;
}

export function countKinds(requests: readonly RequestRow[]): Record<Kind, number> {
  const counts = { ok: 0, retried: 0, error: 0, wrong: 0, lost: 0, dropped: 0 };
  for (const request of requests) counts[kindOf(request)] += 1;
  return counts;
}

/** Latencies of the right answers in ms, sorted; in the phases named, or in all. */
export function okLatencies(recording: Recording, phases: readonly PhaseName[] | null = null): Float64Array {
  const spans = phases === null ? null : recording.phases.filter(({ name }) => phases.includes(name));
  const chosen = recording.requests.filter(
    (r) => r.outcome === 'ok' && Number.isFinite(r.latencyMs) && (spans === null || isWithin(r.dueMs, spans)),
  );
  return Float64Array.from(chosen, (r) => r.latencyMs).sort();
}

export function isWithin(atMs: number, spans: readonly Phase[]): boolean {
  return spans.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
}

/** The phases that began before the run ended, cut at its end. */
export function phasesSeen({ phases, endedMs }: Recording): Phase[] {
  return phases
    .filter(({ fromMs, toMs }) => fromMs < endedMs && toMs > fromMs)
    .map((phase) => ({ ...phase, toMs: Math.min(phase.toMs, endedMs) }));
}

/** What a server is called: `server-p1-1`, or its id when nobody knows. */
export function nameOf(names: Readonly<Record<string, string>>, id: string): string {
  return Object.hasOwn(names, id) ? (names[id] ?? id) : id;
}
