// Socket bytes → frames, without an allocation per frame. The first step of every data path.

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

// Field names end within this many bytes; past it a native search (memchr) beats a loop.
const SHORT_STRING_BYTES = 16;

const EMPTY = Buffer.alloc(0);

/** Frames are limited to this many bytes unless another limit is given: the protocol's own limit. */
export const DEFAULT_MAX_FRAME_BYTES = 8192;

/**
 * Why a stream can no longer be trusted: its bytes can't start a JSON object, or a frame passes the limit.
 * `byte-order-mark`: they begin as a mark of UTF-8 or UTF-16 does, as nothing else that people send does.
 */
export type FramingFault = 'not-an-object' | 'byte-order-mark' | 'too-large';

/**
 * Cuts a byte stream into JSON objects (RFC 8259) that stand back to back with any white space or NUL bytes between them.
 * A frame may arrive split at any byte. Nothing but strings, escapes and braces is looked at, so a frame is
 * a candidate for `JSON.parse`, not yet valid JSON.
 *
 *     reader.feed(chunk);
 *     while (reader.next()) use(reader.bytes, reader.start, reader.end);
 *     if (reader.fault !== null) …
 *
 * `bytes`, `start` and `end` (exclusive) hold only until the next `feed`: the chunk may be a buffer that is used again.
 */
export class FrameReader {
  bytes: Buffer = EMPTY;
  start = 0;
  end = 0;
  fault: FramingFault | null = null;
  readonly maxFrameBytes: number;
  #cursor = 0;
  #depth = 0;
  #isInString = false;
  /** `bytes` is a copy of our own. */
  #isOwn = true;

  /** @param maxFrameBytes largest frame that is accepted, in bytes, braces included */
  constructor(maxFrameBytes: number = DEFAULT_MAX_FRAME_BYTES) {
    this.maxFrameBytes = maxFrameBytes;
  }

  get isMidFrame(): boolean {
    return this.#depth > 0;
  }

  /** Bytes that have come and are in no frame that was taken. */
  get untakenBytes(): number {
    return this.bytes.length - (this.#depth === 0 ? this.#cursor : this.start);
  }

  /** Takes the next chunk of the stream; what has come before and was not taken stays in front of it. */
  feed(chunk: Buffer): void {
    if (this.bytes.length === 0) {
      this.bytes = chunk;
      this.#cursor = 0;
      this.#isOwn = false;
      return;
    }
    const from = this.#depth === 0 ? this.#cursor : 0;
    this.bytes = Buffer.concat([this.bytes.subarray(from), chunk]);
    this.#cursor -= from;
    this.#isOwn = true;
  }

  /** Moves on to the next complete frame; false when there is none yet, or when `fault` has been set. */
  next(): boolean {
    if (this.fault !== null) return false;
    if (this.#depth === 0 && !this.#begin()) return false;
    if (!this.#scan()) {
      if (this.fault === null) this.#hold();
      return false;
    }
    if (this.end - this.start > this.maxFrameBytes) {
      this.fault = 'too-large';
      return false;
    }
    return true;
  }

  /** The frame as latin1, one character a byte, and a `\n` behind it. */
  line(): string {
    const { bytes, end } = this;
    // Nearly all have one already, and joining costs more than taking it along.
    if (bytes[end] === NEWLINE) return bytes.toString('latin1', this.start, end + 1);
    return `${bytes.toString('latin1', this.start, end)}\n`;
  }

  /** Keeps what has not been taken yet: the chunk may be a buffer that its owner fills again. */
  keep(): void {
    if (!this.#isOwn) this.#copyFrom(this.#cursor);
  }

  #begin(): boolean {
    const bytes = this.bytes;
    let i = this.#cursor;
    while (i < bytes.length && isWhiteSpace(bytes[i] as number)) i += 1;
    if (i < bytes.length && bytes[i] === OPEN_BRACE) {
      this.start = i;
      this.#cursor = i;
      return true;
    }
    if (i < bytes.length) this.fault = beginsMark(bytes[i] as number) ? 'byte-order-mark' : 'not-an-object';
    this.bytes = EMPTY;
    this.#cursor = 0;
    return false;
  }

  #scan(): boolean {
    const bytes = this.bytes;
    const length = bytes.length;
    let depth = this.#depth;
    let i = this.#cursor;
    if (this.#isInString) {
      i = afterString(bytes, i);
      if (i === -1) return this.#remember(depth, true);
    }
    while (i < length) {
      const byte = bytes[i] as number;
      i += 1;
      if (byte === QUOTE) {
        i = afterString(bytes, i);
        if (i === -1) return this.#remember(depth, true);
      } else if (byte === OPEN_BRACE) {
        depth += 1;
      } else if (byte === CLOSE_BRACE) {
        depth -= 1;
        if (depth === 0) {
          this.#remember(0, false);
          this.#cursor = i;
          this.end = i;
          return true;
        }
      }
    }
    return this.#remember(depth, false);
  }

  #remember(depth: number, isInString: boolean): false {
    this.#depth = depth;
    this.#isInString = isInString;
    this.#cursor = this.bytes.length;
    return false;
  }

  // The chunk may be a buffer that its owner fills again, so an unfinished frame is copied out of it.
  #hold(): void {
    const heldBytes = this.bytes.length - this.start;
    if (heldBytes > this.maxFrameBytes) {
      this.fault = 'too-large';
      this.bytes = EMPTY;
      return;
    }
    if (!this.#isOwn || this.start > 0) this.#copyFrom(this.start);
    this.start = 0;
  }

  #copyFrom(from: number): void {
    this.bytes = Buffer.from(this.bytes.subarray(from));
    this.#cursor -= from;
    this.#isOwn = true;
  }
}

// NUL too: programs in C send the one that ends their string.
function isWhiteSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09 || byte === 0;
}

// The first byte decides, so that it does not matter where a chunk ends.
function beginsMark(byte: number): boolean {
  return byte === 0xef || byte === 0xfe || byte === 0xff;
}

// Index just past the quote that ends the string which `from` lies in, or -1 when it is not there yet.
function afterString(bytes: Buffer, from: number): number {
  const shortEnd = Math.min(bytes.length, from + SHORT_STRING_BYTES);
  let i = from;
  while (i < shortEnd && bytes[i] !== QUOTE) i += 1;
  while (true) {
    if (i >= shortEnd) i = bytes.indexOf(QUOTE, i);
    if (i === -1) return -1;
    if (!isEscaped(bytes, i)) return i + 1;
    i = bytes.indexOf(QUOTE, i + 1);
  }
}

// A quote is escaped by an odd number of backslashes before it; they can't reach past the string's own first quote.
function isEscaped(bytes: Buffer, quoteAt: number): boolean {
  let i = quoteAt - 1;
  while (i >= 0 && bytes[i] === BACKSLASH) i -= 1;
  return (quoteAt - i) % 2 === 0;
}
