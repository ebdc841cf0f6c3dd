// pure · a seed and a number → one input: the same bytes each time, on every machine, whatever was drawn before.
import { Random } from '../kit/random.ts';
import { CATALOGUE, DEFAULT_LIMIT } from './catalogue.ts';
import { drawPacket, drawSeparator, words } from './packets.ts';

/**
 * What a hostile connection does when its bytes are written: it ends its side and reads on, stays open and waits for all
 * replies, resets the connection, or has reset it in the middle.
 */
type Ending = 'half-close' | 'stay' | 'reset' | 'cut';

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

type Stream = Pick<Input, 'origin' | 'bytes' | 'frames'>;

/** How many inputs are the same whatever the seed: those of the catalogue, which come first. */
export const CATALOGUE_SIZE = CATALOGUE.length;

const LIMITS = [DEFAULT_LIMIT, DEFAULT_LIMIT, DEFAULT_LIMIT, 256, 1024, 65_536];
const ENDINGS = words`half-close half-close half-close stay stay stay reset cut` as Ending[];
const SMALL_ENTRIES = CATALOGUE.filter(({ bytes }) => bytes.length < 2000);
const NOISE = [...words`{ } " \ [ ] : , 0 x {" "} {} é "type":0`, ' ', '\n'];
const MAX_CUTS = 1000;
const EVERY_BYTE_TO = 120;

const TOKENS = [
  ...words`{ } " \ [ ] : , {} "} \" \u \ud800 1e999 .0 -0 9007199254740993 - __proto__ "type":0, "type":" null`,
  ...['\n', '\0', ' '.repeat(20), '{"a":'.repeat(8), '[['.repeat(9)],
  ...['\xff', '\xc0\x80', '\xed\xa0\x80', '\xe2\x82', '\xf4\x90\x80\x80', '\xef\xbb\xbf', '\xef\xbf\xbd'],
  ...['\x80', '\xf0\x9f'],
].map((text) => Buffer.from(text, 'latin1'));
const MAX_MUTATED_BYTES = 100_000;
const MAX_PIECE_BYTES = 64;

/** @param seed a 32-bit whole number */
export function drawInput(seed: number, number: number): Input {
  const random = new Random(mix(seed, number));
  const known = CATALOGUE[number];
  const { origin, bytes, frames }: Stream =
    known === undefined ? drawStream(random) : { origin: known.name, bytes: known.bytes, frames: null };
  const maxFrameBytes = known?.maxFrameBytes ?? random.pick(LIMITS);
  const isIntact = frames?.every((frame) => Buffer.byteLength(frame) <= maxFrameBytes) === true;
  const cuts = drawCuts(bytes.length, random);
  const ending = random.pick(ENDINGS);
  return { number, origin, bytes, cuts, maxFrameBytes, frames: isIntact ? frames : null, ending };
}

/** The stream in its chunks; a cut at an offset twice makes an empty one. */
export function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const edges = [0, ...cuts, bytes.length];
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i], end));
}

function drawStream(random: Random): Stream {
  const roll = random.between(0, 999);
  if (roll < 330) return drawPackets(random);
  if (roll < 720) {
    const bytes = mutate(drawPackets(random).bytes, random, drawPackets(random).bytes);
    return { origin: 'mutated packets', bytes, frames: null };
  }
  if (roll < 840) return { origin: 'noise', bytes: drawNoise(random), frames: null };
  if (roll < 998) {
    const { name, bytes } = random.pick(SMALL_ENTRIES);
    const among = Buffer.concat([drawPackets(random).bytes, bytes, drawPackets(random).bytes]);
    if (random.between(0, 1) === 0) return { origin: `${name}, among packets`, bytes: among, frames: null };
    return { origin: `${name}, among packets, mutated`, bytes: mutate(among, random, bytes), frames: null };
  }
  const frame = drawPacket(random);
  const frames = new Array(Math.ceil(random.between(20_000, 120_000) / frame.length)).fill(frame);
  return { origin: `${frames.length} times the same packet`, bytes: Buffer.from(frames.join('')), frames };
}

function drawPackets(random: Random): Stream {
  const frames = Array.from({ length: random.pick([1, 1, 1, 2, 3, 6]) }, () => drawPacket(random));
  const text = frames.map((frame) => drawSeparator(random) + frame).join('') + drawSeparator(random);
  return { origin: 'packets', bytes: Buffer.from(text), frames };
}

function drawNoise(random: Random): Buffer {
  const length = random.between(0, 150);
  const begin = random.pick(['', '{', '{"']);
  const noise =
    random.between(0, 3) === 0
      ? Buffer.from(Array.from({ length }, () => random.between(0, 255)))
      : Buffer.from(Array.from({ length: length / 2 }, () => random.pick(NOISE)).join(''));
  return Buffer.concat([Buffer.from(begin), noise]);
}

function drawCuts(length: number, random: Random): number[] {
  const evenly = (size: number): number[] =>
    Array.from({ length: Math.ceil(length / size) }, (_, i) => i * size);
  const anywhere = (count: number): number[] =>
    Array.from({ length: count }, () => random.between(0, length)).sort((a, b) => a - b);
  return random.pick([
    () => [],
    () => anywhere(1),
    () => (length <= EVERY_BYTE_TO ? evenly(1) : [1, length - 1]),
    () => evenly(Math.max(random.between(1, 100), Math.ceil(length / MAX_CUTS))),
    () => anywhere(random.between(2, 12)),
    () => anywhere(random.between(2, 12)),
  ])();
}

// One to six changes, one after the other; `other` is a stream to mix with.
function mutate(bytes: Buffer, random: Random, other: Buffer): Buffer {
  const at = (of: Buffer): number => random.between(0, Math.max(0, of.length - 1));
  let mutated = bytes;
  for (let left = random.pick([1, 1, 1, 2, 3, 6]); left > 0; left -= 1) {
    const start = at(mutated);
    const end = Math.min(mutated.length, start + random.between(1, MAX_PIECE_BYTES));
    const [before, piece, behind] = [
      mutated.subarray(0, start),
      mutated.subarray(start, end),
      mutated.subarray(end),
    ];
    const [byte = 0, ...rest] = piece;
    const parts = random.pick([
      () => [before, [byte ^ (1 << random.between(0, 7))], rest, behind], // a flipped bit
      () => [before, [random.between(0, 255)], rest, behind], // any byte in the place of another
      () => [before, behind], // a piece is gone
      () => [before, random.pick(TOKENS), piece, behind], // something is put in
      () => [before, random.pick(TOKENS), behind], // something takes a piece's place
      () => [before, ...new Array(random.pick([2, 2, 3, 20])).fill(piece), behind], // a piece comes again
      () => [behind.subarray(0, at(behind)), piece, before, behind], // pieces come elsewhere, and some twice
      () => [before, other.subarray(at(other))], // the beginning of one stream and the end of another
      () => [before], // the end is missing
    ])();
    mutated = Buffer.concat(parts.map((part) => Buffer.from(part)));
  }
  return mutated.subarray(0, MAX_MUTATED_BYTES);
}

// The seeds of neighbouring inputs must not be neighbours (the finaliser of MurmurHash3).
function mix(seed: number, number: number): number {
  let mixed = (seed ^ Math.imul(number + 1, 0x9e37_79b1)) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}
