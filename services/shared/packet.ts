// The text of a frame ↔ packets. The only file that knows field names, apart from packet-text.ts.
import { ERROR_CODES, type ErrorCode } from './error-codes.ts';
import { ambiguityOf, type Fields, flawOf, InexactNumber, parseFields } from './packet-text.ts';
import { isPlainText } from './plain-text.ts';

/** Largest payload of a request, in bytes of UTF-8. */
export const MAX_PAYLOAD_BYTES = 1024;

/** Longest id or policy, in UTF-16 units. */
export const MAX_ID_LENGTH = 128;

const AUTH_METHOD = 'hmac-sha-256';

// Replies with an echoed id must stay below 1,024 bytes: old clients read once.
const MAX_ECHO_LENGTH = 200;
const MAX_SENTENCE_LENGTH = 300;
const MAX_SENTENCE_BYTES = 450;

/** An id as a peer wrote it: kept as it came so that the answer can carry it back, compared as text. */
export type Id = string | number;

export type RequestPacket = { kind: 'request'; clientId: Id; policy: string; payload: string };
export type SetupPacket = {
  kind: 'setup';
  id: Id;
  policy: string;
  /** The policy in the form in which it came, a number or a text: some servers compare it so. */
  policyAsWritten: Id;
  listenPort: number;
  /** The connection stays open and is the server's lease. */
  hasSession: boolean;
  /** The server answers many requests on one connection, in order. */
  keepsAlive: boolean;
  incarnation: string | null;
  canProve: boolean;
  proof: string | null;
  /** The proxies, by their boot ids, that the server has a session with on other connections. */
  sessionsWith: readonly string[];
};
/** What a setup packet claims: a proof for one claim is none for another. */
export type Claim = Pick<SetupPacket, 'id' | 'policy' | 'listenPort' | 'incarnation'>;
type AnswerPacket = { kind: 'answer'; serverId: Id | null; digest: string };
type ErrorPacket = {
  kind: 'error';
  code: string;
  sentence: string;
  isRetryable: boolean;
  wasSent: boolean;
  /** By which the proxy's logs name it; null from a proxy that has none. */
  trace: string | null;
};
/** A proxy's yes to a setup packet; only `parseFromProxy` distinguishes it from a setup packet. */
type RegisteredPacket = {
  kind: 'registered';
  /** The boot id of the proxy; null from one that says none. */
  boot: string | null;
  /** Nothing was registered: the proxy has a session with this server already. */
  isKnown: boolean;
};
/** A heartbeat of a proxy that will stop soon; only `parseFromProxy` distinguishes it from others. */
type LameDuckPacket = { kind: 'lame-duck' };
type ChallengePacket = { kind: 'challenge'; nonce: string };
export type HeartbeatPacket = { kind: 'heartbeat' };
export type LeavePacket = { kind: 'leave' };
/** A health probe of the old kind, `{"type": -2}`: ignored by servers. */
type LegacyProbePacket = { kind: 'legacy-probe' };
/** What could not be understood: the refusal to send back, with what is known of the sender. */
export type PacketFault = {
  kind: 'fault';
  code: ErrorCode;
  sentence: string;
  clientId?: Id | undefined;
  policy?: string | undefined;
};

export type Packet =
  | RequestPacket
  | SetupPacket
  | AnswerPacket
  | ErrorPacket
  | HeartbeatPacket
  | LeavePacket
  | LegacyProbePacket
  | PacketFault;

export type PacketFromProxy = Packet | RegisteredPacket | ChallengePacket | LameDuckPacket;

/**
 * Understands one frame.
 * @param text the frame, decoded from UTF-8
 * @returns the packet, or a `fault` that carries the code and the sentence to answer with; never throws
 */
export function parsePacket(text: string): Packet {
  return parseAs(text, understand);
}

/**
 * Understands one frame that a proxy sent to a server. Its reply to a setup packet has no `listenport`, and old
 * proxies' replies have little more than the type: any type 1 is a yes.
 * @param text the frame, decoded from UTF-8
 */
