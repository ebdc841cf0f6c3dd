// pure · which events about one server are told: all of a sound one's, a bounded number of one that flaps.
import type { ClusterEvent, EventType } from './events.ts';

const WINDOW_MS = 10_000;
// A server that is restarted, frozen or cut off again and again comes to a handful in this time.
const TOLD_IN_WINDOW = 40;

/** These end what there is of a server, or begin an outage that lasts: they are always told. */
const ALWAYS_TOLD: ReadonlySet<EventType> = new Set(['evicted', 'ejected', 'forgotten', 'leaving', 'left']);
const IN_ROTATION: ReadonlySet<EventType> = new Set(['admitted', 'trial']);

/** What an event is about, before it has its number and its time. */
export type Happening = Omit<ClusterEvent, 'seq' | 'atMs'>;

/** The events about one server. */
export class EventFlow {
  #windowEndsMs: number;
  #told = 0;
  #leftOut = 0;
  /** The last that was left out, when none was told after it. */
  #pending: Happening | null = null;
  /** The last event that was told says that it is out of the rotation. */
  #isShownOut = false;

  constructor(nowMs: number) {
    this.#windowEndsMs = nowMs + WINDOW_MS;
  }

  /**
   * An event happened. Too many in this window, and short absences are left out, in pairs: what is told always says the truth
   * about who is in the rotation, but for absences that are over within the window.
   * @returns what to tell; null to leave it out
   */
  take(happening: Happening): Happening | null {
    const isIn = IN_ROTATION.has(happening.type);
    const isTold =
      this.#told < TOLD_IN_WINDOW || ALWAYS_TOLD.has(happening.type) || (isIn && this.#isShownOut);
    if (!isTold) {
      this.#leftOut += 1;
      this.#pending = happening;
      return null;
    }
    return this.#tell(happening, this.#leftOut);
  }

  /**
   * Begins a new window when the old one is over.
   * @returns the last event that was left out, with how many others were; null when there is none
   */
  nextWindow(nowMs: number): Happening | null {
    this.#windowEndsMs = nowMs + WINDOW_MS;
    this.#told = 0;
    return this.#pending === null ? null : this.#tell(this.#pending, this.#leftOut - 1);
  }

  /** Whether its window is over; a clock that was set back ends it too. */
  isOver(nowMs: number): boolean {
    return nowMs >= this.#windowEndsMs || nowMs < this.#windowEndsMs - WINDOW_MS;
  }

  /** Nothing has happened in its window. */
  get isIdle(): boolean {
    return this.#told === 0;
  }

  #tell(happening: Happening, leftOut: number): Happening {
    this.#told += 1;
    this.#leftOut = 0;
    this.#pending = null;
    this.#isShownOut = !IN_ROTATION.has(happening.type);
    if (leftOut === 0) return happening;
    return {
      ...happening,
      why: `${happening.why}; ${leftOut} events about it before this one were left out`,
    };
  }
}
