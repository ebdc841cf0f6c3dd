// The requests of a policy that wait for a server: whose turn is next, and which one goes where all places are taken.
import { Fifo } from '../../../shared/fifo.ts';
import { IntrusiveSet, type SetMember } from '../../../shared/intrusive-set.ts';

/** A connection that requests come on. */
export type Sharer = {
  /** Its lines, one for each queue in which a request of its waits. Written by the queues. */
  lines: readonly Line[];
};

/** Of a connection that waits nowhere. */
export const NO_LINES: readonly Line[] = [];

/** What becomes of a request that is looked at: it goes to a server, it is over, it waits on, or it is looked at no more. */
export type Look = 'served' | 'over' | 'waits' | 'stop';

type Item = { readonly client: Sharer };

/** What of one connection waits in one queue. */
class Line<T extends Item = Item> implements SetMember {
  readonly queue: object;
  /** Oldest first. */
  readonly items: T[] = [];
  place = -1;
  /** The last visit that came by, and how many of the first items it has found to wait on. */
  visit = 0;
  looked = 0;

  constructor(queue: object) {
    this.queue = queue;
  }
}

/**
 * Shares a policy's servers, and its places, among connections: those that wait have one request served in turn, as in fair
 * queueing with packets of one size (J. Nagle, "On packet switches with infinite storage", RFC 970). Where all places are
 * taken, a connection that has the most of them loses its newest to one that has fewer (longest queue drop: B. Suter and
 * others, "Design considerations for supporting TCP with per-flow queueing", 1998).
 */
export class FairQueue<T extends Item> {
  /** First the one whose turn is next. */
  readonly #ring = new Fifo<Line<T>>();
  /** The lines of each length. */
  readonly #ofLength: IntrusiveSet<Line<T>>[] = [new IntrusiveSet()];
  #longest = 0;
  #length = 0;
  #visits = 0;

  get length(): number {
    return this.#length;
  }

  /** A copy of what is in it, line by line. */
  toArray(): T[] {
    return this.#ring.toArray().flatMap(({ items }) => items);
  }

  /**
   * Has an item wait behind those of the same connection.
   * @param limit how many may wait
   * @returns the one that has to go, which may be `item` itself; null where there is room
   */
  add(item: T, limit: number): T | null {
    let line = this.#lineOf(item);
    let dropped: T | null = null;
    if (this.#length >= limit) {
      if (this.#longest <= (line?.items.length ?? 0) + 1) return item;
      dropped = this.#dropOfLongest();
    }
    if (line === undefined) {
      line = this.#open(item);
      this.#ring.push(line);
    }
    line.items.push(item);
    this.#measure(line, line.items.length - 1);
    return dropped;
  }

  /** Has an item wait before all others, whether there is room or not. */
  addFirst(item: T): void {
    const line = this.#lineOf(item) ?? this.#open(item);
    this.#ring.keepOnly((one) => one !== line);
    this.#ring.putFirst([line]);
    line.items.unshift(item);
    this.#measure(line, line.items.length - 1);
  }

  /** Looks at each, in turn, until one is not to be looked at. `look` must not change this queue. */
  visit(look: (item: T) => Look): void {
    this.#visits += 1;
    const ring = this.#ring;
    const stuck: Line<T>[] = [];
    for (let line = ring.peek(); line !== undefined; line = ring.peek()) {
      const seen = this.#visitLine(line, look);
      if (seen === 'stop') break;
      ring.shift();
      if (line.items.length === 0) continue;
      if (seen === 'served') ring.push(line);
      else stuck.push(line);
    }
    if (stuck.length > 0) ring.putFirst(stuck);
  }

  // Until one is served.
  #visitLine(line: Line<T>, look: (item: T) => Look): Look {
    const { items } = line;
    if (line.visit !== this.#visits) line.looked = 0;
    line.visit = this.#visits;
    let seen: Look = 'waits';
    while (line.looked < items.length && (seen === 'waits' || seen === 'over')) {
      seen = look(items[line.looked] as T);
      if (seen === 'waits') line.looked += 1;
      else if (seen !== 'stop') this.#take(line, line.looked);
    }
    return seen;
  }

  #lineOf({ client }: T): Line<T> | undefined {
    return client.lines.find(({ queue }) => queue === this) as Line<T> | undefined;
  }

  #open({ client }: T): Line<T> {
    const line = new Line<T>(this);
    client.lines = [...client.lines, line];
    return line;
  }

  // It leaves some behind: only to one that has fewer does it lose one.
  #dropOfLongest(): T {
    const line = this.#ofLength[this.#longest]?.members.at(-1) as Line<T>;
    return this.#take(line, line.items.length - 1);
  }

  #take(line: Line<T>, at: number): T {
    const [item] = line.items.splice(at, 1) as [T];
    this.#measure(line, line.items.length + 1);
    if (line.items.length === 0) item.client.lines = item.client.lines.filter((one) => one !== line);
    return item;
  }

  // The line was `before` long, one more or one less than it is.
  #measure(line: Line<T>, before: number): void {
    const now = line.items.length;
    this.#ofLength[before]?.delete(line);
    if (now > 0) {
      this.#ofLength[now] ??= new IntrusiveSet();
      this.#ofLength[now].add(line);
    }
    this.#length += now - before;
    if (now > this.#longest) this.#longest = now;
    else if (this.#ofLength[this.#longest]?.size === 0) this.#longest = now;
  }
}