export function parseFromProxy(text: string): PacketFromProxy {
  return parseAs<PacketFromProxy>(text, (_text, raw) => {
    const type = wholeNumber(raw.type);
    if (type === 1) {
      const boot = typeof raw.proxy === 'string' ? raw.proxy : null;
      return { kind: 'registered', boot, isKnown: raw.status === 'known' };
    }
    if (type === 3 && raw.leaving === true) return { kind: 'lame-duck' };
    if (type !== 5) return understand(text, raw);
    const { nonce } = raw;
    return typeof nonce === 'string' ? { kind: 'challenge', nonce } : badField('nonce', 'a text', nonce, raw);
  });
}

function parseAs<T>(text: string, understandAs: (text: string, raw: Fields) => T): T | PacketFault {
  const raw = parseFields(text);
  if (typeof raw === 'string') return fault('BAD_JSON', raw);
  const flaw = flawOf(text, raw);
  return flaw === null ? understandAs(text, raw) : fault('BAD_PACKET', flaw, raw);
}

const CLOSING_BRACKET = 0x5d;

/**
 * The other proxies that one names in its replies when it is about to stop.
 * @param text the reply's frame, decoded
 * @returns null in any other reply. The field stands last, so these cost no search
 */
export function proxiesNamedIn(text: string): readonly unknown[] | null {
  if (text.charCodeAt(text.length - 2) !== CLOSING_BRACKET) return null;
  const raw = parseFields(text);
  return typeof raw !== 'string' && Array.isArray(raw.proxies) ? raw.proxies : null;
}

// Ids that need no decoding: printable ASCII without quotes and backslashes. Repetitions without a bound, since counted
// ones are slow; there is one way to match each text, so that none takes long.
const PLAIN_ID = '"([ !#-\\[\\]-~]+)"';
const PLAIN_WHOLE = '0|[1-9][0-9]{0,14}';
const UP_TO_PAYLOAD = new RegExp(
  `\\{ *"type" *: *0 *, *"srcid" *: *(?:(-?[1-9][0-9]{0,14}|0)|${PLAIN_ID}) *, ` +
    `*"privPoliId" *: *(?:(${PLAIN_WHOLE})|${PLAIN_ID}) *, *"payloadsize" *: *(?:${PLAIN_WHOLE}) *, *"payload" *: *"`,
  'y',
);
const END_OF_PACKET = '"}';
const PLAIN_FIELDS_LENGTH = 128;

/** No plain request has more bytes, unless it is full of spaces. */
export const MAX_PLAIN_REQUEST_BYTES = MAX_PAYLOAD_BYTES + 2 * MAX_ID_LENGTH + PLAIN_FIELDS_LENGTH;

/**
 * Understands a request in the form in which nearly all come, in a fraction of the time: the five fields in the usual
 * order, in ASCII, nothing escaped, on one line.
 * @param text  the frame as latin1, perhaps with a `\n` behind it
 * @param bytes where it is from
 * @param start its first byte
 * @returns what `parsePacket` would; null for any other form, which says nothing about whether it is a good packet
 */
export function parsePlainRequest(text: string, bytes: Uint8Array, start: number): RequestPacket | null {
  UP_TO_PAYLOAD.lastIndex = 0;
  const match = UP_TO_PAYLOAD.exec(text);
  if (match === null) return null;
  const payloadStart = UP_TO_PAYLOAD.lastIndex;
  const payloadEnd = text.length - END_OF_PACKET.length - (text.endsWith('\n') ? 1 : 0);
  if (!text.startsWith(END_OF_PACKET, payloadEnd)) return null;
  const payloadBytes = payloadEnd - payloadStart;
  if (payloadBytes < 0 || payloadBytes > MAX_PAYLOAD_BYTES) return null;
  if (!isPlainText(bytes, start + payloadStart, start + payloadEnd)) return null;
  const idText = match[2];
  const clientId = idText ?? Number(match[1]);
  const policy = match[3] ?? (match[4] as string);
  if (policy.length > MAX_ID_LENGTH || (idText !== undefined && idText.length > MAX_ID_LENGTH)) return null;
  return {
    kind: 'request',
    clientId,
    policy,
    payload: text.slice(payloadStart, payloadEnd),
  };
}

