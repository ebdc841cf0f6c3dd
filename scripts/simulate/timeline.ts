// pure · simulated time: what is due, in the order in which it is due. Nothing here waits for anything real.
// Must never run two things at once, or order what is due together by anything but when it was asked for.

type Entry = { atMs: number; phase: 0 | 1; seq: number; work: (() => void) | null };

/** A queue of things to do, each at its own simulated time. */
export class Timeline {
  nowMs: number;
  readonly #heap: Entry[] = [];
  #lastSeq = 0;

  /** @param startMs not 0, which some fields of the proxy take for "never" */
  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  /** Runs `work` in `ms` from now; the function returned takes it back. */
  after(ms: number, work: () => void): () => void {
    return this.#add(this.nowMs + ms, 0, work);
  }

  /** Runs `work` when nothing else is left to do at this time. */
  last(work: () => void): void {
    this.#add(this.nowMs, 1, work);
  }

  /** Moves on to the next thing that is due until `untilMs`. @returns null when there is none, and then it is `untilMs` */
  next(untilMs: number): (() => void) | null {
    while (true) {
      const first = this.#heap[0];
      if (first === undefined || first.atMs > untilMs) {
        this.nowMs = Math.max(this.nowMs, untilMs);
        return null;
      }
      this.#takeFirst();
      if (first.work === null) continue;
      this.nowMs = Math.max(this.nowMs, first.atMs);
      return first.work;
    }
  }

  #add(atMs: number, phase: 0 | 1, work: () => void): () => void {
    this.#lastSeq += 1;
    const entry: Entry = { atMs, phase, seq: this.#lastSeq, work };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent] as Entry)) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
    return () => {
      entry.work = null;
    };
  }

  #takeFirst(): void {
    const heap = this.#heap;
    const moved = heap.pop() as Entry;
    if (heap.length === 0) return;
    let at = 0;
    while (true) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child += 1;
      if (!isBefore(heap[child] as Entry, moved)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = moved;
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  if (one.atMs !== other.atMs) return one.atMs < other.atMs;
  if (one.phase !== other.phase) return one.phase < other.phase;
  return one.seq < other.seq;
}
