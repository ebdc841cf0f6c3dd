// shell · loaded into the proxy before it starts (`node --import`): tells its heap and the delay of its event loop, each second.
// Must never do more in there than look and collect garbage: what is judged is the proxy as everybody runs it.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Inside } from './journal.ts';
import '../kit/tied.ts';

const EVERY_MS = 1_000;
// Left alone, V8 takes minutes to a full collection, and a rise of minutes can't be told from a leak. At least one falls
// into each window in which memory is judged.
const COLLECT_EVERY_MS = 10_000;
// The monitor's timer is due each so many ms: only what comes on top of that is delay.
const RESOLUTION_MS = 10;

const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delays.enable();

setInterval(() => {
  const told: Inside = {
    heapBytes: process.memoryUsage().heapUsed,
    delayP99Ms: delayOf(delays.percentile(99)),
    delayMaxMs: delayOf(delays.max),
  };
  delays.reset();
  // Nobody to tell is the business of `tied.ts`.
  process.send?.(told, undefined, undefined, () => {});
}, EVERY_MS).unref();

setInterval(() => globalThis.gc?.(), COLLECT_EVERY_MS).unref();

function delayOf(ns: number): number {
  return Math.max(0, ns / 1e6 - RESOLUTION_MS);
}