function understand(text: string, raw: Fields): Packet {
  const type = wholeNumber(raw.type);
  // Only requests and registrations are forwarded, or acted on, by their fields.
  const ambiguity = type === 0 || type === 1 ? ambiguityOf(text, raw) : null;
  if (ambiguity !== null) return fault('BAD_PACKET', ambiguity, raw);
  switch (type) {
    case 0:
      return parseRequest(raw);
    case 1:
      return parseSetup(raw);
    case 2:
      return parseAnswer(raw);
    case -1:
      return parseError(raw);
    case 3:
      return { kind: 'heartbeat' };
    case 4:
      return { kind: 'leave' };
    case -2:
      return { kind: 'legacy-probe' };
    default:
      return raw.type === undefined || raw.type instanceof InexactNumber
        ? badField('type', 'a whole number: 0 is a request, 1 registers a server', raw.type, raw)
        : unknownType(quote(raw.type), raw);
  }
}

/** The refusal of a packet that may not be sent here; `type` as the peer wrote it. */
export function unknownType(type: string, raw: Fields = {}): PacketFault {
  return fault(
    'UNKNOWN_TYPE',
    `Type ${cut(type, 40)} can't be sent here: 0 is a request, 1 registers a server.`,
    raw,
  );
}

function parseRequest(raw: Fields): RequestPacket | PacketFault {
  const policy = policyOf(raw);
  if (policy === null) return badPolicy(raw);
  const clientId = raw.srcid;
  if (!isId(clientId)) return badId('srcid', "the client's id", clientId, raw);
  const payload = raw.payload;
  if (typeof payload !== 'string') return badField('payload', 'a text', payload, raw);
  // A UTF-16 unit is at most three bytes, so most payloads need no count.
  if (payload.length * 3 > MAX_PAYLOAD_BYTES) {
    const bytes = Buffer.byteLength(payload);
    if (bytes > MAX_PAYLOAD_BYTES) return fault('PAYLOAD_TOO_LARGE', payloadTooLarge(bytes), raw);
  }
  return { kind: 'request', clientId, policy, payload };
}

/** The sentence about a payload of `bytes` bytes, for the proxy's refusal and the client's own. */
export function payloadTooLarge(bytes: number): string {
  return `The payload is ${bytes} bytes, and at most ${MAX_PAYLOAD_BYTES} are allowed: send a shorter one.`;
}

function parseSetup(raw: Fields): SetupPacket | PacketFault {
  const id = raw.id;
  if (!isId(id)) return badId('id', "the server's id", id, raw);
  const policy = policyOf(raw);
  if (policy === null) return badPolicy(raw);
  const listenPort = wholeNumber(raw.listenport);
  if (listenPort === null || listenPort < 1 || listenPort > 65_535) {
    return badField('listenport', 'a port from 1 to 65535', raw.listenport, raw);
  }
  const { incarnation } = raw;
  if (incarnation instanceof InexactNumber)
    return badId('incarnation', 'the name of this start of the server', incarnation, raw);
  return {
    kind: 'setup',
    id,
    policy,
    policyAsWritten: (raw.privPoliId ?? raw.privPolyId) as Id,
    listenPort,
    hasSession: raw.session === true,
    keepsAlive: raw.keepAlive === true,
    incarnation: isId(incarnation) ? String(incarnation) : null,
    canProve: raw.auth === AUTH_METHOD,
    proof: typeof raw.proof === 'string' ? raw.proof : null,
    sessionsWith: Array.isArray(raw.sessionsWith)
      ? raw.sessionsWith.filter((boot) => typeof boot === 'string')
      : [],
  };
}

