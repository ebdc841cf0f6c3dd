// A server's numbers in shared memory: a row for each worker, which alone writes it, and one for the keeper.
import type { Tally } from '../../servers/tally.ts';

// A row has cache lines of its own.
const ROW = 16;
const IN_FLIGHT = 0;
const HANGING = 1;
const SENT = 2;
const SERVED = 3;
const FAILED = 4;
const LAST_ANSWER_MS = 5;
/** In the keeper's row, which is the first. */
const PROVEN_MS = 0;
/** Whole numbers there: 1 while it is out of the rotation; the worker, from 1, that is about to give a server its only request. */
const OUT = 2;
const CLAIMED = 3;

function tallyBuffer(workers: number): SharedArrayBuffer {
  const cells = new Float64Array(new SharedArrayBuffer((1 + workers) * ROW * Float64Array.BYTES_PER_ELEMENT));
  cells[PROVEN_MS] = Number.NEGATIVE_INFINITY;
  for (let row = ROW; row < cells.length; row += ROW) cells[row + LAST_ANSWER_MS] = Number.NEGATIVE_INFINITY;
  return cells.buffer as SharedArrayBuffer;
}

/** That of one worker. */
export class WorkerTally implements Tally {
  readonly #cells: Float64Array;
  readonly #flags: Int32Array;
  readonly #row: number;
  /** As it claims a server; 0 would be nobody. */
  readonly #mark: number;

  /** @param worker its number, from 0 */
  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.#cells = new Float64Array(buffer);
    this.#flags = new Int32Array(buffer);
    this.#row = (1 + worker) * ROW;
    this.#mark = 1 + worker;
  }

  get inFlight(): number {
    return this.#cells[this.#row + IN_FLIGHT] as number;
  }

  set inFlight(value: number) {
    this.#cells[this.#row + IN_FLIGHT] = value;
  }

  get hanging(): number {
    return this.#cells[this.#row + HANGING] as number;
  }

  set hanging(value: number) {
    this.#cells[this.#row + HANGING] = value;
  }

  get sent(): number {
    return this.#cells[this.#row + SENT] as number;
  }

  set sent(value: number) {
    this.#cells[this.#row + SENT] = value;
  }

  get served(): number {
    return this.#cells[this.#row + SERVED] as number;
  }

  set served(value: number) {
    this.#cells[this.#row + SERVED] = value;
  }

  get failed(): number {
    return this.#cells[this.#row + FAILED] as number;
  }

  set failed(value: number) {
    this.#cells[this.#row + FAILED] = value;
  }

  get lastAnswerMs(): number {
    return this.#cells[this.#row + LAST_ANSWER_MS] as number;
  }

  set lastAnswerMs(value: number) {
    this.#cells[this.#row + LAST_ANSWER_MS] = value;
  }

  get provenMs(): number {
    return this.#cells[PROVEN_MS] as number;
  }

  get isOut(): boolean {
    return Atomics.load(this.#flags, OUT) === 1;
  }

  get awaited(): number {
    return awaitedOf(this.#cells) + (Atomics.load(this.#flags, CLAIMED) === 0 ? 0 : 1);
  }

  claim(): boolean {
    if (Atomics.compareExchange(this.#flags, CLAIMED, 0, this.#mark) !== 0) return false;
    if (awaitedOf(this.#cells) === 0) return true;
    this.release();
    return false;
  }

  release(): void {
    Atomics.compareExchange(this.#flags, CLAIMED, this.#mark, 0);
  }
}

/** That of the keeper: the sums, which it only reads, and what its probes show. */
export class KeeperTally implements Tally {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Float64Array;
  readonly #flags: Int32Array;

  constructor(workers: number) {
    this.buffer = tallyBuffer(workers);
    this.#cells = new Float64Array(this.buffer);
    this.#flags = new Int32Array(this.buffer);
  }

  get inFlight(): number {
    return sumOf(this.#cells, IN_FLIGHT);
  }

  get hanging(): number {
    return sumOf(this.#cells, HANGING);
  }

  get sent(): number {
    return sumOf(this.#cells, SENT);
  }

  get served(): number {
    return sumOf(this.#cells, SERVED);
  }

  get failed(): number {
    return sumOf(this.#cells, FAILED);
  }

  get lastAnswerMs(): number {
    let last = Number.NEGATIVE_INFINITY;
    for (let row = ROW; row < this.#cells.length; row += ROW)
      last = Math.max(last, this.#cells[row + LAST_ANSWER_MS] as number);
    return last;
  }

  get provenMs(): number {
    return this.#cells[PROVEN_MS] as number;
  }

  set provenMs(value: number) {
    this.#cells[PROVEN_MS] = value;
  }

  get awaited(): number {
    return awaitedOf(this.#cells);
  }

  get isOut(): boolean {
    return Atomics.load(this.#flags, OUT) === 1;
  }

  set isOut(isOut: boolean) {
    Atomics.store(this.#flags, OUT, isOut ? 1 : 0);
  }

  claim(): boolean {
    throw new Error('The keeper sends no requests.');
  }

  release(): void {}

  /** A worker is gone, with all that it had in flight. */
  giveBack(worker: number): void {
    const row = (1 + worker) * ROW;
    this.#cells[row + IN_FLIGHT] = 0;
    this.#cells[row + HANGING] = 0;
    Atomics.compareExchange(this.#flags, CLAIMED, 1 + worker, 0);
  }
}

function sumOf(cells: Float64Array, at: number): number {
  let sum = 0;
  for (let row = ROW; row < cells.length; row += ROW) sum += cells[row + at] as number;
  return sum;
}

function awaitedOf(cells: Float64Array): number {
  return sumOf(cells, IN_FLIGHT) - sumOf(cells, HANGING);
}
