// pure · the replies of one connection, in the order of its requests. On the data path.
// Must never let a later reply overtake an earlier one, or keep a request whose reply has been taken.
import type { Request } from '../routing/request.ts';

export class ReplyQueue {
  #first: Request | null = null;
  #last: Request | null = null;
  #length = 0;

  /** How many requests have no reply that may leave yet. */
  get length(): number {
    return this.#length;
  }

  /** Notes a request's place; its reply leaves after those of all before it. */
  append(request: Request): void {
    if (this.#last === null) this.#first = request;
    else this.#last.next = request;
    this.#last = request;
    this.#length += 1;
  }

  /** Takes the replies that may leave now, as latin1: those up to the first request that has none yet. */
  take(): string {
    let ready = '';
    let first = this.#first;
    while (first !== null && first.reply !== null) {
      ready += first.reply;
      this.#length -= 1;
      const { next }: Request = first;
      // A request that is held elsewhere must not hold all its successors too.
      first.next = null;
      first = next;
    }
    this.#first = first;
    if (first === null) this.#last = null;
    return ready;
  }
}
