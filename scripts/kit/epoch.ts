// seam · the one clock of a run: wall time with fractions, as the load generator and the proxy tell it too.
// Must never be mixed with another clock: a detection time is the difference of two clocks' readings.

/** Milliseconds since the Unix epoch, with fractions, monotonic within the process. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
