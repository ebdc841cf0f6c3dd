// pure · what a peer sends → packets, and what is to be said to bytes that are none. On the data path.
// Must never take a packet for a good one that parsePacket would refuse.

import { faultOf, NOT_UTF8 } from '../proxy/clients/stream-faults.ts';
import { FrameReader } from './framing.ts';
import {
  MAX_PLAIN_REQUEST_BYTES,
  type Packet,
  parsePacket,
  parsePlainRequest,
  type RequestPacket,
} from './packet.ts';
import { decodeUtf8 } from './utf8.ts';

/**
 * Cuts a byte stream into packets.
 *
 *     const whole = reader.takeWhole(chunk);
 *     if (whole !== null) …
 *     reader.feed(chunk);
 *     for (let packet = reader.next(); packet !== null; packet = reader.next()) …
 */
export class PacketReader {
  readonly #frames: FrameReader;
  #wire = '';

  /** @param maxFrameBytes largest packet that is accepted, in bytes */
  constructor(maxFrameBytes: number) {
    this.#frames = new FrameReader(maxFrameBytes);
  }

  /** A packet has begun, and its end has not come. */
  get isMidPacket(): boolean {
    return this.#frames.isMidFrame;
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
   * @returns null when none is complete; the same refusal again and again once the stream can't be trusted any more
   */
  next(): Packet | null {
    const frames = this.#frames;
    if (!frames.next()) {
      return frames.fault === null ? null : faultOf(frames.fault, frames.maxFrameBytes);
    }
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
    const text = decodeUtf8(bytes, start, end);
    if (text === null) return NOT_UTF8;
    const packet = parsePacket(text);
    if (packet.kind === 'request') this.#wire = frames.line();
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
