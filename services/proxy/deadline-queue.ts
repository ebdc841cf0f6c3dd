// pure · every open request in the order of its deadline. All have the same time, so the order of arrival is enough.
// Must never cost more than a push per request: what is done leaves when it reaches the front.
import type { Request } from './request.ts';

const COMPACT_AFTER = 1024;

export class DeadlineQueue {
  #requests: Request[] = [];
  #head = 0;

  push(request: Request): void {
    this.#requests.push(request);
  }

  /** Takes the next request whose deadline has passed and that has no reply yet; null when there is none. */
  takeDue(nowMs: number): Request | null {
    while (this.#head < this.#requests.length) {
      const request = this.#requests[this.#head] as Request;
      if (!request.isDone && request.deadlineMs > nowMs) break;
      this.#head += 1;
      if (!request.isDone) return request;
    }
    this.#compact();
    return null;
  }

  /** How many have no reply yet; looks at each, so it is not for the data path. */
  countOpen(): number {
    return this.#requests.slice(this.#head).filter((request) => !request.isDone).length;
  }

  #compact(): void {
    if (this.#head < COMPACT_AFTER && this.#head < this.#requests.length) return;
    this.#requests = this.#requests.slice(this.#head);
    this.#head = 0;
  }
}
