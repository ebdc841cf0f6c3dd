// pure · bytes → text, where they are UTF-8, and what is to be said where they are not.
const REPLACEMENT = '\ufffd';

export const NOT_UTF8_SENTENCE = 'The packet is not valid UTF-8: encode it as UTF-8.';
export const BYTE_ORDER_MARK_SENTENCE =
  'The bytes begin with a byte order mark, and a packet starts with "{": send it as UTF-8 without one.';

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
