// pure · bytes on a connection → the replies that the protocol owes them, and whether those are what came.
import { isUtf8 } from 'node:buffer';
import { readByTheBook, understandByTheBook } from './reference.ts';

export type Expected = {
  /** For each reply, in order, what it may be: a code, or `registered`. */
  replies: readonly (readonly string[])[];
  /** Requests among them: a connection has so many in flight at a time, and each may take its time. */
  requests: number;
  /** The proxy closes by itself, also when the peer does not. */
  isClosedByProxy: boolean;
  /** A session has begun: heartbeats come in between, and another server may replace this one. */
  hasSession: boolean;
};

const NO_ANSWER = ['NO_SERVER', 'OVERLOADED', 'UPSTREAM_FAILED', 'UPSTREAM_TIMEOUT'];
// In a session: what may come without being asked for, and a server that is replaced is refused.
const UNASKED = ['heartbeat', 'UNKNOWN_TYPE', 'registered', 'REGISTRATION_REFUSED'];
const REPLY_MAX_BYTES = 1024;
// A connection on which so many packets in a row are refused is closed.
const MAX_REFUSALS_IN_A_ROW = 100;

/** @param isEnded the peer ends its side behind the bytes, or stays */
export function expectReplies(bytes: Buffer, maxFrameBytes: number, isEnded: boolean): Expected {
  const { frames, fault, isMidFrame } = readByTheBook(bytes, maxFrameBytes);
  const replies: string[][] = [];
  const expected = { replies, requests: 0, isClosedByProxy: false, hasSession: false };
  let refusals = 0;
  for (const frame of frames) {
    const packet = isUtf8(frame)
      ? understandByTheBook(frame.toString())
      : { kind: 'fault', code: 'BAD_JSON' };
    const isRefused = packet.kind !== 'request' && packet.kind !== 'setup';
    if (packet.kind === 'request') expected.requests += 1;
    if (packet.kind === 'setup' && packet.hasSession) expected.hasSession = true;
    if (expected.hasSession && (packet.kind === 'heartbeat' || packet.kind === 'leave')) continue;
    replies.push(repliesTo(packet));
    refusals = isRefused ? refusals + 1 : 0;
    const isLast = packet.kind === 'fault' && packet.code === 'BAD_JSON';
    if (isLast || refusals === MAX_REFUSALS_IN_A_ROW) return { ...expected, isClosedByProxy: true };
  }
  if (fault === null && !isMidFrame) return expected;
  const isSlow = fault === null && !isEnded;
  replies.push([fault === 'too-large' ? 'FRAME_TOO_LARGE' : isSlow ? 'TOO_SLOW' : 'BAD_JSON']);
  return { ...expected, isClosedByProxy: true };
}

function repliesTo({ kind, code }: { kind: string; code?: unknown }): string[] {
  if (kind === 'request') return NO_ANSWER;
  if (kind === 'setup') return ['registered', 'REGISTRATION_REFUSED'];
  return [kind === 'fault' ? String(code) : 'UNKNOWN_TYPE'];
}

/**
 * @param received everything that came, whether or not the connection has ended
 * @param isOver nothing more will come
 * @returns what is wrong, or null
 */
export function judgeReplies(
  received: string,
  { replies, hasSession }: Expected,
  isOver: boolean,
): string | null {
  const lines = received.split('\n');
  if (lines.pop() !== '') return `a reply was cut off: ${received.slice(received.lastIndexOf('\n') + 1)}`;
  const named = lines.map(nameOf);
  const unreadable = named.indexOf(null);
  if (unreadable !== -1) return `no reply of the protocol, or too large: ${lines[unreadable]}`;
  const isCounted = (name: string | null): boolean => !hasSession || !UNASKED.includes(name ?? '');
  const answers = named.filter(isCounted);
  const wanted = replies.filter(([first = '']) => isCounted(first));
  if (answers.length > wanted.length) {
    return `${answers.length} replies to what is owed ${wanted.length}: ${answers.slice(0, 10).join(', ')}`;
  }
  const odd = answers.findIndex((name, i) => wanted[i]?.includes(name as string) !== true);
  if (odd !== -1) return `reply ${odd + 1} is ${answers[odd]} instead of ${wanted[odd]?.join(' or ')}`;
  const isShort = isOver && !hasSession && answers.length < wanted.length;
  return isShort ? `${answers.length} replies, and ${wanted.length} are owed` : null;
}

// Null for what is no reply of the protocol.
function nameOf(line: string): string | null {
  if (Buffer.byteLength(line) >= REPLY_MAX_BYTES) return null;
  let packet: Record<string, unknown>;
  try {
    packet = JSON.parse(line);
  } catch {
    return null;
  }
  if (packet.type === -1 && typeof packet.payload === 'string') return String(packet.code);
  if (packet.type === 1 && packet.status === 'registered') return 'registered';
  return packet.type === 3 ? 'heartbeat' : packet.type === 2 ? 'an answer' : null;
}
