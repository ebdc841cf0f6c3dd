// The requests of a policy that wait for a server, in the order in which they are served. On the data path.

/** A connection that requests come on. */
export type Sharer = {
  /** How many of its requests wait, for each queue where some do. Written by the queues. */
  lines: readonly Line[];
};

/** What of a connection waits in one queue. */
export type Line = { readonly queue: object; length: number };

/** Of a connection that waits nowhere. */
export const NO_LINES: readonly Line[] = [];

/** What becomes of a request that is looked at: it goes to a server, it is over, it waits on, or it is looked at no more. */
export type Look = 'served' | 'over' | 'waits' | 'stop';

type Place<Item> = { readonly item: Item; readonly line: Line; readonly turn: number };

/**
 * Shares a policy's servers, and its places, among connections. In a turn each of them has one request served (self-clocked
 * fair queueing, S. J. Golestani, 1994). A request that comes while none of the same connection waits has an odd turn, all
 * others have even ones: who asks one thing is served before the second request of most, and before the third of any other
 * connection. Where all places are taken, the connection that has most of them loses its last one to a connection that has
 * fewer (longest queue drop: B. Suter and others, "Design considerations for supporting TCP with per-flow queueing", 1998).
 */
export class FairQueue<Item extends { readonly client: Sharer }> {
  /** In the order of their turns; of the same turn, in the order of arrival. */
  readonly #places: Place<Item>[] = [];
  /** The latest turn in which one was served. */
  #turn = 0;
  /** How many lines there are of each length. */
  readonly #lines: number[] = [0];
  #longest = 0;

  get length(): number {
    return this.#places.length;
  }

  /** A copy of what is in it, first the one that is served next. */
  toArray(): Item[] {
    return this.#places.map(({ item }) => item);
  }

  /**
   * Puts an item at its place.
   * @param limit how many may wait
   * @returns the one that has to go, which may be `item` itself; null where there is room
   */
  add(item: Item, limit: number): Item | null {
    const waiting = this.#lineOf(item)?.length ?? 0;
    const isFull = this.#places.length >= limit;
    if (isFull && this.#longest <= waiting + 1) return item;
    const dropped = isFull ? this.#dropOfLongest() : null;
    const turn = this.#nextTurn(waiting);
    this.#places.splice(this.#indexAfter(turn), 0, this.#placeFor(item, turn));
    return dropped;
  }

  /** Puts an item before all others, whether there is room or not. */
  addFirst(item: Item): void {
    this.#places.unshift(this.#placeFor(item, this.#places[0]?.turn ?? this.#turn));
  }

  /** Looks at each in its turn, until one is not to be looked at. `look` must not change this queue. */
  visit(look: (item: Item) => Look): void {
    const places = this.#places;
    let kept = 0;
    let at = 0;
    for (; at < places.length; at += 1) {
      const place = places[at] as Place<Item>;
      const seen = look(place.item);
      if (seen === 'stop') break;
      if (seen === 'waits') {
        places[at] = places[kept] as Place<Item>;
        places[kept] = place;
        kept += 1;
        continue;
      }
      if (seen === 'served') this.#turn = Math.max(this.#turn, place.turn);
    }
    this.#drop(kept, at - kept);
  }

  // The next odd turn, or the even one behind those of as many that wait.
  #nextTurn(waiting: number): number {
    const odd = this.#turn + 1 + (this.#turn % 2);
    return waiting === 0 ? odd : odd + 2 * waiting - 1;
  }

  // Behind all that have this turn, or an earlier one.
  #indexAfter(turn: number): number {
    let low = 0;
    let high = this.#places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#places[middle] as Place<Item>).turn <= turn) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #lineOf({ client }: Item): Line | undefined {
    return client.lines.find(({ queue }) => queue === this);
  }

  #placeFor(item: Item, turn: number): Place<Item> {
    let line = this.#lineOf(item);
    if (line === undefined) {
      line = { queue: this, length: 0 };
      item.client.lines = [...item.client.lines, line];
    }
    this.#setLength(line, line.length + 1);
    return { item, line, turn };
  }

  // It stands near the end: the turns of a long line go on after those of the others.
  #dropOfLongest(): Item {
    const at = this.#places.findLastIndex(({ line }) => line.length === this.#longest);
    const { item } = this.#places[at] as Place<Item>;
    this.#drop(at, 1);
    return item;
  }

  #drop(from: number, count: number): void {
    for (const { item, line } of this.#places.splice(from, count)) {
      this.#setLength(line, line.length - 1);
      if (line.length === 0) item.client.lines = item.client.lines.filter((one) => one !== line);
    }
  }

  // By one more, or one less.
  #setLength(line: Line, length: number): void {
    const lines = this.#lines;
    if (line.length > 0) lines[line.length] = (lines[line.length] as number) - 1;
    if (length > 0) lines[length] = (lines[length] ?? 0) + 1;
    line.length = length;
    if (length > this.#longest) this.#longest = length;
    else if (lines[this.#longest] === 0) this.#longest = length;
  }
}
