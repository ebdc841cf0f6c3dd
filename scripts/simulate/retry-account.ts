// pure · a second account of the proxy's retries, kept from outside, to hold its budget against.
// Must never share a rule with the budget that it checks.
import type { ForwarderCounters } from '../../services/proxy/forwarder.ts';

const WINDOW_MS = 10_000;
const SHARE = 0.2;
const FLOOR = 100;
// Ten in any second are allowed whatever was before.
const ALWAYS = 100;

export class RetryAccount {
  readonly #counters: ForwarderCounters;
  readonly #requests: number[] = [];
  readonly #retries: number[] = [];
  #seenRequests = 0;
  #seenRetries = 0;

  constructor(counters: ForwarderCounters) {
    this.#counters = counters;
  }

  /** Takes what has been counted since the last time. @returns whether there was a retry */
  update(nowMs: number): boolean {
    const { requests, retries } = this.#counters;
    const hadRetry = retries > this.#seenRetries;
    for (; this.#seenRequests < requests; this.#seenRequests += 1) this.#requests.push(nowMs);
    for (; this.#seenRetries < retries; this.#seenRetries += 1) this.#retries.push(nowMs);
    while ((this.#requests[0] ?? nowMs) < nowMs - WINDOW_MS) this.#requests.shift();
    while ((this.#retries[0] ?? nowMs) < nowMs - WINDOW_MS) this.#retries.shift();
    return hadRetry;
  }

  get isOverdrawn(): boolean {
    return this.#retries.length > Math.max(this.#requests.length * SHARE, FLOOR) + ALWAYS;
  }

  /** So many that one more may have been refused. */
  get isNearlyUsedUp(): boolean {
    return this.#retries.length > FLOOR - 30;
  }

  toText(): string {
    return `${this.#retries.length} retries and ${this.#requests.length} requests in ${WINDOW_MS / 1000} s`;
  }
}