function parseAnswer(raw: Fields): AnswerPacket | PacketFault {
  if (typeof raw.payload !== 'string') return badField('payload', 'the digest, a text', raw.payload, raw);
  return { kind: 'answer', serverId: serverIdOf(raw.srcid), digest: raw.payload };
}

// A number that is only compared and shown is no reason to refuse an answer: as a text it is what was written, however long.
function serverIdOf(srcid: unknown): Id | null {
  if (srcid instanceof InexactNumber) return srcid.text;
  return isId(srcid) ? srcid : null;
}

function parseError(raw: Fields): ErrorPacket {
  return {
    kind: 'error',
    code: typeof raw.code === 'string' ? raw.code : 'UNKNOWN',
    sentence: typeof raw.payload === 'string' ? raw.payload : 'The peer gave no reason.',
    isRetryable: raw.retryable === true,
    wasSent: raw.sent === true,
    trace: typeof raw.trace === 'string' ? raw.trace : null,
  };
}

/** A type -1 reply, one line ending in `\n` and below 1,024 bytes. `details.wasSent`: a server may have executed the request. `details.trace`: at most 24 characters of ASCII. */
export function formatError(
  code: ErrorCode,
  sentence: string,
  details: { clientId?: Id | undefined; policy?: string | undefined; wasSent?: boolean; trace?: string } = {},
): string {
  const payload = fit(sentence);
  return line({
    type: -1,
    destid: echo(details.clientId),
    privPoliId: echo(details.policy),
    code,
    retryable: ERROR_CODES[code].isRetryable,
    sent: details.wasSent ?? false,
    trace: details.trace,
    payloadsize: Buffer.byteLength(payload),
    payload,
  });
}

/** A type 0 packet as a client or the prober sends it, ending in `\n`. */
export function formatRequest(clientId: Id, policy: Id, payload: string): string {
  return line({
    type: 0,
    srcid: clientId,
    privPoliId: policy,
    payloadsize: Buffer.byteLength(payload),
    payload,
  });
}

/** A type 1 packet as a server of this project sends it, ending in `\n`. */
export function formatSetup(
  setup: Claim & { canProve?: boolean; proof?: string | null; sessionsWith?: readonly string[] },
): string {
  return line({
    type: 1,
    id: setup.id,
    privPoliId: setup.policy,
    listenport: setup.listenPort,
    session: true,
    keepAlive: true,
    incarnation: setup.incarnation ?? undefined,
    auth: setup.canProve === true ? AUTH_METHOD : undefined,
    proof: setup.proof ?? undefined,
    sessionsWith: setup.sessionsWith?.length ? setup.sessionsWith : undefined,
  });
}

/**
 * The proxy's reply to an accepted setup packet, ending in `\n` and below 1,024 bytes.
 * @param boot names this start of the proxy
 */
export function formatRegistered(
  id: Id,
  policy: Id,
  boot: string,
  status: 'registered' | 'known' = 'registered',
): string {
  return line({ type: 1, id: echo(id), privPoliId: echo(policy), status, proxy: boot });
}

/** The challenge that a setup packet without a proof gets where there is a token, ending in `\n`. */
export function formatChallenge(nonce: string): string {
  return line({ type: 5, nonce });
}

/** A type 2 packet, ending in `\n`; `digest` is 40 lower-case hex digits. */
export function formatAnswer(serverId: Id, clientId: Id, digest: string): string {
  return `{"type":2,"srcid":${JSON.stringify(serverId)},"destid":${JSON.stringify(clientId)},"payloadsize":${digest.length},"payload":"${digest}"}\n`;
}

export function formatHeartbeat(senderId: Id): string {
  return line({ type: 3, srcid: senderId });
}

