// pure · holds the framing and packet code against the reference, for one input. The code is an argument: it may be broken.
import { isDeepStrictEqual } from 'node:util';
import type { ErrorCode } from '../../services/shared/error-codes.ts';
import type * as Framing from '../../services/shared/framing.ts';
import type * as Packets from '../../services/shared/packet.ts';
import { chunksOf, type Input } from './draw.ts';
import { type ReferencePacket, readByTheBook, understandByTheBook } from './reference.ts';

const MAX_TEXT_BYTES = 1000;
const MAX_NAME_UNITS = 40;
/** As long as they may be. */
const TRACE = 'x'.repeat(24);
const OLD_CLIENTS_READ_BYTES = 1024;
const MAX_ECHO_BYTES = 200;
const RETRYABLE = ['NO_SERVER', 'OVERLOADED', 'UPSTREAM_FAILED', 'UPSTREAM_TIMEOUT', 'SHUTTING_DOWN'];

/** What is fuzzed. */
export type CodeUnderTest = { framing: typeof Framing; packet: typeof Packets };

/** What was found, in words; `check` is the promise that was not kept. */
export type Finding = { check: string; detail: string };

class Disagreement extends Error {
  readonly check: string;

  constructor(check: string, detail: string) {
    super(detail);
    this.check = check;
  }
}

/** Runs every check on one input. `frames`: how many its stream holds, 0 when something was found. */
export function checkInput(code: CodeUnderTest, input: Input): { finding: Finding | null; frames: number } {
  try {
    const frames = checkStream(code, input);
    expect('prototypes stay as they are', !('polluted' in {}), '({}).polluted is there');
    return { finding: null, frames };
  } catch (error) {
    const { stack, message } = error as Error;
    const finding =
      error instanceof Disagreement
        ? { check: error.check, detail: message }
        : { check: 'nothing throws', detail: String(stack) };
    return { finding, frames: 0 };
  }
}

function checkStream(code: CodeUnderTest, input: Input): number {
  const { bytes, cuts, maxFrameBytes } = input;
  const { frames: found, fault, isMidFrame } = readByTheBook(bytes, maxFrameBytes);
  const frames = found.map((frame) => frame.toString('latin1'));
  const wanted = { frames, fault, isMidFrame };
  const chunks = chunksOf(bytes, cuts);
  if (input.frames !== null) {
    const written = input.frames.map((frame) => Buffer.from(frame).toString('latin1'));
    same('the reference reads what was written', frames, written);
  }
  const read = (all: readonly Buffer[], mode: Mode): Reading => readStream(code, all, maxFrameBytes, mode);
  same('frames of the stream in one chunk', read([bytes], 'at once'), wanted);
  same('chunks change nothing', read(chunks, 'at once'), wanted);
  same('what is kept outlives its chunk', read([bytes], 'kept'), wanted);
  // What cannot be a frame is found elsewhere when nothing is taken before all has come.
  if (fault === null) same('what comes before anything is taken waits', read(chunks, 'late'), wanted);
  for (const frame of found) checkPlain(code, bytes, frame);
  const texts = new Set(found.map((frame) => frame.toString()));
  // A caller without framing may hand over anything.
  if (frames.length === 0 && bytes.length <= MAX_TEXT_BYTES) texts.add(bytes.toString());
  for (const text of texts) checkPacket(code, text);
  return frames.length;
}

type Reading = { frames: string[]; fault: string | null; isMidFrame: boolean };
/** When frames are taken: as they come, the same with what is left kept each time, or after all has come. */
type Mode = 'at once' | 'kept' | 'late';

// Each chunk is handed over in a buffer that is filled with something else afterwards, as a socket's may be.
function readStream(
  { framing }: CodeUnderTest,
  chunks: readonly Buffer[],
  maxFrameBytes: number,
  mode: Mode,
): Reading {
  const reader = new framing.FrameReader(maxFrameBytes);
  const frames: string[] = [];
  let lent: Buffer = Buffer.alloc(0);
  const keep = (): void => {
    if (mode === 'at once') return;
    reader.keep();
    lent.fill('{');
  };
  const take = (): void => {
    while (reader.next()) {
      const frame = reader.bytes.toString('latin1', reader.start, reader.end);
      same('a line is a frame and its end', reader.line(), `${frame}\n`);
      frames.push(frame);
      keep();
    }
  };
  for (const chunk of chunks) {
    lent = Buffer.from(chunk);
    reader.feed(lent);
    if (mode !== 'late') take();
    keep();
    lent.fill('{');
    const held = reader.bytes.length;
    const isBounded = mode === 'late' || held <= maxFrameBytes + chunk.length;
    expect('what is held is bounded', isBounded, `${held} bytes are held`);
    if (reader.fault !== null) break;
  }
  if (mode === 'late') {
    same('all that has come is there', reader.untakenBytes, Buffer.concat(chunks).length);
    take();
    same('nothing but an open frame is left', reader.untakenBytes > 0, reader.isMidFrame);
  }
  const { fault, isMidFrame } = reader;
  if (fault === null) return { frames, fault, isMidFrame };
  reader.feed(Buffer.from('{}'));
  expect('nothing comes after a fault', !reader.next(), 'a frame came');
  return { frames, fault, isMidFrame: false };
}

