// pure · percentiles as they are empirically: always a value that was measured.
// Must never interpolate or guess: of no values there is no percentile.

/**
 * The nearest-rank percentile: the smallest value that at least `p` % of the values do not exceed.
 * @param values in any order; left as they are
 * @param p above 0, up to 100
 * @returns NaN of no values
 */
export function percentile(values: readonly number[], p: number): number {
  return nearestRank(Float64Array.from(values).sort(), p);
}

/** As `percentile`, of values in ascending order. */
export function nearestRank(sorted: ArrayLike<number>, p: number): number {
  // Rounded off first: 0.95 × 20 must be rank 19, whatever binary fractions make of it.
  const rank = Math.ceil(Number(((p / 100) * sorted.length).toFixed(9)));
  return sorted[Math.max(rank, 1) - 1] ?? Number.NaN;
}
