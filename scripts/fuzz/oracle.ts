// pure · holds the framing and packet code against the reference, for one input. The code is an argument: it may be broken.
// Must never take the code's word for anything, and never throw at what it does.
import type * as Framing from '../../services/shared/framing.ts';
import type * as Packets from '../../services/shared/packet.ts';
import { Disagreement, same } from './disagreement.ts';
import { checkFormats } from './formats.ts';
import { chunksOf, type Input } from './inputs/input.ts';
import {
  type ReferencePacket,
  readByTheBook,
  understandByTheBook,
  understandFromProxyByTheBook,
} from './reference.ts';
import { isWhole } from './reference-json.ts';

const MAX_TEXT_BYTES = 1000;
const MAX_NAME_UNITS = 40;

/** What is fuzzed. */
export type CodeUnderTest = { framing: typeof Framing; packet: typeof Packets };

/** What was found, in words; `check` is the promise that was not kept. */
export type Finding = { check: string; detail: string };

export type Checked = { finding: Finding | null; frames: number };

/** Runs every check on one input. */
export function checkInput(code: CodeUnderTest, input: Input): Checked {
  let frames = 0;
  try {
    frames = checkStream(code, input);
    if ('polluted' in {}) throw new Disagreement('prototypes stay as they are', '({}).polluted is there');
    return { finding: null, frames };
  } catch (error) {
    if (error instanceof Disagreement) {
      return { finding: { check: error.check, detail: error.message }, frames };
    }
    const detail = error instanceof Error ? String(error.stack) : String(error);
    return { finding: { check: 'nothing throws', detail }, frames };
  }
}

function checkStream(code: CodeUnderTest, input: Input): number {
  const { bytes, cuts, maxFrameBytes } = input;
  const expected = readByTheBook(bytes, maxFrameBytes);
  const frames = expected.frames.map((frame) => frame.toString('latin1'));
  const wanted = { frames, fault: expected.fault, isMidFrame: expected.isMidFrame };
  if (input.frames !== null) {
    const written = input.frames.map((frame) => Buffer.from(frame).toString('latin1'));
    same('the reference reads what was written', frames, written);
  }
  same('frames of the stream in one chunk', readStream(code, [bytes], maxFrameBytes), wanted);
  same('chunks change nothing', readStream(code, chunksOf(bytes, cuts), maxFrameBytes), wanted);
  same('what is kept outlives its chunk', readStream(code, [bytes], maxFrameBytes, true), wanted);
  if (expected.fault === null) {
    same(
      'what comes before anything is taken waits',
      readLate(code, chunksOf(bytes, cuts), maxFrameBytes),
      wanted,
    );
  }
  for (const frame of expected.frames) checkPlain(code, bytes, frame);
  const texts = new Set(expected.frames.map((frame) => frame.toString()));
  // Whoever has no framing may hand over anything.
  if (frames.length === 0 && bytes.length <= MAX_TEXT_BYTES) texts.add(bytes.toString());
  for (const text of texts) checkPacket(code, text);
  return frames.length;
}

type Reading = { frames: string[]; fault: string | null; isMidFrame: boolean };

// Each chunk is handed over in a buffer that is filled with something else afterwards, as a socket's may be.
function readStream(
  { framing }: CodeUnderTest,
  chunks: readonly Buffer[],
  maxFrameBytes: number,
  isKeptAfterEach = false,
): Reading {
  const reader = new framing.FrameReader(maxFrameBytes);
  const frames: string[] = [];
  for (const chunk of chunks) {
    const lent = Buffer.from(chunk);
    reader.feed(lent);
    while (reader.next()) {
      const frame = reader.bytes.toString('latin1', reader.start, reader.end);
      same('a line is a frame and its end', reader.line(), `${frame}\n`);
      frames.push(frame);
      if (!isKeptAfterEach) continue;
      reader.keep();
      lent.fill(0x7b);
    }
    if (isKeptAfterEach) reader.keep();
    lent.fill(0x7b);
    if (reader.bytes.length > maxFrameBytes + chunk.length) {
      throw new Disagreement('what is held is bounded', `${reader.bytes.length} bytes are held`);
    }
    if (reader.fault !== null) break;
  }
  if (reader.fault === null) return { frames, fault: null, isMidFrame: reader.isMidFrame };
  reader.feed(Buffer.from('{}'));
  if (reader.next()) throw new Disagreement('nothing comes after a fault', 'a frame came');
  return { frames, fault: reader.fault, isMidFrame: false };
}

// Nothing is taken before all has come; where the last frame is open or too large that is told at another place.
function readLate({ framing }: CodeUnderTest, chunks: readonly Buffer[], maxFrameBytes: number): Reading {
  const reader = new framing.FrameReader(maxFrameBytes);
  for (const chunk of chunks) {
    const lent = Buffer.from(chunk);
    reader.feed(lent);
    reader.keep();
    lent.fill(0x7b);
  }
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  same('all that has come is there', reader.untakenBytes, bytes);
  const frames: string[] = [];
  while (reader.next()) frames.push(reader.bytes.toString('latin1', reader.start, reader.end));
  same('nothing but an open frame is left', reader.untakenBytes > 0, reader.isMidFrame);
  return { frames, fault: reader.fault, isMidFrame: reader.isMidFrame };
}

// Whatever has its look has to be what the long way makes of it.
function checkPlain(code: CodeUnderTest, stream: Buffer, frame: Buffer): void {
  const start = frame.byteOffset - stream.byteOffset;
  const wire = frame.toString('latin1');
  const plain = code.packet.parsePlainRequest(wire, stream, start);
  same('its end is no matter', code.packet.parsePlainRequest(`${wire}\n`, stream, start), plain);
  if (plain !== null) same('a plain request is what it says', plain, understandByTheBook(frame.toString()));
}

function checkPacket(code: CodeUnderTest, text: string): void {
  const expected = understandByTheBook(text);
  const packet = code.packet.parsePacket(text);
  comparePackets('a packet is what it says', packet, expected);
  // Both parse alike, and what is no JSON is slow to refuse.
  if (expected.kind === 'fault' && expected.code === 'BAD_JSON' && text.length % 8 !== 0) {
    checkFormats(code, packet);
    return;
  }
  const fromProxy = code.packet.parseFromProxy(text);
  comparePackets('a packet from a proxy is what it says', fromProxy, understandFromProxyByTheBook(text));
  checkFormats(code, packet);
}

function comparePackets(check: string, packet: object, expected: ReferencePacket): void {
  if (expected.kind !== 'fault') {
    same(check, packet, expected);
    return;
  }
  const { sentence, ...rest } = packet as Packets.PacketFault;
  const { fields, ...wanted } = expected as Extract<ReferencePacket, { fields: readonly string[] }>;
  same(check, rest, wanted);
  if (typeof sentence !== 'string' || sentence.length < 10)
    throw new Disagreement('a refusal says why', `${sentence}`);
  if (fields.length > 0 && !fields.some((field) => sentence.startsWith(namingOf(field)))) {
    throw new Disagreement(
      'a refusal names a field that is wrong',
      `${sentence} It should be ${fields.join(' or ')}.`,
    );
  }
}

function namingOf(field: string): string {
  if (!isWhole(field)) return 'The name of the field ';
  const isShort = field.length <= MAX_NAME_UNITS;
  const shown = JSON.stringify(isShort ? field : field.slice(0, MAX_NAME_UNITS).toWellFormed());
  // What is cut ends in a sign of it.
  return `The field ${isShort ? `${shown} ` : shown.slice(0, -1)}`;
}
