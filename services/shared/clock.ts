// Time: what waits or dates takes a Clock, so that tests and simulated worlds can hand in one of their own.
import { setTimeout as sleepTimer } from 'node:timers/promises';

export type Clock = {
  /** Monotonic milliseconds with fractions; only differences mean anything. */
  now(): number;
  /** Milliseconds since the Unix epoch, for people and for logs. */
  wallNow(): number;
  /** Resolves after `ms`; rejects with an AbortError when `signal` fires first. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Runs `work` once after `ms`, unless the function returned is called first. Does not keep the process alive. */
  after(ms: number, work: () => void): () => void;
  /** Runs `work` at the end of this turn of the event loop, when all that it has read from the network is dealt with. */
  soon(work: () => void): void;
};

export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  sleep: (ms, signal) =>
    sleepTimer(ms, undefined, signal === undefined ? { ref: false } : { signal, ref: false }),
  after: (ms, work) => {
    const timer = setTimeout(work, ms).unref();
    return () => clearTimeout(timer);
  },
  soon: (work) => {
    setImmediate(work);
  },
};
