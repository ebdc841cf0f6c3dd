// pure · memory over time → how fast it grows, in spite of a garbage collector that makes it a saw-tooth.
// Must never let one large value decide: a single late collection is no leak.
import type { Sample } from './journal.ts';

const MIN_WINDOW_MS = 15_000;
const MAX_WINDOWS = 12;
const MIN_WINDOWS = 4;
const MS_PER_MINUTE = 60_000;

/** The least that was resident in a window of time. */
export type Low = { fromMs: number; toMs: number; bytes: number };

/**
 * The least memory in each window between two moments: what the collector has not got round to is no growth. The longer
 * the time, the longer the windows, so that a tooth of the saw fits into one.
 */
export function lowsOf(samples: readonly Sample[], fromMs: number, toMs: number): Low[] {
  const windowMs = Math.max(MIN_WINDOW_MS, (toMs - fromMs) / MAX_WINDOWS);
  const windows = Math.floor((toMs - fromMs) / windowMs);
  return Array.from({ length: windows }, (_, index) => fromMs + index * windowMs).flatMap((start) => {
    const within = samples.filter(({ atMs }) => atMs >= start && atMs < start + windowMs);
    const bytes = Math.min(...within.map(({ residentBytes }) => residentBytes));
    return Number.isFinite(bytes) ? [{ fromMs: start, toMs: start + windowMs, bytes }] : [];
  });
}

/**
 * The slope of the lows by Theil and Sen: the median of the slopes between all pairs, which nearly a third of the values
 * may be wrong without moving (H. Theil 1950, P. K. Sen 1968). A line of least squares would follow one late collection.
 * @returns bytes a minute; null where there are too few windows to tell
 */
export function growthPerMinute(lows: readonly Low[]): number | null {
  if (lows.length < MIN_WINDOWS) return null;
  const slopes = lows.flatMap((from, at) =>
    lows.slice(at + 1).map((to) => ((to.bytes - from.bytes) / (to.fromMs - from.fromMs)) * MS_PER_MINUTE),
  );
  return median(slopes);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}
