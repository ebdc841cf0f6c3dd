// pure · the refusals of what never became a packet: bytes, frames and connections that can't be trusted any more.
// Must never hold what depends on a packet's fields: packet.ts refuses those.
import type { ErrorCode } from '../../shared/error-codes.ts';
import type { FramingFault } from '../../shared/framing.ts';
import type { PacketFault } from '../../shared/packet.ts';
import { BYTE_ORDER_MARK_SENTENCE, NOT_UTF8_SENTENCE } from '../../shared/utf8.ts';

const NOT_AN_OBJECT: PacketFault = {
  kind: 'fault',
  code: 'BAD_JSON',
  sentence: 'The bytes are not a JSON object: a packet starts with "{".',
};

const BYTE_ORDER_MARK: PacketFault = {
  kind: 'fault',
  code: 'BAD_JSON',
  sentence: BYTE_ORDER_MARK_SENTENCE,
};

export const NOT_UTF8: PacketFault = { kind: 'fault', code: 'BAD_JSON', sentence: NOT_UTF8_SENTENCE };

export const CUT_SHORT: PacketFault = {
  kind: 'fault',
  code: 'BAD_JSON',
  sentence: 'The connection ended in the middle of a packet: send it whole.',
};

/** @param maxFrameBytes the limit that the stream is read with, in bytes */
export function faultOf(fault: FramingFault, maxFrameBytes: number): PacketFault {
  switch (fault) {
    case 'not-an-object':
      return NOT_AN_OBJECT;
    case 'byte-order-mark':
      return BYTE_ORDER_MARK;
    case 'too-large':
      return tooLarge(maxFrameBytes);
    default:
      return fault satisfies never;
  }
}

function tooLarge(maxFrameBytes: number): PacketFault {
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
