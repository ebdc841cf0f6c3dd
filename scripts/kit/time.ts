// shell · the one clock of a run, and waiting for what nobody reports, by looking again and again.
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds since the Unix epoch, with fractions, monotonic within the process: the load generator and the proxy use it too. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}

export type Patience = {
  /** For how long it looks again. */
  withinMs: number;
  /** The pause between two looks. */
  everyMs: number;
  signal?: AbortSignal | undefined;
};

/**
 * Looks until there is something, once at least.
 * @param look gives what is falsy while there is nothing
 * @returns what the last look gave: still nothing when that took too long
 * @throws what a look throws, and the signal's reason when it fires
 */
export async function until<T>(
  look: () => T | Promise<T>,
  { withinMs, everyMs, signal }: Patience,
): Promise<T> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found || performance.now() > deadlineMs) return found;
    await sleep(everyMs, undefined, { ...(signal && { signal }) }).catch(() => {});
    signal?.throwIfAborted();
  }
}

/**
 * As `until`, for what has to be.
 * @param what how it is as long as it is not so, in a clause
 * @throws Error when that took too long
 */
export async function need(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  patience: Patience,
): Promise<void> {
  if (!(await until(isSo, patience))) throw new Error(`${what} after ${patience.withinMs / 1000} s.`);
}
