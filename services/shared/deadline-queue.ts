// Requests in the order of their deadlines: one queue that is swept replaces a timer per request.
import { Fifo } from './fifo.ts';

const TIDY_FROM = 4096;

type Waiting = { deadlineMs: number; isDone: boolean };

/**
 * All have the same time-out, so the order of sending is the order of the deadlines. What is done is dropped when it reaches
 * the front, or when the queue has doubled: a flood of refused requests would otherwise be held until their deadlines.
 */
export class DeadlineQueue<T extends Waiting> {
  readonly #queue = new Fifo<T>();
  #tidyAt = TIDY_FROM;

  /** Appends `item`, whose deadline must not be before that of the item pushed last. */
  push(item: T): void {
    const queue = this.#queue;
    queue.push(item);
    if (queue.length < this.#tidyAt) return;
    queue.keepOnly(({ isDone }) => !isDone);
    this.#tidyAt = Math.max(TIDY_FROM, 2 * queue.length);
  }

  get length(): number {
    return this.#queue.length;
  }

  /** The first item that is not done yet, or undefined when nothing waits. It stays in the queue. */
  peek(): T | undefined {
    let item = this.#queue.peek();
    while (item?.isDone === true) {
      this.#queue.shift();
      item = this.#queue.peek();
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
    return this.#queue.toArray().filter(({ isDone }) => !isDone).length;
  }
}
