// Whether bytes are the inside of a JSON string as it stands: printable ASCII, nothing escaped. On the data path.

const SEVEN_BITS = 0x7f7f7f7f;
const EIGHTH_BITS = 0x80808080;
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;
const EACH_BYTE = 0x01010101;

// A view is kept of the buffer that was looked at last: nearly all that is read comes into one and the same.
const MAX_VIEWED_BYTES = 65_536;
let viewed: ArrayBufferLike = new ArrayBuffer(0);
let words: Int32Array = new Int32Array(viewed);

/**
 * Whether `bytes`, from `start` to `end` (exclusive), are ASCII without control characters, quotes and backslashes;
 * 0x7f is none of them, as in JSON.
 */
export function isPlainText(bytes: Uint8Array, start: number, end: number): boolean {
  const { byteOffset } = bytes;
  let at = start;
  let odd = 0;
  if (canView(bytes.buffer)) {
    const view = words;
    const firstWord = (byteOffset + start + 3) >> 2;
    const lastWord = (byteOffset + end) >> 2;
    if (firstWord < lastWord) {
      for (const until = firstWord * 4 - byteOffset; at < until; at += 1)
        odd |= oddBits((bytes[at] as number) * EACH_BYTE);
      for (let word = firstWord; word < lastWord; word += 1) odd |= oddBits(view[word] as number);
      at = lastWord * 4 - byteOffset;
    }
  }
  for (; at < end; at += 1) odd |= oddBits((bytes[at] as number) * EACH_BYTE);
  return (odd & EIGHTH_BITS) === 0;
}

// Its eighth bits tell which of the four bytes are odd; beside one that is not ASCII perhaps others too. Adding 0x7f to
// seven bits sets the eighth unless they are 0 ("Determine if a word has a zero byte", Bit Twiddling Hacks,
// S. E. Anderson, 1997), and what is below 0x20 has neither its sixth nor its seventh bit.
function oddBits(word: number): number {
  const isNoQuote = (word ^ QUOTES) + SEVEN_BITS;
  const isNoBackslash = (word ^ BACKSLASHES) + SEVEN_BITS;
  return word | ~(isNoQuote & isNoBackslash & ((word << 1) | (word << 2)));
}

function canView(buffer: ArrayBufferLike): boolean {
  if (buffer === viewed) return true;
  if (buffer.byteLength > MAX_VIEWED_BYTES) return false;
  viewed = buffer;
  words = new Int32Array(buffer, 0, buffer.byteLength >> 2);
  return true;
}
