// shell · waits that end: at their deadline, and when the run is interrupted.
// Must never swallow the interruption.
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_AGAIN_MS = 50;

/** Waits until `isSo`. @returns false when it was not so by the deadline; rejects when `signal` fires */
export async function waitUntil(
  isSo: () => boolean,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const endMs = performance.now() + deadlineMs;
  while (!isSo()) {
    if (performance.now() >= endMs) return false;
    await pause(LOOK_AGAIN_MS, signal);
  }
  return true;
}

/** Waits; rejects with the signal's reason when `signal` fires. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}
