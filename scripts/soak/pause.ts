// shell · a wait that ends early, and does not throw, when a run has to come to its end.
// Must never be used where an interruption has to be told: whoever waits here goes on to mend what was broken.
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves after so many ms, or when `signal` fires. */
export async function pauseOr(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.max(0, ms), undefined, { signal }).catch(() => {});
}
