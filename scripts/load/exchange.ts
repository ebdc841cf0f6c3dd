// pure · one request and what its reply means. Frames come from the shared packets, so field names stay there.
// Must never let two requests of a run carry the same payload: only then does a digest prove whose reply it is.
import { formatRequest, parsePacket } from '../../services/shared/packet.ts';
import { printable } from '../../services/shared/printable.ts';

const CLIENT_ID = 'load';

/** The part of a payload that differs per request, in characters of ASCII; also the smallest payload. */
export const SERIAL_LENGTH = 8;

const PLACEHOLDER = '#'.repeat(SERIAL_LENGTH);

export type LostReason =
  | 'refused'
  | 'reset'
  | 'closed'
  | 'unreachable'
  | 'connect-timeout'
  | 'timeout'
  | 'unparseable';

/** Why a request was not sent (or, for `interrupted`, not waited for): the generator's doing, nobody else's. */
export type DropReason = 'late' | 'in-flight-bound' | 'no-local-resources' | 'interrupted';

/** How an attempt ended, or a request: each ends exactly once. */
export type Outcome =
  | { kind: 'ok' | 'wrong'; serverId: string }
  | { kind: 'error'; code: string; isRetryable: boolean }
  | { kind: 'lost'; reason: LostReason }
  | { kind: 'dropped'; reason: DropReason };

/** One attempt at a request. Times are monotonic milliseconds. */
export type Exchange = {
  /** The request's place in the run, from 0. */
  index: number;
  policyIndex: number;
  /** When the request was due. */
  intendedMs: number;
  sentMs: number;
  /** Since when the connection that carries it stands; null while it does not. */
  openedMs: number | null;
  deadlineMs: number;
  payload: string;
  /** From 1. */
  attempt: number;
  /** Null for the first attempt itself. */
  first: FirstAttempt | null;
  isDone: boolean;
};

/** How the first attempt of a request ended, at `endMs`. */
export type FirstAttempt = Pick<Exchange, 'sentMs' | 'openedMs'> & { outcome: Outcome; endMs: number };

/** Makes the requests of one policy: all but the serial number is put together once. */
export type RequestTemplate = {
  /** The payload of request `index`: ASCII, of the wanted size, unlike that of every other request. */
  payload(index: number): string;
  /** The frame around that payload, ending in `\n`. */
  frame(index: number): string;
};

/**
 * @param policy        which policy the requests ask for
 * @param payloadBytes  size of every payload in bytes, at least SERIAL_LENGTH
 */
export function requestTemplate(policy: string, payloadBytes: number): RequestTemplate {
  const filler = '.'.repeat(payloadBytes - SERIAL_LENGTH);
  const sample = formatRequest(CLIENT_ID, policy, PLACEHOLDER + filler);
  const serialAt = sample.lastIndexOf(PLACEHOLDER);
  const prefix = sample.slice(0, serialAt);
  const suffix = sample.slice(serialAt + SERIAL_LENGTH);
  return {
    payload: (index) => serial(index) + filler,
    frame: (index) => prefix + serial(index) + suffix,
  };
}

function serial(index: number): string {
  return index.toString(36).padStart(SERIAL_LENGTH, '0');
}

/**
 * Judges the reply to a request.
 * @param replyText  the reply's frame, decoded
 * @param payload    what the request carried
 * @param digestOf   SHA-1 of a text's UTF-8 bytes, 40 lower-case hex digits
 */
export function judgeReply(replyText: string, payload: string, digestOf: (text: string) => string): Outcome {
  const packet = parsePacket(replyText);
  switch (packet.kind) {
    case 'answer': {
      const kind = packet.digest === digestOf(payload) ? 'ok' : 'wrong';
      return { kind, serverId: packet.serverId === null ? '(no id)' : printable(String(packet.serverId)) };
    }
    case 'error':
      // A code is a key of the tally, so a peer's text is kept short.
      return { kind: 'error', code: printable(packet.code.slice(0, 40)), isRetryable: packet.isRetryable };
    case 'request':
    case 'setup':
    case 'heartbeat':
    case 'leave':
    case 'legacy-probe':
    case 'fault':
      return { kind: 'lost', reason: 'unparseable' };
    default:
      return packet satisfies never;
  }
}

/** True when a frame that nobody asked for is an answer: some request was answered twice, or a reply went astray. */
export function isStrayAnswer(text: string): boolean {
  return parsePacket(text).kind === 'answer';
}