// What has the look of a plain request has to be what the long way makes of it.
function checkPlain({ packet }: CodeUnderTest, stream: Buffer, frame: Buffer): void {
  const start = frame.byteOffset - stream.byteOffset;
  const wire = frame.toString('latin1');
  const plain = packet.parsePlainRequest(wire, stream, start);
  same('its end is no matter', packet.parsePlainRequest(`${wire}\n`, stream, start), plain);
  if (plain !== null) same('a plain request is what it says', plain, understandByTheBook(frame.toString()));
}

function checkPacket(code: CodeUnderTest, text: string): void {
  const expected = understandByTheBook(text);
  const packet = code.packet.parsePacket(text);
  comparePackets('a packet is what it says', packet, expected);
  // Both parse alike, and what is no JSON is slow to refuse.
  if (expected.code !== 'BAD_JSON' || text.length % 8 === 0) {
    const fromProxy = code.packet.parseFromProxy(text);
    comparePackets('a packet from a proxy is what it says', fromProxy, understandByTheBook(text, true));
  }
  if (packet.kind === 'request') {
    const { clientId, policy, payload } = packet;
    checkError(code, 'UPSTREAM_TIMEOUT', payload, { clientId, policy, wasSent: true });
  } else if (packet.kind === 'fault') {
    checkError(code, packet.code, packet.sentence, { ...packet, wasSent: false });
  } else {
    const { code: errorCode, sentence } = code.packet.unknownType(JSON.stringify(packet));
    checkError(code, errorCode, sentence, { wasSent: false });
  }
}

function comparePackets(check: string, packet: object, expected: ReferencePacket): void {
  if (expected.kind !== 'fault') {
    same(check, packet, expected);
    return;
  }
  const { sentence, ...rest } = packet as Packets.PacketFault;
  const { fields, ...wanted } = expected;
  same(check, rest, wanted);
  const names = (fields as string[]).map(namingOf);
  expect('a refusal says why', typeof sentence === 'string' && sentence.length >= 10, `${sentence}`);
  const isNamed = names.length === 0 || names.some((name) => sentence.startsWith(name));
  expect('a refusal names a field that is wrong', isNamed, `${sentence} It should be ${names.join(' or ')}.`);
}

function namingOf(field: string): string {
  if (!field.isWellFormed()) return 'The name of the field ';
  if (field.length <= MAX_NAME_UNITS) return `The field ${JSON.stringify(field)} `;
  // What is cut ends in a sign of it.
  return `The field ${JSON.stringify(field.slice(0, MAX_NAME_UNITS).toWellFormed()).slice(0, -1)}`;
}

type Details = { clientId?: Packets.Id | undefined; policy?: string | undefined; wasSent: boolean };

function checkError(code: CodeUnderTest, errorCode: ErrorCode, sentence: string, details: Details): void {
  const { clientId, policy, wasSent } = details;
  const text = code.packet.formatError(errorCode, sentence, { clientId, policy, wasSent, trace: TRACE });
  const isSmall = Buffer.byteLength(text) < OLD_CLIENTS_READ_BYTES && text.indexOf('\n') === text.length - 1;
  expect('a refusal is one line below 1,024 bytes', isSmall, text);
  const { payload, payloadsize, ...raw } = JSON.parse(text);
  const isRetryable = RETRYABLE.includes(errorCode);
  same('a refusal says who, what and whether to try again', raw, {
    type: -1,
    ...(isEchoed(clientId) ? { destid: clientId } : {}),
    ...(isEchoed(policy) ? { privPoliId: policy } : {}),
    code: errorCode,
    retryable: isRetryable,
    sent: wasSent,
    trace: TRACE,
  });
  same('payloadsize is the size of the payload', payloadsize, Buffer.byteLength(payload));
  expect('a refusal is well-formed', payload.isWellFormed(), text);
  const whole = sentence.toWellFormed();
  const isShort = sentence.length <= 300 && Buffer.byteLength(JSON.stringify(whole)) <= 450;
  if (isShort) same('a short sentence is sent whole', payload, whole);
  const back = code.packet.parsePacket(text);
  same('a refusal comes back', back, {
    kind: 'error',
    code: errorCode,
    sentence: payload,
    isRetryable,
    wasSent,
    trace: TRACE,
  });
}

function isEchoed(value: Packets.Id | undefined): boolean {
  if (value === undefined || !String(value).isWellFormed()) return false;
  return Buffer.byteLength(JSON.stringify(value)) <= MAX_ECHO_BYTES;
}

function expect(check: string, holds: boolean, detail: string): void {
  if (!holds) throw new Disagreement(check, detail);
}

/** Plain values, field by field. */
function same(check: string, actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected))
    throw new Disagreement(check, `${show(actual)} instead of ${show(expected)}`);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length <= 400 ? text : `${text.slice(0, 300)} … ${text.slice(-99)}`;
}
