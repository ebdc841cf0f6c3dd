// How many connections that carry one request alone, to servers that keep theirs, may stand at once, and whose they are.

// A policy has at most so many times as many as are free: whatever others have taken, some are left.
const TIMES_WHAT_IS_FREE = 3;

/**
 * When a server dies, each request that was behind others on its connections goes on alone, a descriptor each. All policies
 * share the places for these. How many one may have follows what is free (A. Choudhury and E. Hahne, "Dynamic queue length
 * thresholds for shared-memory packet switches", 1998), and a policy that has none may have one: its servers have places
 * for more connections than they need.
 *
 * Written by the pools.
 */
export class LonePlaces {
  readonly #limit: () => number;
  readonly #ofPolicy = new Map<string, number>();
  #taken = 0;

  /** @param limit how many there may be now, of all policies */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Whether a request of this policy may go on a connection of its own. */
  hasRoom(policy: string): boolean {
    const own = this.#ofPolicy.get(policy) ?? 0;
    return own === 0 || own < TIMES_WHAT_IS_FREE * (this.#limit() - this.#taken);
  }

  take(policy: string): void {
    this.#ofPolicy.set(policy, (this.#ofPolicy.get(policy) ?? 0) + 1);
    this.#taken += 1;
  }

  giveBack(policy: string): void {
    const own = (this.#ofPolicy.get(policy) ?? 0) - 1;
    if (own > 0) this.#ofPolicy.set(policy, own);
    else this.#ofPolicy.delete(policy);
    this.#taken -= 1;
  }
}
