// pure · what one input of the fuzzer is, and how its stream is cut into chunks.
// Must never hold anything that is not decided by the seed and the number.

/** What a hostile connection does when its bytes are written. */
export type Ending =
  /** Ends its side, and reads on. */
  | 'half-close'
  /** Stays open, says nothing more, and waits for all replies. */
  | 'stay'
  /** Resets the connection once everything is written. */
  | 'reset'
  /** Resets it in the middle. */
  | 'cut';

export type Input = {
  /** With the seed, all it takes to make this input again. */
  number: number;
  /** What kind of input this is, for people. */
  origin: string;
  bytes: Buffer;
  /** Where the stream is cut: ascending offsets within it. */
  cuts: readonly number[];
  /** The limit that it is read with in-process. */
  maxFrameBytes: number;
  /** The frames that it was put together from, where nothing was broken on purpose. */
  frames: readonly string[] | null;
  ending: Ending;
};

/** The stream in its chunks; a cut at an offset twice makes an empty one. */
export function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const edges = [0, ...cuts, bytes.length];
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i], end));
}
