// SIGTERM and Ctrl-C: the first stops cleanly, a second one at once.

/** npm passes a Ctrl-C on that the terminal has delivered already: the same wish, not a second one. */
const SAME_WISH_MS = 300;

export const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Calls `stop` once, at the first SIGINT or SIGTERM. A later one ends the process at once, with 130 or 143.
 * @param stop starts the stopping; ending the process when that is done is up to the caller
 */
export function onStopSignal(stop: (signal: keyof typeof EXIT_CODES) => void): void {
  let firstMs: number | null = null;
  const onSignal = (signal: keyof typeof EXIT_CODES): void => {
    const nowMs = performance.now();
    if (firstMs === null) {
      firstMs = nowMs;
      stop(signal);
    } else if (nowMs - firstMs > SAME_WISH_MS) {
      process.exit(EXIT_CODES[signal]);
    }
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
}
