// pure · the refusals of what never became a packet: bytes, frames and connections that can't be trusted any more.
// Must never hold what depends on a packet's fields: packet.ts refuses those.
import type { ErrorCode } from '../shared/error-codes.ts';
import type { PacketFault } from '../shared/packet.ts';

export const NOT_AN_OBJECT: PacketFault = {
  kind: 'fault',
  code: 'BAD_JSON',
  sentence: 'The bytes are not a JSON object: a packet starts with "{".',
};

export const NOT_UTF8: PacketFault = {
  kind: 'fault',
  code: 'BAD_JSON',
  sentence: 'The packet is not valid UTF-8: encode it as UTF-8.',
};

export const CUT_SHORT: PacketFault = {
  kind: 'fault',
  code: 'BAD_JSON',
  sentence: 'The connection ended in the middle of a packet: send it whole.',
};

/** @param maxFrameBytes the limit, in bytes */
export function tooLarge(maxFrameBytes: number): PacketFault {
  return {
    kind: 'fault',
    code: 'FRAME_TOO_LARGE',
    sentence: `The packet is over ${maxFrameBytes} bytes: send a smaller one.`,
  };
}

/** @param limitMs how long a packet may take from its first byte */
export function tooSlow(limitMs: number): PacketFault {
  return {
    kind: 'fault',
    code: 'TOO_SLOW',
    sentence: `The packet was not complete within ${limitMs / 1000} s of its first byte: send it in one go.`,
  };
}

/** Whether nothing that follows on the connection can be told apart any more, so that it has to be closed. */
export function endsStream(code: ErrorCode): boolean {
  return code === 'BAD_JSON' || code === 'FRAME_TOO_LARGE';
}
