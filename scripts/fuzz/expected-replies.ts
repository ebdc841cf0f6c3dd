// pure · bytes on a connection → the replies that the protocol owes them, and whether those are what came.
// Must never allow for a reply that is missing, or for one too many.
import { isUtf8, readByTheBook, understandByTheBook } from './reference.ts';

/** For each reply, in order, what it may be: a code, or `registered`. */
export type Expected = {
  replies: readonly (readonly string[])[];
  /** Requests among them: a connection has so many in flight at a time, and each may take its time. */
  requests: number;
  /** The proxy closes by itself, also when the peer does not. */
  isClosedByProxy: boolean;
  /** A session has begun: heartbeats come in between, and others may take its place and end it. */
  isLoose: boolean;
};

const NO_ANSWER = ['NO_SERVER', 'OVERLOADED', 'UPSTREAM_FAILED', 'UPSTREAM_TIMEOUT'];
const SESSION_ONLY = new Set(['heartbeat', 'leave']);
const REPLY_MAX_BYTES = 1024;
// A connection on which so many packets in a row are refused is closed.
const MAX_REFUSALS_IN_A_ROW = 100;

/** @param isEnded the peer ends its side behind the bytes, or stays */
export function expectReplies(bytes: Buffer, maxFrameBytes: number, isEnded: boolean): Expected {
  const { frames, fault, isMidFrame } = readByTheBook(bytes, maxFrameBytes);
  const replies: (readonly string[])[] = [];
  let requests = 0;
  let isLoose = false;
  let refusalsInARow = 0;
  for (const frame of frames) {
    const packet: { kind: string } & Record<string, unknown> = isUtf8(frame)
      ? understandByTheBook(frame.toString())
      : { kind: 'fault', code: 'BAD_JSON' };
    if (packet.kind === 'request') requests += 1;
    if (packet.kind === 'setup' && packet.hasSession === true) isLoose = true;
    if (isLoose && SESSION_ONLY.has(packet.kind)) continue;
    replies.push(repliesTo(packet));
    if (packet.code === 'BAD_JSON' && packet.kind === 'fault') {
      return { replies, requests, isClosedByProxy: true, isLoose };
    }
    refusalsInARow = packet.kind === 'request' || packet.kind === 'setup' ? 0 : refusalsInARow + 1;
    if (refusalsInARow === MAX_REFUSALS_IN_A_ROW) {
      return { replies, requests, isClosedByProxy: true, isLoose };
    }
  }
  const lastWords =
    fault === 'too-large'
      ? 'FRAME_TOO_LARGE'
      : fault !== null || (isMidFrame && isEnded)
        ? 'BAD_JSON'
        : isMidFrame
          ? 'TOO_SLOW'
          : null;
  if (lastWords !== null) replies.push([lastWords]);
  return { replies, requests, isClosedByProxy: lastWords !== null, isLoose };
}

function repliesTo(packet: { kind: string; code?: unknown }): readonly string[] {
  switch (packet.kind) {
    case 'request':
      return NO_ANSWER;
    case 'setup':
      return ['registered', 'REGISTRATION_REFUSED'];
    case 'fault':
      return [String(packet.code)];
    default:
      return ['UNKNOWN_TYPE'];
  }
}

/**
 * @param received everything that came, whether or not the connection has ended
 * @param isOver nothing more will come
 * @returns what is wrong, or null
 */
export function judgeReplies(
  received: string,
  { replies, isLoose }: Expected,
  isOver: boolean,
): string | null {
  const lines = received.split('\n');
  if (lines.pop() !== '') return `a reply was cut off: ${lines.at(-1) ?? received}`;
  const named = lines.map(nameOf);
  const unreadable = named.indexOf(null);
  if (unreadable !== -1) return `no reply of the protocol, or too large: ${lines[unreadable]}`;
  const answers = isLoose ? named.filter((name) => name !== 'heartbeat' && name !== 'UNKNOWN_TYPE') : named;
  const wanted = isLoose ? replies.filter((codes) => !codes.includes('UNKNOWN_TYPE')) : replies;
  if (answers.length > wanted.length) {
    return `${answers.length} replies to what is owed ${wanted.length}: ${answers.slice(0, 10).join(', ')}`;
  }
  const odd = answers.findIndex((name, i) => wanted[i]?.includes(name as string) !== true);
  if (odd !== -1) return `reply ${odd + 1} is ${answers[odd]} instead of ${wanted[odd]?.join(' or ')}`;
  const isShort = isOver && !isLoose && answers.length < wanted.length;
  return isShort ? `${answers.length} replies, and ${wanted.length} are owed` : null;
}

function nameOf(line: string): string | null {
  if (Buffer.byteLength(line) >= REPLY_MAX_BYTES) return null;
  let packet: Record<string, unknown>;
  try {
    packet = JSON.parse(line);
  } catch {
    return null;
  }
  switch (packet.type) {
    case -1:
      return typeof packet.code === 'string' && typeof packet.payload === 'string' ? packet.code : null;
    case 1:
      return packet.status === 'registered' ? 'registered' : null;
    case 3:
      return 'heartbeat';
    case 2:
      return 'an answer';
    default:
      return null;
  }
}
