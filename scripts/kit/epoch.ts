// shell · the one clock of a run: wall time with fractions, which the load generator and the proxy use too.

/** Milliseconds since the Unix epoch, with fractions, monotonic within the process. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
