// One turn for the rotations of a policy in all threads: a word in shared memory. On the data path.
import { nextEpoch, type Turn } from '../../routing/rotation/turn.ts';

// The word is in the middle, so that no other memory has a part of its cache line.
const BYTES = 192;
const AT = 16;
const INDEX_BITS = 17;
const INDEX_MASK = 2 ** INDEX_BITS - 1;

/** The index has the lower 17 bits of the word, the epoch those above: both change at once, or neither does. */
export class SharedTurn implements Turn {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** @param buffer that of the same policy's turn in another thread; a new one where it is not given */
  constructor(buffer = new SharedArrayBuffer(BYTES)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  read(epoch: number): number {
    const word = Atomics.load(this.#words, AT);
    return word >>> INDEX_BITS === epoch ? word & INDEX_MASK : -1;
  }

  move(epoch: number, from: number, to: number): boolean {
    const word = wordOf(epoch, from);
    return Atomics.compareExchange(this.#words, AT, word, wordOf(epoch, to)) === word;
  }

  change(epoch: number, moved: (index: number) => number): void {
    for (let from = this.read(epoch); from !== -1; from = this.read(epoch)) {
      const word = wordOf(epoch, from);
      const next = wordOf(nextEpoch(epoch), moved(from));
      if (Atomics.compareExchange(this.#words, AT, word, next) === word) return;
    }
  }
}

function wordOf(epoch: number, index: number): number {
  return (epoch << INDEX_BITS) | index;
}
