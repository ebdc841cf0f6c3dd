// pure · simulated time, and machines with one process each that can be frozen, killed and started again.
import type { Clock } from '../../services/shared/clock.ts';
import type { SimulatedSocket } from './socket.ts';

const EPOCH_MS = Date.UTC(2030, 0, 1);

type Entry = { atMs: number; isLast: boolean; work: (() => void) | null };

/** A queue of things to do, each at its own simulated time. What is due together runs in the order of scheduling. */
export class Timeline {
  nowMs: number;
  /** What is due next is at the end: most of what is added is due soon, and moves few others. */
  readonly #entries: Entry[] = [];

  /** @param startMs not 0, which some fields of the proxy take for "never" */
  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  /** Runs `work` in `ms` from now. @returns cancels it */
  after(ms: number, work: () => void): () => void {
    return this.#add({ atMs: this.nowMs + ms, isLast: false, work });
  }

  /** Runs `work` when nothing else is left to do at this time. */
  last(work: () => void): void {
    this.#add({ atMs: this.nowMs, isLast: true, work });
  }

  /** Advances to the next thing that is due until `untilMs`. @returns null, with the time at `untilMs`, when there is none */
  next(untilMs: number): (() => void) | null {
    for (let first = this.#entries.at(-1); first !== undefined; first = this.#entries.at(-1)) {
      if (first.atMs > untilMs) break;
      this.#entries.pop();
      if (first.work === null) continue;
      this.nowMs = Math.max(this.nowMs, first.atMs);
      return first.work;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
    return null;
  }

  #add(entry: Entry): () => void {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(entry, this.#entries[middle] as Entry)) low = middle + 1;
      else high = middle;
    }
    this.#entries.splice(low, 0, entry);
    return () => {
      entry.work = null;
    };
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && !one.isLast && other.isLast);
}

function nothingHeld(): Record<'turn' | 'timers' | 'input', (() => void)[]> {
  return { turn: [], timers: [], input: [] };
}

/** A machine with one process. Work for a frozen process waits until it thaws; work for a dead one is dropped. */
export class Host {
  readonly name: string;
  address: string;
  readonly sockets = new Set<SimulatedSocket>();
  /** The process has done something since this was last set to false. */
  hasActed = false;
  isAlive = true;
  isFrozen = false;
  readonly #timeline: Timeline;
  /** Counts the starts of the process: what a dead process has scheduled must not run in the next one. */
  #life = 0;
  #timers = new Set<() => void>();
  /** What waits until the process thaws. */
  #held = nothingHeld();
  #onFrozenInTurn: (() => void) | null = null;
  #isInTimer = false;

  constructor(name: string, address: string, timeline: Timeline) {
    this.name = name;
    this.address = address;
    this.#timeline = timeline;
  }

  /** How many timers of the process are still to come. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Runs `work` in the process: its kernel has something for it. */
  run(work: () => void): void {
    if (!this.isAlive) return;
    if (this.isFrozen) {
      this.#held.input.push(work);
      return;
    }
    this.hasActed = true;
    work();
  }

  /** As `run`, after everything else of this moment. */
  runLast(work: () => void): void {
    const isOfTimer = this.#isInTimer;
    const onTurnsEnd = (): void => {
      if (isOfTimer) this.#onFrozenInTurn?.();
      if (this.isFrozen) this.#held.turn.push(work);
      else this.run(work);
    };
    this.#timeline.last(this.#ofThisLife(onTurnsEnd));
  }

  /** A timer of the process. @returns cancels it */
  after(ms: number, work: () => void): () => void {
    const timers = this.#timers;
    const fire = (): void => {
      if (!timers.delete(fire)) return;
      this.hasActed = true;
      this.#isInTimer = true;
      work();
      this.#isInTimer = false;
    };
    timers.add(fire);
    const onDue = this.#ofThisLife(() => (this.isFrozen ? this.#held.timers.push(fire) : fire()));
    const cancel = this.#timeline.after(ms, onDue);
    return () => {
      cancel();
      timers.delete(fire);
    };
  }

  #ofThisLife(work: () => unknown): () => void {
    const life = this.#life;
    return () => {
      if (this.isAlive && life === this.#life) work();
    };
  }

  freeze(): void {
    this.isFrozen = true;
    this.#onFrozenInTurn = null;
  }

  /** Calls `freeze` when the process has read its input after one of its timers, and is about to do what that has put off. */
  freezeInTurn(freeze: () => void): void {
    this.#onFrozenInTurn = freeze;
  }

  /** Continues the process: the rest of its turn comes first, then its timers, then its input, as in libuv. */
  thaw(): void {
    this.#onFrozenInTurn = null;
    if (!this.isFrozen) return;
    this.isFrozen = false;
    const { turn, timers, input } = this.#held;
    this.#held = nothingHeld();
    for (const work of [...turn, ...timers, ...input]) {
      const run = (): void => this.run(work);
      this.#timeline.after(0, this.#ofThisLife(run));
    }
  }

  /** Ends the process; its kernel closes its sockets. */
  kill(): void {
    this.isAlive = false;
    this.isFrozen = false;
    this.#life += 1;
    this.#timers = new Set();
    this.#held = nothingHeld();
    this.#onFrozenInTurn = null;
    for (const socket of [...this.sockets]) socket.abandon();
  }

  /** Starts the process again. */
  revive(): void {
    this.isAlive = true;
  }

  /** The clock of the process. @param onWork called before each thing that it does when a time has come */
  clock(onWork: () => void = () => {}): Clock {
    const withNotice = (work: () => void) => (): void => {
      onWork();
      work();
    };
    // Node's timers know whole milliseconds, and at least one.
    const after = (ms: number, work: () => void) => this.after(Math.max(1, Math.trunc(ms)), withNotice(work));
    return {
      now: () => this.#timeline.nowMs,
      wallNow: () => EPOCH_MS + Math.floor(this.#timeline.nowMs),
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          signal?.throwIfAborted();
          const cancel = after(ms, resolve);
          const onAbort = (): void => {
            cancel();
            reject(signal?.reason);
          };
          signal?.addEventListener('abort', onAbort, { once: true });
        }),
      after,
      soon: (work) => this.runLast(withNotice(work)),
    };
  }
}
