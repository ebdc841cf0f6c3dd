// pure · when a request is sent again, and the requests that wait for it. Only for runs with --retry-for.
import { doubledMs } from '../../services/shared/backoff.ts';
import type { AttemptEnding, Exchange, FirstAttempt } from './exchange.ts';

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 200;

/**
 * When to send a request again: 50 ms after the first attempt's end, twice as long after each further one, at most 200 ms.
 * @param attempt its number, from 1
 * @param endMs   when it ended, in ms
 * @param limitMs until when the request may be sent again, on the same clock; one last attempt is made then
 * @param random  from 0 to 1
 * @returns on the same clock; null when the ending counts
 */
export function retryAtMs(
  { isRetryable }: AttemptEnding,
  attempt: number,
  endMs: number,
  limitMs: number,
  random: () => number,
): number | null {
  if (endMs >= limitMs || !isRetryable) return null;
  return Math.min(endMs + doubledMs(FIRST_WAIT_MS, LONGEST_WAIT_MS, attempt, random()), limitMs);
}

/** A request between two attempts: `exchange` is the attempt that failed last. Times are monotonic milliseconds. */
export type Retry = { dueMs: number; exchange: Exchange; first: FirstAttempt };

/** Gives out what waits, the earliest due first. */
export class RetryQueue {
  // The latest due first, so that taking is a pop. Jitter rules out a plain queue.
  readonly #waiting: Retry[] = [];

  push(retry: Retry): void {
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#waiting[middle] as Retry).dueMs > retry.dueMs) low = middle + 1;
      else high = middle;
    }
    this.#waiting.splice(low, 0, retry);
  }

  /** Takes the one that has been due longest; undefined when none is due at `nowMs`. */
  takeDue(nowMs: number): Retry | undefined {
    const next = this.#waiting.at(-1);
    return next !== undefined && next.dueMs <= nowMs ? this.#waiting.pop() : undefined;
  }

  /** Takes all of them, due or not. */
  takeAll(): Retry[] {
    return this.#waiting.splice(0);
  }
}
