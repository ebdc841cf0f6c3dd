// How many retries the traffic of one policy allows, so that retries can't multiply an outage. After finagle's RetryBudget.

const WINDOW_SECONDS = 10;
export const SHARE_OF_REQUESTS = 0.2;
const FLOOR_PER_SECOND = 10;

/**
 * Retries may be 20 % of the first attempts of the last 10 s, or 100 where that is more, and 10 in any second whatever was
 * before. Both are counted when a request is handed to a server: one that no server takes neither feeds the budget nor costs.
 */
export class RetryBudget {
  readonly #firstAttempts = new Float64Array(WINDOW_SECONDS);
  readonly #retries = new Float64Array(WINDOW_SECONDS);
  readonly #floorPerSecond: number;
  #second = 0;

  /** @param share of all threads' retries, where each has a budget of its own */
  constructor(share = 1) {
    this.#floorPerSecond = FLOOR_PER_SECOND * share;
  }

  /** Counts a first attempt; `nowMs` is monotonic. */
  feed(nowMs: number): void {
    const slot = this.#slotAt(nowMs);
    this.#firstAttempts[slot] = (this.#firstAttempts[slot] as number) + 1;
  }

  /** Whether a retry would be allowed now; takes nothing. */
  canRetry(nowMs: number): boolean {
    const slot = this.#slotAt(nowMs);
    if ((this.#retries[slot] as number) < this.#floorPerSecond) return true;
    const floor = this.#floorPerSecond * WINDOW_SECONDS;
    return sum(this.#retries) < Math.max(sum(this.#firstAttempts) * SHARE_OF_REQUESTS, floor);
  }

  /** What is left of it: 1 when nothing is used, 0 when all is. */
  left(nowMs: number): number {
    this.#slotAt(nowMs);
    const floor = this.#floorPerSecond * WINDOW_SECONDS;
    const allowed = Math.max(sum(this.#firstAttempts) * SHARE_OF_REQUESTS, floor);
    return Math.max(0, 1 - sum(this.#retries) / allowed);
  }

  charge(nowMs: number): void {
    const slot = this.#slotAt(nowMs);
    this.#retries[slot] = (this.#retries[slot] as number) + 1;
  }

  /** Nothing of what was charged at `chargedMs` has been sent. */
  giveBack(chargedMs: number, nowMs: number): void {
    this.#slotAt(nowMs);
    const second = Math.floor(chargedMs / 1000);
    if (second <= this.#second - WINDOW_SECONDS) return;
    const slot = second % WINDOW_SECONDS;
    this.#retries[slot] = (this.#retries[slot] as number) - 1;
  }

  #slotAt(nowMs: number): number {
    const second = Math.floor(nowMs / 1000);
    if (second > this.#second) {
      const first = Math.max(this.#second + 1, second - WINDOW_SECONDS + 1);
      for (let passed = first; passed <= second; passed += 1) {
        this.#firstAttempts[passed % WINDOW_SECONDS] = 0;
        this.#retries[passed % WINDOW_SECONDS] = 0;
      }
      this.#second = second;
    }
    return second % WINDOW_SECONDS;
  }
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
