// Whether an answer is for the request that it arrives for, and right. On the data path.
import { hash } from 'node:crypto';
import { type Id, type Packet, parsePacket } from '../../shared/packet.ts';

const FIELD = '"destid":';
// Others do not stand in the answer as they are: bytes are not characters, and a quote ends a text.
const PLAIN_ID = /^[ !#-[\]-~]+$/;
const QUOTE = 0x22;
const COMMA = 0x2c;
const CLOSING_BRACE = 0x7d;

// Where the field was last: most answers have it at one of few places.
let usualAt = 0;

/**
 * Whether an answer carries the asker's id, compared as text. A server that answers twice shifts all that follow on its
 * connection by one, and every digest is right: only the id shows it.
 * @param answer the server's own bytes as latin1
 */
export function isAnswerTo(answer: string, clientId: Id | undefined): boolean {
  if (!answer.startsWith(FIELD, usualAt)) {
    const at = answer.indexOf(FIELD);
    if (at === -1) return isAnswerToParsed(answer, clientId);
    usualAt = at;
  }
  if (hasPlainId(answer, usualAt + FIELD.length, clientId)) return true;
  return isAnswerToParsed(answer, clientId);
}

/** Whether it is an error packet without a `destid`: its server may say why it closes. */
export function isAnonymousRefusal(answer: string): boolean {
  return isAnswerToParsed(answer, undefined);
}

/**
 * Whether an answer that is the same as the one before it, byte by byte, is that one sent again: the payloads differ, so
 * the answers should. Requests of one client may all have one id.
 * @param wires the own bytes of both requests, as latin1
 */
export function isSentAgain(answer: string, wires: readonly [string, string]): boolean {
  // The same question has the same answer.
  if (wires[0] === wires[1]) return false;
  if (parseLatin1(answer).kind !== 'answer') return false;
  const [before, now] = wires.map(parseLatin1);
  return before?.kind === 'request' && now?.kind === 'request' && before.payload !== now.payload;
}

/** Whether an answer (latin1) has the digest of `payload`. A server that says that it can't answer does not lie. */
export function isRightAnswer(payload: string, answer: string): boolean {
  const packet = parseLatin1(answer);
  if (packet.kind === 'error') return true;
  return packet.kind === 'answer' && packet.digest === hash('sha1', payload);
}

function parseLatin1(bytes: string): Packet {
  return parsePacket(Buffer.from(bytes, 'latin1').toString());
}

// As nearly every server writes it. An id that JSON escapes, or that is not ASCII, is found by the other way.
function hasPlainId(answer: string, at: number, clientId: Id | undefined): boolean {
  if (typeof clientId === 'string' && !PLAIN_ID.test(clientId)) return false;
  const text = String(clientId);
  const isQuoted = answer.charCodeAt(at) === QUOTE;
  const from = isQuoted ? at + 1 : at;
  if (!answer.startsWith(text, from)) return false;
  const end = from + text.length;
  if (!isQuoted) return endsField(answer.charCodeAt(end));
  return answer.charCodeAt(end) === QUOTE && endsField(answer.charCodeAt(end + 1));
}

function endsField(code: number): boolean {
  return code === COMMA || code === CLOSING_BRACE;
}

// A refusal need not have a `destid`: a server does not know of a packet that it can't read.
function isAnswerToParsed(answer: string, clientId: Id | undefined): boolean {
  const text = Buffer.from(answer, 'latin1').toString();
  let raw: { destid?: unknown } | null;
  try {
    raw = JSON.parse(text);
  } catch {
    return false;
  }
  const destination = raw?.destid;
  if (typeof destination === 'string' || typeof destination === 'number')
    return clientId !== undefined && String(destination) === String(clientId);
  return destination === undefined && parsePacket(text).kind === 'error';
}
