// A byte stream → packets, and the refusals of bytes that are none. On the data path.
import type { ErrorCode } from './error-codes.ts';
import { DEFAULT_MAX_FRAME_BYTES, FrameReader, type FramingFault } from './framing.ts';
import {
  MAX_PLAIN_REQUEST_BYTES,
  type Packet,
  type PacketFault,
  parsePacket,
  parsePlainRequest,
  type RequestPacket,
} from './packet.ts';

const REPLACEMENT = '\ufffd';
const NOT_UTF8 = refusal('BAD_JSON', 'The packet is not valid UTF-8: encode it as UTF-8.');
const FAULTS: Record<Exclude<FramingFault, 'too-large'>, PacketFault> = {
  'not-an-object': refusal('BAD_JSON', 'The bytes are not a JSON object: a packet starts with "{".'),
  'byte-order-mark': refusal(
    'BAD_JSON',
    'The bytes begin with a byte order mark, and a packet starts with "{": send it as UTF-8 without one.',
  ),
};

/**
 * Cuts a byte stream into packets.
 *
 *     reader.feed(chunk);
 *     for (let packet = reader.next(); packet !== null; packet = reader.next()) …
 *
 * A loop has to end at a fault whose code `endsStream`. `Other` is what `parse` knows beside Packet.
 */
export class PacketReader<Other = never> {
  readonly #frames: FrameReader;
  readonly #parse: (text: string) => Packet | Other;
  readonly #isLenient: boolean;
  #wire = '';

  /**
   * @param maxFrameBytes largest packet that is accepted, in bytes
   * @param parse         text of a frame → packet
   * @param isLenient     what is not UTF-8 is read as U+FFFD instead of being refused: for replies, whose ids are only shown
   */
  constructor(
    maxFrameBytes: number = DEFAULT_MAX_FRAME_BYTES,
    parse: (text: string) => Packet | Other = parsePacket,
    isLenient = false,
  ) {
    this.#frames = new FrameReader(maxFrameBytes);
    this.#parse = parse;
    this.#isLenient = isLenient;
  }

  get isMidPacket(): boolean {
    return this.#frames.isMidFrame;
  }

  /** The bytes can't be cut into packets any more. */
  get isBroken(): boolean {
    return this.#frames.fault !== null;
  }

  /** Bytes that have come and are in no packet that was taken. */
  get untakenBytes(): number {
    return this.#frames.untakenBytes;
  }

  /**
   * Takes a chunk that is one plain request and nothing else, as most are: those need no framing.
   * @returns null for any other: it has to be fed
   */
  takeWhole(chunk: Buffer): RequestPacket | null {
    const frames = this.#frames;
    if (chunk.length > Math.min(frames.maxFrameBytes, MAX_PLAIN_REQUEST_BYTES)) return null;
    if (frames.untakenBytes > 0) return null;
    const text = chunk.toString('latin1');
    const packet = parsePlainRequest(text, chunk, 0);
    if (packet !== null) this.#wire = text.endsWith('\n') ? text : `${text}\n`;
    return packet;
  }

  /** Takes the next chunk of the stream; its bytes are the reader's own only until all of its packets are taken, or `keep`. */
  feed(chunk: Buffer): void {
    this.#frames.feed(chunk);
  }

  /** Copies what has not been taken yet: the chunk may be a buffer that its owner fills again. */
  keep(): void {
    this.#frames.keep();
  }

  /**
   * Takes the next packet, or the refusal of what stands in its place.
   * @returns null when none is complete; the same refusal again and again once the stream `isBroken`
   */
  next(): Packet | Other | null {
    const frames = this.#frames;
    if (!frames.next()) return frames.fault === null ? null : faultOf(frames.fault, frames.maxFrameBytes);
    const { bytes, start, end } = frames;
    // One that is all that has come has mostly been tried: only what came in pieces has not, and that is rare. Programs
    // in C send a NUL behind it, with which it is not known by its look.
    if (end - start < bytes.length - 1 || bytes[end] === 0) {
      const wire = frames.line();
      const plain = parsePlainRequest(wire, bytes, start);
      if (plain !== null) {
        this.#wire = wire;
        return plain;
      }
    }
    const text = this.#isLenient ? bytes.toString('utf8', start, end) : decodeUtf8(bytes, start, end);
    if (text === null) return NOT_UTF8;
    const packet = this.#parse(text);
    if ((packet as Packet).kind === 'request') this.#wire = frames.line();
    return packet;
  }

  /** Hands over the own bytes of the request that was taken last, as latin1, ending in `\n`. */
  takeWire(): string {
    const wire = this.#wire;
    // A client that is idle keeps nothing of what it has sent.
    this.#wire = '';
    return wire;
  }
}

/** Whether what follows can't be cut into packets, so that the connection has to be closed. */
export function endsStream(code: ErrorCode): boolean {
  return code === 'BAD_JSON' || code === 'FRAME_TOO_LARGE';
}

/**
 * @param start first byte
 * @param end   just behind the last one
 * @returns the text, or null where the bytes are not UTF-8
 */
export function decodeUtf8(bytes: Buffer, start = 0, end = bytes.length): string | null {
  const text = bytes.toString('utf8', start, end);
  // It stands for what could not be read, or for itself.
  const isRead = !text.includes(REPLACEMENT) || Buffer.from(text).equals(bytes.subarray(start, end));
  return isRead ? text : null;
}

function refusal(code: ErrorCode, sentence: string): PacketFault {
  return { kind: 'fault', code, sentence };
}

function faultOf(fault: FramingFault, maxFrameBytes: number): PacketFault {
  if (fault !== 'too-large') return FAULTS[fault];
  return refusal('FRAME_TOO_LARGE', `The packet is over ${maxFrameBytes} bytes: send a smaller one.`);
}
