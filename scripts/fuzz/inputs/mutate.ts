// pure · bytes → other bytes: flipped, cut out, put in, doubled, moved and mixed.
// Must never grow an input without bound.
import type { Random } from '../../kit/random.ts';

const MAX_BYTES = 100_000;
const MAX_PIECE_BYTES = 64;

const TOKENS: readonly Buffer[] = [
  ...[
    '{',
    '}',
    '"',
    '\\',
    '[',
    ']',
    ':',
    ',',
    '{}',
    '"}',
    '\\"',
    '\\u',
    '\\ud800',
    '\n',
    '\0',
    '1e999',
    '.0',
    '-0',
    '9007199254740993',
    '-',
  ].map((text) => Buffer.from(text)),
  ...['__proto__', '"type":0,', '"type":"', 'null', ' '.repeat(20), '{"a":'.repeat(8), '[['.repeat(9)].map(
    (text) => Buffer.from(text),
  ),
  ...[
    [0xff],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xe2, 0x82],
    [0xf4, 0x90, 0x80, 0x80],
    [0xef, 0xbb, 0xbf],
    [0xef, 0xbf, 0xbd],
    [0x80],
    [0xf0, 0x9f],
  ].map((bytes) => Buffer.from(bytes)),
];

type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  // A flipped bit.
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) {
      const at = offset(copy, random);
      copy[at] = (copy[at] as number) ^ (1 << random.between(0, 7));
    }
    return copy;
  },
  // Any byte in the place of another.
  (bytes, random) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[offset(copy, random)] = random.between(0, 255);
    return copy;
  },
  // A piece is gone.
  (bytes, random) => {
    const [start, end] = piece(bytes, random);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  // Something is put in.
  (bytes, random) => {
    const at = offset(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), random.pick(TOKENS), bytes.subarray(at)]);
  },
  // Something takes a piece's place.
  (bytes, random) => {
    const [start, end] = piece(bytes, random);
    return Buffer.concat([bytes.subarray(0, start), random.pick(TOKENS), bytes.subarray(end)]);
  },
  // A piece comes twice, or many times.
  (bytes, random) => {
    const [start, end] = piece(bytes, random);
    const copies = new Array(random.pick([2, 2, 3, 20])).fill(bytes.subarray(start, end));
    return Buffer.concat([bytes.subarray(0, start), ...copies, bytes.subarray(end)]);
  },
  // A piece comes somewhere else.
  (bytes, random) => {
    const [start, end] = piece(bytes, random);
    const rest = Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
    const at = offset(rest, random);
    return Buffer.concat([rest.subarray(0, at), bytes.subarray(start, end), rest.subarray(at)]);
  },
  // The beginning of one stream and the end of another.
  (bytes, random, other) =>
    Buffer.concat([bytes.subarray(0, offset(bytes, random)), other.subarray(offset(other, random))]),
  // The end is missing.
  (bytes, random) => Buffer.from(bytes.subarray(0, offset(bytes, random))),
];

/** One to six mutations, one after the other; `other` is a stream to mix with. */
export function mutate(bytes: Buffer, random: Random, other: Buffer): Buffer {
  let mutated = bytes;
  for (let left = random.pick([1, 1, 1, 2, 3, 6]); left > 0; left -= 1) {
    mutated = random.pick(MUTATIONS)(mutated, random, other);
  }
  return mutated.subarray(0, MAX_BYTES);
}

function offset(bytes: Buffer, random: Random): number {
  return random.between(0, Math.max(0, bytes.length - 1));
}

function piece(bytes: Buffer, random: Random): [start: number, end: number] {
  const start = offset(bytes, random);
  return [start, Math.min(bytes.length, start + random.between(1, MAX_PIECE_BYTES))];
}
