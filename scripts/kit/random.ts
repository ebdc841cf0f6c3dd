// pure · chance that a seed decides (pure-rand's xoroshiro128+). Each plan, input or simulated world has one of its own.
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** The largest seed that commands take. */
export const MAX_SEED = 2 ** 31 - 1;

export class Random {
  readonly #generator;

  /** @param seed a 32-bit whole number */
  constructor(seed: number) {
    this.#generator = xoroshiro128plus(seed);
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return uniformInt(this.#generator, min, max);
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)] as T;
  }

  /** `items` in another order (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let last = shuffled.length - 1; last > 0; last -= 1) {
      const at = this.between(0, last);
      [shuffled[last], shuffled[at]] = [shuffled[at] as T, shuffled[last] as T];
    }
    return shuffled;
  }
}
