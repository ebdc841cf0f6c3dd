// Whose turn it is in a rotation: an index that picking moves. On the data path.

/** How many versions of a list of members can be told apart: a thread is never that far behind. */
export const EPOCHS = 2 ** 15;

/** One index for all who pick from the same list; `epoch` says which version of the list somebody knows. */
export type Turn = {
  /** The index of the next member; -1 when another thread knows a newer list. */
  read(epoch: number): number;
  /** Moves the index; false, and nothing is moved, when it is no longer `from`. */
  move(epoch: number, from: number, to: number): boolean;
  /**
   * The list of `epoch` is replaced by the next one, and the index with it. All threads make the same changes in the same
   * order: the first one that makes a change moves the index, for the others it is done.
   */
  change(epoch: number, moved: (index: number) => number): void;
};

/** The turn of a process with one thread. */
export class LocalTurn implements Turn {
  #index = 0;

  read(): number {
    return this.#index;
  }

  move(_epoch: number, _from: number, to: number): boolean {
    this.#index = to;
    return true;
  }

  change(_epoch: number, moved: (index: number) => number): void {
    this.#index = moved(this.#index);
  }
}

/** Where several threads serve: says that this one takes a turn, and hands a request over by what it knows of the rotation. */
export type Hand = {
  begin(): void;
  /** It has been counted, or there was nobody to take it. */
  end(): void;
};

/** That of a process with one thread. */
export const ONLY_HAND: Hand = { begin: () => {}, end: () => {} };

export function nextEpoch(epoch: number): number {
  return (epoch + 1) % EPOCHS;
}