/** The heartbeat of a proxy that will stop soon; servers that do not know it take it for any other. */
export function formatLameDuck(): string {
  return line({ type: 3, srcid: 'proxy', leaving: true });
}

const MAX_REPLY_BYTES = 1023;

/**
 * Adds the other proxies' addresses to a reply of a proxy that will stop soon.
 * @param reply   a packet of type 2 or -1 as latin1, perhaps with white space behind it
 * @param proxies host:port of each, as a JSON array
 * @returns the reply as it was where it would become too long for peers that read once
 */
export function withProxies(reply: string, proxies: string): string {
  const end = reply.lastIndexOf('}');
  const field = `,"proxies":${proxies}`;
  if (end < 0 || reply.length + field.length > MAX_REPLY_BYTES) return reply;
  return `${reply.slice(0, end)}${field}${reply.slice(end)}`;
}

export function formatLeave(serverId: Id): string {
  return line({ type: 4, id: serverId });
}

function line(packet: object): string {
  return `${JSON.stringify(packet)}\n`;
}

function policyOf(raw: Fields): string | null {
  const policy = raw.privPoliId ?? raw.privPolyId;
  return isId(policy) ? String(policy) : null;
}

function isId(value: unknown): value is Id {
  // A number that is not what was written is an InexactNumber here.
  return (
    typeof value === 'number' || (typeof value === 'string' && value !== '' && value.length <= MAX_ID_LENGTH)
  );
}

function wholeNumber(value: unknown): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^\s*-?\d{1,9}\s*$/.test(value) ? Number(value) : null;
}

function badPolicy(raw: Fields): PacketFault {
  const name = (raw.privPoliId ?? null) === null && raw.privPolyId != null ? 'privPolyId' : 'privPoliId';
  return badId(name, 'the policy', raw[name], raw);
}

function badId(name: string, what: string, value: unknown, raw: Fields): PacketFault {
  if (!(value instanceof InexactNumber)) return badField(name, `${what}, a number or a text`, value, raw);
  const written = cut(value.text, 60);
  return fault(
    'BAD_PACKET',
    `The field "${name}" is ${written}, and may be a whole number up to 2^53 - 1, without fraction and exponent: write that, or write it as a text, "${written}".`,
    raw,
  );
}

function badField(name: string, wanted: string, value: unknown, raw: Fields): PacketFault {
  const problem = value === undefined ? 'is missing' : `is ${cut(quote(value), 60)}`;
  return fault('BAD_PACKET', `The field "${name}" ${problem}: it must be ${wanted}.`, raw);
}

// The first level only: JSON.parse takes any depth, but JSON.stringify needs stack for each level, and time for their square.
function quote(value: unknown): string {
  if (value instanceof InexactNumber) return value.text;
  const isDeeper = (inner: unknown): boolean =>
    typeof inner === 'object' && inner !== null && inner !== value;
  return JSON.stringify(value, (_name, inner: unknown) => (isDeeper(inner) ? '…' : inner));
}

function fault(code: ErrorCode, sentence: string, raw: Fields = {}): PacketFault {
  const clientId = [raw.srcid, raw.id].find(isId);
  return { kind: 'fault', code, sentence, clientId, policy: policyOf(raw) ?? undefined };
}

// What is sent back has to have a form in UTF-8, and a fault may carry what has none.
function echo(value: Id | undefined): Id | undefined {
  const isShort = value !== undefined && Buffer.byteLength(JSON.stringify(value)) <= MAX_ECHO_LENGTH;
  return isShort && String(value).isWellFormed() ? value : undefined;
}

// Sentences quote what peers sent: control characters and emoji take six bytes and more each on the wire.
function fit(sentence: string): string {
  let text = cut(sentence, MAX_SENTENCE_LENGTH).toWellFormed();
  while (Buffer.byteLength(JSON.stringify(text)) > MAX_SENTENCE_BYTES) {
    text = cut(text, Math.floor(text.length * 0.9)).toWellFormed();
  }
  return text;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
