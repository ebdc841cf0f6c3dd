// pure · a second account of one policy's retries, kept from outside, to hold its budget against.
// Must never share a rule with the budget that it checks.

const WINDOW_MS = 10_000;
const SHARE = 0.2;
const FLOOR = 100;
// Ten in any second are allowed whatever was before.
const ALWAYS = 100;

export class RetryAccount {
  readonly #firsts: number[] = [];
  /** Sent again after an attempt: these are charged. */
  readonly #charged: number[] = [];
  /** Sent again for whatever reason. */
  readonly #again: number[] = [];

  /** A request was handed over for the first time. */
  countFirst(nowMs: number): void {
    this.#firsts.push(nowMs);
  }

  /** A request was handed over again. @param wasAttempted it was the one that was worked on, and not one behind that */
  countAgain(nowMs: number, wasAttempted: boolean): void {
    this.#again.push(nowMs);
    if (wasAttempted) this.#charged.push(nowMs);
  }

  /** What keeps more than what any rule allows. */
  isOverdrawn(nowMs: number): boolean {
    this.#forget(nowMs);
    return this.#charged.length > Math.max(this.#firsts.length * SHARE, FLOOR) + ALWAYS;
  }

  /** So many that one more may have been refused. */
  isNearlyUsedUp(nowMs: number): boolean {
    this.#forget(nowMs);
    return this.#again.length > FLOOR - 30;
  }

  toText(): string {
    return `${this.#charged.length} retries and ${this.#firsts.length} requests in ${WINDOW_MS / 1000} s`;
  }

  #forget(nowMs: number): void {
    for (const times of [this.#firsts, this.#charged, this.#again]) {
      while ((times[0] ?? nowMs) < nowMs - WINDOW_MS) times.shift();
    }
  }
}
