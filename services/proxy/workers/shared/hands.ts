// Which workers are handing a request over just now, in shared memory: the keeper waits for them. On the data path.
import type { Hand } from '../../routing/rotation/turn.ts';
import { ROW } from './rows.ts';

// A worker that runs is done by then.
const LOOKS = 2000;
// One that the system does not let run is looked for again.
const LOOK_EVERY_MS = 1;
// One that has died takes its hand along only when its end is known.
const WAITS = 100;

/** That of one worker: a number that is odd while it hands something over. */
export class SharedHand implements Hand {
  readonly #cells: Int32Array;
  readonly #at: number;

  /**
   * @param buffer of `rowsBuffer`
   * @param worker its number, from 0
   */
  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.#cells = new Int32Array(buffer);
    this.#at = worker * ROW;
  }

  begin(): void {
    Atomics.add(this.#cells, this.#at, 1);
  }

  end(): void {
    Atomics.add(this.#cells, this.#at, 1);
  }
}

/** Those of all workers, for the keeper. */
export class Hands {
  readonly #cells: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#cells = new Int32Array(buffer);
  }

  /** Returns when whoever was handing something over has done so, and counted it; what begins later knows what came before. */
  settle(): void {
    for (let at = 0; at < this.#cells.length; at += ROW) {
      const seen = Atomics.load(this.#cells, at);
      if (seen % 2 !== 0) this.#await(at, seen);
    }
  }

  #await(at: number, seen: number): void {
    for (let looks = 0; looks < LOOKS; looks += 1) if (Atomics.load(this.#cells, at) !== seen) return;
    for (let waits = 0; waits < WAITS; waits += 1)
      if (Atomics.wait(this.#cells, at, seen, LOOK_EVERY_MS) === 'not-equal') return;
  }

  /** A worker is gone, whatever it was doing. */
  giveBack(worker: number): void {
    Atomics.store(this.#cells, worker * ROW, 0);
  }
}
