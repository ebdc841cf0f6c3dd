// pure · one simulated machine with one process on it, which can be frozen, killed and started again.
// Must never run anything of a process that is frozen or dead: what comes for the first waits, for the second is lost.
import type { Clock } from '../../services/shared/clock.ts';
import type { Endpoint } from './endpoint.ts';
import type { Timeline } from './timeline.ts';

const EPOCH_MS = Date.UTC(2030, 0, 1);

export class Host {
  readonly name: string;
  address: string;
  readonly endpoints = new Set<Endpoint>();
  readonly #timeline: Timeline;
  /** The process has done something since somebody last took note. */
  hasActed = false;
  #isAlive = true;
  #isFrozen = false;
  /** Counts the lives of the process, so that what a dead one has left is not done by the next. */
  #life = 0;
  #pendingTimers = 0;
  #dueTimers: (() => void)[] = [];
  #dueInput: (() => void)[] = [];

  constructor(name: string, address: string, timeline: Timeline) {
    this.name = name;
    this.address = address;
    this.#timeline = timeline;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** How many timers of this life are still to come. */
  get pendingTimers(): number {
    return this.#pendingTimers;
  }

  /** Has the process deal with something that its kernel has for it. */
  deal(work: () => void): void {
    if (!this.#isAlive) return;
    if (this.#isFrozen) {
      this.#dueInput.push(work);
      return;
    }
    this.hasActed = true;
    work();
  }

  /** Has the process deal with it after everything else of this moment. */
  dealLast(work: () => void): void {
    this.#timeline.last(this.#ofThisLife(() => this.deal(work)));
  }

  /** A timer of the process. */
  after(ms: number, work: () => void): () => void {
    this.#pendingTimers += 1;
    let isPending = true;
    const settle = (): boolean => {
      if (!isPending) return false;
      isPending = false;
      this.#pendingTimers -= 1;
      return true;
    };
    const run = (): void => {
      if (!settle()) return;
      this.hasActed = true;
      work();
    };
    const onDue = this.#ofThisLife(() => {
      if (this.#isFrozen) this.#dueTimers.push(run);
      else run();
    });
    const cancel = this.#timeline.after(ms, onDue);
    const life = this.#life;
    return () => {
      cancel();
      if (life === this.#life) settle();
    };
  }

  #ofThisLife(work: () => void): () => void {
    const life = this.#life;
    return () => {
      if (this.#isAlive && life === this.#life) work();
    };
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  /** Goes on: timers come before what the network has brought, as in libuv. */
  thaw(): void {
    if (!this.#isFrozen) return;
    this.#isFrozen = false;
    for (const work of [...this.#dueTimers.splice(0), ...this.#dueInput.splice(0)]) {
      this.#timeline.after(
        0,
        this.#ofThisLife(() => this.deal(work)),
      );
    }
  }

  /** Ends the process; its kernel closes what it had open. */
  kill(): void {
    this.#isAlive = false;
    this.#isFrozen = false;
    this.#life += 1;
    this.#pendingTimers = 0;
    this.#dueTimers = [];
    this.#dueInput = [];
    for (const endpoint of [...this.endpoints]) endpoint.abandon();
  }

  /** Starts the process again. */
  revive(): void {
    this.#isAlive = true;
  }
}

/** A clock of a process that runs on `host`. */
export function clockOf(host: Host, timeline: Timeline): Clock {
  return {
    now: () => timeline.nowMs,
    wallNow: () => EPOCH_MS + Math.floor(timeline.nowMs),
    sleep: (ms) =>
      new Promise((resolve) => {
        host.after(nodeDelay(ms), resolve);
      }),
    after: (ms, work) => host.after(nodeDelay(ms), work),
    soon: (work) => host.dealLast(work),
  };
}

// Node's timers know whole milliseconds, and at least one.
function nodeDelay(ms: number): number {
  return Math.max(1, Math.trunc(ms));
}
