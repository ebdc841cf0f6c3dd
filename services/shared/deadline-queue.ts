// pure · requests in the order of their deadlines. One queue that is swept replaces a timer per request.
// Must never sort: all requests have the same timeout, so the order of sending is the order of the deadlines.

const COMPACT_AFTER = 1024;
const TIDY_FROM = 4096;

type Waiting = { deadlineMs: number; isDone: boolean };

/**
 * First in, first out. What is done is dropped when it reaches the front, or when it has become half of the queue: a flood
 * of refused requests would otherwise be held until their deadlines.
 */
export class DeadlineQueue<T extends Waiting> {
  #items: (T | undefined)[] = [];
  #head = 0;
  #tidyAt = TIDY_FROM;

  /** Appends `item`, whose deadline must not be before that of the item pushed last. */
  push(item: T): void {
    this.#items.push(item);
    if (this.#items.length >= this.#tidyAt) this.#tidy();
  }

  /** How many it holds, done or not. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The item at the front that is not done yet, or undefined when nothing waits. It stays in the queue. */
  peek(): T | undefined {
    let item = this.#items[this.#head];
    while (item?.isDone === true) {
      this.#advance();
      item = this.#items[this.#head];
    }
    return item;
  }

  /** True when something that is not done has its deadline at or before `nowMs`. */
  hasExpired(nowMs: number): boolean {
    const item = this.peek();
    return item !== undefined && item.deadlineMs <= nowMs;
  }

  /** How many are not done; looks at each, so it is not for a data path. */
  countOpen(): number {
    return this.#open().length;
  }

  #tidy(): void {
    this.#items = this.#open();
    this.#head = 0;
    this.#tidyAt = Math.max(TIDY_FROM, 2 * this.#items.length);
  }

  #open(): (T | undefined)[] {
    return this.#items.slice(this.#head).filter((item) => item?.isDone === false);
  }

  #advance(): void {
    // Each would keep its client's connection alive, and those that outlive a collection of young garbage cost the most.
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head < COMPACT_AFTER || this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
