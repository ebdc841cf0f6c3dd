// pure · one request: its frame, how its reply is judged, and what is recorded of its end.

import type { KnownProxy } from '../../services/client/known-proxies.ts';
import { formatRequest, parsePacket } from '../../services/shared/packet.ts';
import { printable } from '../../services/shared/printable.ts';
import type { BreakReason, Connection } from '../kit/proxy-connection.ts';
import { count } from '../kit/words.ts';

const CLIENT_ID = 'load';
const MAX_CODE_LENGTH = 40;

/** The part of a payload that differs per request, in characters of ASCII; also the smallest payload. */
export const SERIAL_LENGTH = 8;

/** How an attempt ended, or a request: each ends exactly once. */
export type Outcome = 'ok' | 'wrong' | 'error' | 'lost' | 'dropped';

/** Of nothing so far. */
export function noOutcomes(): Record<Outcome, number> {
  return { ok: 0, wrong: 0, error: 0, lost: 0, dropped: 0 };
}

/** `17,432 ok, 0 wrong, 0 errors, 0 lost`. */
export function describeOutcomes({ ok, wrong, error, lost }: Readonly<Record<Outcome, number>>): string {
  return `${count(ok)} ok, ${count(wrong)} wrong, ${count(error)} errors, ${count(lost)} lost`;
}

/** `detail`: the server's id for `ok` and `wrong`, the code for `error`, the reason for `lost` and `dropped`. */
export type Ending = { outcome: Outcome; detail: string };

/** An ending, and whether another attempt may end otherwise. Not for a wrong digest: the next answer would hide it. */
export type AttemptEnding = Ending & { isRetryable: boolean };

/** Why the generator itself did not send a request, or did not wait for its reply. */
export type DropReason = 'late' | 'in-flight-bound' | 'no-local-resources' | 'interrupted';

/** One attempt at a request. Times are monotonic milliseconds. */
export type Exchange = {
  policyIndex: number;
  /** When the request was due. */
  intendedMs: number;
  sentMs: number;
  deadlineMs: number;
  payload: string;
  frame: string;
  /** From 1. */
  attempt: number;
  /** Null for the first attempt itself. */
  first: FirstAttempt | null;
  /** The proxy that was the first to say that it has no server for it: another one gets the next attempt. */
  emptyAt: KnownProxy | null;
  /** Which one carries it: the pool's. */
  connection: Connection<Exchange, KnownProxy> | null;
  isDone: boolean;
};

/**
 * One request that has ended. Epoch times are Unix milliseconds with a fraction, on the monotonic clock: they do not
 * follow the machine's clock when that is set after the start of this process.
 */
export type RequestRecord = Ending & {
  /** When it was meant to be sent. */
  dueEpochMs: number;
  /** From then to its end, whatever its outcome. */
  latencyMs: number;
  policy: string;
  /** How often it was sent; 0 when it was dropped before it was started. */
  attempts: number;
  /** Null unless there were several. */
  first: FirstAttempt | null;
};

/** The first of several attempts at a request. */
export type FirstAttempt = Ending & {
  sentEpochMs: number;
  /** When it ended, in ms after the request was due. */
  endedMs: number;
  /** Since when its connection was open; null when it failed to connect, so that nothing was sent. */
  openedEpochMs: number | null;
};

/** A monotonic time as Unix milliseconds. */
export function toEpochMs(ms: number): number {
  return performance.timeOrigin + ms;
}

export function lost(reason: BreakReason): AttemptEnding {
  return { outcome: 'lost', detail: reason, isRetryable: true };
}

export function dropped(reason: DropReason): AttemptEnding {
  return { outcome: 'dropped', detail: reason, isRetryable: false };
}

/**
 * Makes request `index` of a run: its payload, ASCII and unlike that of every other request (only then does a digest prove
 * whose reply it is), and the frame around it, ending in `\n`.
 */
export type RequestTemplate = (index: number) => Pick<Exchange, 'payload' | 'frame'>;

/**
 * All but the serial number of a policy's requests is put together once.
 * @param payloadBytes size of every payload in bytes, at least SERIAL_LENGTH
 */
export function requestTemplate(policy: string, payloadBytes: number): RequestTemplate {
  const filler = '.'.repeat(payloadBytes - SERIAL_LENGTH);
  const placeholder = '#'.repeat(SERIAL_LENGTH);
  const sample = formatRequest(CLIENT_ID, policy, placeholder + filler);
  const serialAt = sample.lastIndexOf(placeholder);
  const before = sample.slice(0, serialAt);
  const behind = sample.slice(serialAt + SERIAL_LENGTH);
  return (index) => {
    const serial = index.toString(36).padStart(SERIAL_LENGTH, '0');
    return { payload: serial + filler, frame: before + serial + behind };
  };
}

/**
 * Judges the reply to a request.
 * @param replyText the reply's frame, decoded
 * @param payload   what the request carried
 * @param digestOf  SHA-1 of a text's UTF-8 bytes, 40 lower-case hex digits
 */
export function judgeReply(
  replyText: string,
  payload: string,
  digestOf: (text: string) => string,
): AttemptEnding {
  const packet = parsePacket(replyText);
  if (packet.kind === 'answer') {
    const outcome = packet.digest === digestOf(payload) ? 'ok' : 'wrong';
    const detail = packet.serverId === null ? '(no id)' : printable(String(packet.serverId));
    return { outcome, detail, isRetryable: false };
  }
  if (packet.kind !== 'error') return lost('unparseable');
  // A code is a key of the tally, so a peer's text is kept short.
  const code = printable(packet.code.slice(0, MAX_CODE_LENGTH));
  return { outcome: 'error', detail: code, isRetryable: packet.isRetryable };
}

/** Whether a frame that no request was waiting for is an answer: something was answered twice, or a reply went astray. */
export function isStrayAnswer(text: string): boolean {
  return parsePacket(text).kind === 'answer';
}
