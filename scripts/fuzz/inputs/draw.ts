// pure · a seed and a number → one input: the same bytes each time, on every machine.
// Must never depend on which inputs were drawn before.
import { Random } from '../../kit/random.ts';
import { CATALOGUE } from './catalogue.ts';
import type { Ending, Input } from './input.ts';
import { mutate } from './mutate.ts';
import { drawPacket, drawSpace } from './packets.ts';

const DEFAULT_LIMIT = 8192;
const LIMITS = [DEFAULT_LIMIT, DEFAULT_LIMIT, DEFAULT_LIMIT, 256, 1024, 65_536];
const ENDINGS: readonly Ending[] = [
  'half-close',
  'half-close',
  'half-close',
  'stay',
  'stay',
  'stay',
  'reset',
  'cut',
];
const CHARACTERS = [
  '{',
  '}',
  '"',
  '\\',
  '[',
  ']',
  ':',
  ',',
  ' ',
  '\n',
  '0',
  'x',
  '{"',
  '"}',
  '{}',
  'é',
  '"type":0',
];
const MAX_CUTS = 1000;
const EVERY_BYTE_TO = 120;
const SMALL_ENTRIES = CATALOGUE.filter(({ bytes }) => bytes.length < 2000);

type Stream = { origin: string; bytes: Buffer; frames: readonly string[] | null };

/** How many inputs are the same whatever the seed: those of the catalogue, which come first. */
export const CATALOGUE_SIZE = CATALOGUE.length;

/** @param seed a 32-bit whole number */
export function drawInput(seed: number, number: number): Input {
  const random = new Random(mix(seed, number));
  const known = CATALOGUE[number];
  const stream: Stream =
    known === undefined ? drawStream(random) : { origin: known.name, bytes: known.bytes, frames: null };
  const maxFrameBytes = known?.maxFrameBytes ?? random.pick(LIMITS);
  const isIntact = stream.frames?.every((frame) => Buffer.byteLength(frame) <= maxFrameBytes) === true;
  return {
    number,
    origin: stream.origin,
    bytes: stream.bytes,
    cuts: drawCuts(stream.bytes.length, random),
    maxFrameBytes,
    frames: isIntact ? stream.frames : null,
    ending: random.pick(ENDINGS),
  };
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
    const around = Buffer.concat([drawPackets(random).bytes, bytes, drawPackets(random).bytes]);
    const isMutated = random.between(0, 1) === 1;
    return {
      origin: `${name}, among packets${isMutated ? ', mutated' : ''}`,
      bytes: isMutated ? mutate(around, random, bytes) : around,
      frames: null,
    };
  }
  const frame = drawPacket(random);
  const times = Math.ceil(random.between(20_000, 120_000) / frame.length);
  const frames = new Array(times).fill(frame);
  return { origin: `${times} times the same packet`, bytes: Buffer.from(frame.repeat(times)), frames };
}

function drawPackets(random: Random): Stream {
  const frames: string[] = [];
  let text = drawSpace(random);
  for (let left = random.pick([1, 1, 1, 2, 3, 6]); left > 0; left -= 1) {
    const frame = drawPacket(random);
    frames.push(frame);
    text += frame + drawSpace(random);
  }
  return { origin: 'packets', bytes: Buffer.from(text), frames };
}

function drawNoise(random: Random): Buffer {
  const length = random.between(0, 150);
  const isText = random.between(0, 3) > 0;
  const begin = random.pick(['', '{', '{"']);
  if (!isText) {
    return Buffer.concat([
      Buffer.from(begin),
      Buffer.from(Array.from({ length }, () => random.between(0, 255))),
    ]);
  }
  return Buffer.from(begin + Array.from({ length: length / 2 }, () => random.pick(CHARACTERS)).join(''));
}

function drawCuts(length: number, random: Random): number[] {
  switch (random.between(0, 5)) {
    case 0:
      return [];
    case 1:
      return [random.between(0, length)];
    case 2:
      if (length <= EVERY_BYTE_TO) return Array.from({ length }, (_, at) => at);
      return [1, length - 1];
    case 3: {
      const size = Math.max(random.between(1, 100), Math.ceil(length / MAX_CUTS));
      return Array.from({ length: Math.ceil(length / size) }, (_, i) => i * size);
    }
    default:
      return Array.from({ length: random.between(2, 12) }, () => random.between(0, length)).sort(
        (a, b) => a - b,
      );
  }
}

// The seeds of neighbouring inputs must not be neighbours (the finaliser of MurmurHash3).
function mix(seed: number, number: number): number {
  let mixed = (seed ^ Math.imul(number + 1, 0x9e37_79b1)) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}
