// How long requests took: counts by size, from which quantiles are read. On the data path.

// Each power of two of microseconds is cut into eight, so a quantile is at most an eighth too high (after HdrHistogram).
const BITS = 3;
const STEPS = 1 << BITS;
const MAX_US = 2 ** 30 - 1;
const SIZE = (31 - BITS) * STEPS;
// What is older counts less each second, so that a server with few requests still has figures.
const KEPT_EACH_SECOND = 0.8;

/** Counts of durations in this second, and in the last ones. */
export class Durations {
  /** Of the second that runs. */
  readonly counts = new Uint32Array(SIZE);
  readonly #recent = new Float32Array(SIZE);

  /** Counts one, in ms. */
  add(ms: number): void {
    const at = placeOf(ms);
    this.counts[at] = (this.counts[at] as number) + 1;
  }

  /** Empties the second that runs. @returns what `addAll` of another one takes; null where it is empty */
  take(): Uint32Array | null {
    const { counts } = this;
    if (!counts.some((count) => count > 0)) return null;
    const taken = counts.slice();
    counts.fill(0);
    return taken;
  }

  addAll(taken: Uint32Array): void {
    for (const [at, count] of taken.entries()) this.counts[at] = (this.counts[at] as number) + count;
  }

  /** A second is over: adds its counts to `total`, and begins the next one. */
  nextSecond(total: Uint32Array): void {
    const { counts } = this;
    const recent = this.#recent;
    for (let at = 0; at < SIZE; at += 1) {
      const count = counts[at] as number;
      recent[at] = (recent[at] as number) * KEPT_EACH_SECOND + count;
      if (count > 0) total[at] = (total[at] as number) + count;
    }
    counts.fill(0);
  }

  /** Of the last seconds, ms; null where there was nearly nothing. */
  quantile(share: number): number | null {
    return quantileOf(this.#recent, share);
  }

  /** Adds what is known of the last seconds to `total`, for the quantiles of several servers. */
  addRecentTo(total: Float32Array): void {
    for (let at = 0; at < SIZE; at += 1) total[at] = (total[at] as number) + (this.#recent[at] as number);
  }
}

export function noCounts(): Uint32Array {
  return new Uint32Array(SIZE);
}

export function noRecentCounts(): Float32Array {
  return new Float32Array(SIZE);
}

/** @returns ms, null where fewer than half a request is counted */
export function quantileOf(counts: ArrayLike<number>, share: number): number | null {
  let total = 0;
  for (let at = 0; at < SIZE; at += 1) total += counts[at] as number;
  if (total < 0.5) return null;
  let left = total * share;
  for (let at = 0; at < SIZE; at += 1) {
    left -= counts[at] as number;
    if (left <= 0) return endOf(at) / 1000;
  }
  return endOf(SIZE - 1) / 1000;
}

function placeOf(ms: number): number {
  const us = Math.min(MAX_US, Math.max(0, ms * 1000)) | 0;
  if (us < STEPS) return us;
  const power = 31 - Math.clz32(us);
  return (power - BITS + 1) * STEPS + ((us >> (power - BITS)) & (STEPS - 1));
}

// The end of what is counted at a place, in µs.
function endOf(at: number): number {
  if (at < STEPS) return at + 1;
  const power = Math.floor(at / STEPS) + BITS - 1;
  return (STEPS + (at % STEPS) + 1) * 2 ** (power - BITS);
}
