// Work that has to be done again and again.
import type { Clock } from '../../shared/clock.ts';

/**
 * Timers are served before sockets: after a stall of this process (a frozen container, a starved machine) what has come
 * meanwhile is read first, or others would be blamed for our own silence. `work` gets the time before that reading: a stall
 * may also begin after it, and nobody can be judged by what has not been read.
 * @returns a function that ends it
 */
export function every(clock: Clock, ms: number, work: (asOfMs: number) => void): () => void {
  let cancel = clock.after(ms, onDue);
  function onDue(): void {
    cancel = clock.after(ms, onDue);
    const asOfMs = clock.now();
    clock.soon(() => work(asOfMs));
  }
  return () => cancel();
}
