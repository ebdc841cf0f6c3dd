// When requests that were handed to connections are written: many of one connection in one write.
import type { UpstreamConnection } from './upstream-connection.ts';

// A busy loop turns in a fraction of a millisecond, so this bounds what waiting costs.
const MAX_TURNS = 3;

export type Flushable = Pick<UpstreamConnection, 'hasUnwritten' | 'flush'>;

/**
 * Joins writes: what is added goes out in one write a connection as soon as a turn of the event loop has added nothing
 * new, or after three turns. A write to a server costs as much as reading a client's request, and under load each turn
 * brings only one or two requests for each server.
 */
export class Flusher {
  #dirty: Flushable[] = [];
  #turns = 0;
  #hasNew = false;
  readonly #soon: (work: () => void) => void;

  /** @param soon runs something at the end of the turn of the loop */
  constructor(soon: (work: () => void) => void) {
    this.#soon = soon;
  }

  /** Has what `flushable` is about to be given flushed soon. */
  add(flushable: Flushable): void {
    this.#hasNew = true;
    if (flushable.hasUnwritten) return;
    if (this.#dirty.length === 0) this.#soon(this.#turn);
    this.#dirty.push(flushable);
  }

  readonly #turn = (): void => {
    this.#turns += 1;
    if (this.#turns < MAX_TURNS && this.#hasNew) {
      this.#hasNew = false;
      this.#soon(this.#turn);
      return;
    }
    this.#turns = 0;
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const flushable of dirty) flushable.flush();
  };
}
