// A queue: first in, first out.

const COMPACT_FROM = 256;
// To empty an array gives its memory back, and the next push takes new: a queue that is empty again and again would pay
// that for each item.
const EMPTY_FROM = 32;

/** An array whose front moves: `shift` of a plain array copies all that is left. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The one at the front, which stays; undefined when there is none. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** Takes the one at the front; undefined when there is none. */
  shift(): T | undefined {
    const items = this.#items;
    const item = items[this.#head];
    if (item === undefined) return undefined;
    // A queue that is short for long would keep in memory what has left it.
    items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === items.length) {
      if (this.#head < EMPTY_FROM) return item;
      items.length = 0;
      this.#head = 0;
    } else if (this.#head >= COMPACT_FROM && this.#head * 2 >= items.length) {
      this.#items = items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Puts items before all others; copies what is in it. */
  putFirst(items: readonly T[]): void {
    this.#items = [...items, ...this.toArray()];
    this.#head = 0;
  }

  /** A copy of what is in it, oldest first, without the first `skipped`. */
  toArray(skipped = 0): T[] {
    return this.#items.slice(this.#head + skipped) as T[];
  }

  keepOnly(isWanted: (item: T) => boolean): void {
    this.#items = this.toArray().filter(isWanted);
    this.#head = 0;
  }
}
