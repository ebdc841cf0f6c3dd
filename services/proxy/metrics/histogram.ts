// Counts of durations in arrays: each bucket is twice as wide as the one before. On the data path.

const LEAST_US = 250;
const BUCKETS = 17;
const US_PER_MS = 1000;
const BOUNDS_US: readonly number[] = Array.from({ length: BUCKETS }, (_, at) => LEAST_US * 2 ** at);
/** The greatest duration of each bucket of a histogram, ms: each is twice the one before. */
export const BUCKET_BOUNDS_MS: readonly number[] = BOUNDS_US.map((us) => us / US_PER_MS);

// After the buckets: how many were longer, and the sum of all, µs.
const LONGER = BUCKETS;
const SUM = BUCKETS + 1;
// Below it, V8 adds without allocating a number, also the longest duration.
const SMALL = 2 ** 30;
// The power of two that is next to LEAST_US.
const LEAST_BITS = 8;

/** The whole µs of a duration, a small integer: one above 1,073 s is taken for that. */
export function usOf(ms: number): number {
  if (ms >= SMALL / US_PER_MS) return SMALL - 1;
  return ms > 0 ? (ms * US_PER_MS) | 0 : 0;
}

/** Counts durations. */
export class Histogram {
  readonly #recent = new Int32Array(BUCKETS + 2);
  /** What `#recent` has been emptied into, when it was no longer small. */
  readonly #kept = new Float64Array(BUCKETS + 2);

  observe(ms: number): void {
    this.observeUs(usOf(ms));
  }

  /** @param us from `usOf` */
  observeUs(us: number): void {
    // Right but for what is between 250 and 256, or twice that, and so on.
    const guess = us <= LEAST_US ? 0 : Math.min(32 - Math.clz32((us - 1) >> LEAST_BITS), LONGER);
    this.#add(us > (BOUNDS_US[guess] ?? us) ? guess + 1 : guess, 1);
    this.#add(SUM, us);
  }

  #add(at: number, amount: number): void {
    const recent = this.#recent;
    const value = (recent[at] as number) + amount;
    if (value < SMALL) {
      recent[at] = value;
      return;
    }
    recent[at] = 0;
    this.#kept[at] = (this.#kept[at] as number) + value;
  }

  /** @returns for each bound how many were not above it, then the number of all, and the sum in ms */
  read(): { cumulative: number[]; count: number; sumMs: number } {
    let count = 0;
    const cumulative = BOUNDS_US.map((_, at) => {
      count += this.#total(at);
      return count;
    });
    return { cumulative, count: count + this.#total(LONGER), sumMs: this.#total(SUM) / US_PER_MS };
  }

  /** Empties it. @returns what `add` of another one takes */
  take(): Float64Array {
    const taken = this.#kept.map((_, at) => this.#total(at));
    this.#recent.fill(0);
    this.#kept.fill(0);
    return taken;
  }

  add(taken: Float64Array): void {
    for (const [at, value] of taken.entries()) this.#kept[at] = (this.#kept[at] as number) + value;
  }

  #total(at: number): number {
    return (this.#kept[at] as number) + (this.#recent[at] as number);
  }
}
