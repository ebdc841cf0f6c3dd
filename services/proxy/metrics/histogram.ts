// Counts of durations in an array: each bucket is twice as wide as the one before. On the data path.

const LEAST_PER_MS = 4;
const BUCKETS = 17;
/** The greatest duration of each bucket of a histogram, ms: each is twice the one before. */
export const BUCKET_BOUNDS_MS: readonly number[] = Array.from(
  { length: BUCKETS },
  (_, at) => 2 ** at / LEAST_PER_MS,
);

/** Counts durations. */
export class Histogram {
  /** How many were in each bucket of BUCKET_BOUNDS_MS; then how many were longer; then the sum of all, ms. */
  readonly #counts = new Float64Array(BUCKETS + 2);

  observe(ms: number): void {
    const counts = this.#counts;
    // A bucket includes its bound.
    const at = 32 - Math.clz32(Math.max(0, Math.ceil(ms * LEAST_PER_MS) - 1));
    const bucket = Math.min(at, BUCKETS);
    counts[bucket] = (counts[bucket] as number) + 1;
    counts[BUCKETS + 1] = (counts[BUCKETS + 1] as number) + ms;
  }

  /** @returns for each bound how many were not above it, then the number of all, and the sum in ms */
  read(): { cumulative: number[]; count: number; sumMs: number } {
    let count = 0;
    const cumulative = Array.from(BUCKET_BOUNDS_MS, (_, at) => {
      count += this.#counts[at] as number;
      return count;
    });
    count += this.#counts[BUCKETS] as number;
    return { cumulative, count, sumMs: this.#counts[BUCKETS + 1] as number };
  }
}
