// pure · the protocol read again, slowly and plainly: what the proxy's own framing and packet code is held against.
// Must never share code with what it judges, or care for speed.
import { NotAsWritten, readObject } from './reference-json.ts';

export type ReferenceReading = {
  frames: readonly Buffer[];
  fault: 'not-an-object' | 'byte-order-mark' | 'too-large' | null;
  /** A frame has begun and not ended. Means nothing after a fault. */
  isMidFrame: boolean;
};

type Id = string | number;

/** What a packet has to be understood as: the fields of `packet.ts`, or what a refusal has to say. */
export type ReferencePacket =
  | ({ kind: string } & Record<string, unknown>)
  | {
      kind: 'fault';
      code: string;
      fields: readonly string[];
      clientId: Id | undefined;
      policy: string | undefined;
    };

const WHITE_SPACE = ' \t\r\n\0';
const BEGINNINGS_OF_MARKS = '\xef\xfe\xff';
const MAX_ID_UNITS = 128;
const MAX_PAYLOAD_BYTES = 1024;

/** The frames of a whole stream. */
export function readByTheBook(bytes: Buffer, maxFrameBytes: number): ReferenceReading {
  const text = bytes.toString('latin1');
  const frames: Buffer[] = [];
  let at = 0;
  while (true) {
    while (at < text.length && WHITE_SPACE.includes(text[at] as string)) at += 1;
    if (at === text.length) return { frames, fault: null, isMidFrame: false };
    if (BEGINNINGS_OF_MARKS.includes(text[at] as string))
      return { frames, fault: 'byte-order-mark', isMidFrame: false };
    if (text[at] !== '{') return { frames, fault: 'not-an-object', isMidFrame: false };
    const end = endOfObject(text, at);
    if ((end ?? text.length) - at > maxFrameBytes) return { frames, fault: 'too-large', isMidFrame: false };
    if (end === null) return { frames, fault: null, isMidFrame: true };
    frames.push(bytes.subarray(at, end));
    at = end;
  }
}

function endOfObject(text: string, start: number): number | null {
  let depth = 0;
  let isInString = false;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at];
    if (isInString) {
      if (character === '\\') at += 1;
      else if (character === '"') isInString = false;
      continue;
    }
    if (character === '"') isInString = true;
    if (character === '{') depth += 1;
    if (character === '}') depth -= 1;
    if (depth === 0) return at + 1;
  }
  return null;
}

/** Whether bytes are UTF-8 as RFC 3629 has it. */
export function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** The packet that a frame is, for a proxy or a server. */
export function understandByTheBook(text: string): ReferencePacket {
  const found = readObject(text);
  if (found === null) {
    return { kind: 'fault', code: 'BAD_JSON', fields: [], clientId: undefined, policy: undefined };
  }
  const field = (name: string): unknown => found.fields.get(name);
  const policy = policyOf(field);
  const policyName =
    (field('privPoliId') ?? null) === null && (field('privPolyId') ?? null) !== null
      ? 'privPolyId'
      : 'privPoliId';
  const senders = [field('srcid'), field('id')].filter(isId);
  const refused = (code: string, fields: string[]): ReferencePacket => {
    return { kind: 'fault', code, fields, clientId: senders[0], policy };
  };
  const bad = (checks: Record<string, boolean>): string[] =>
    Object.keys(checks).filter((name) => checks[name] === false);
  if (found.flawed.length > 0) return refused('BAD_PACKET', [...found.flawed]);
  const type = wholeNumber(field('type'));
  const twice = [...found.repeated, ...twoPolicies(field)];
  if ((type === 0 || type === 1) && twice.length > 0) return refused('BAD_PACKET', twice);
  switch (type) {
    case 0: {
      const payload = field('payload');
      const wrong = bad({
        [policyName]: policy !== undefined,
        srcid: isId(field('srcid')),
        payload: typeof payload === 'string',
      });
      if (wrong.length > 0) return refused('BAD_PACKET', wrong);
      if (Buffer.from(payload as string).length > MAX_PAYLOAD_BYTES) return refused('PAYLOAD_TOO_LARGE', []);
      return { kind: 'request', clientId: field('srcid'), policy, payload };
    }
    case 1: {
      const port = wholeNumber(field('listenport'));
      const wrong = bad({
        id: isId(field('id')),
        [policyName]: policy !== undefined,
        listenport: port !== null && port > 0 && port < 65_536,
        incarnation: !(field('incarnation') instanceof NotAsWritten),
      });
      if (wrong.length > 0) return refused('BAD_PACKET', wrong);
      return {
        kind: 'setup',
        id: field('id'),
        policy,
        policyAsWritten: field(policyName),
        listenPort: port,
        hasSession: field('session') === true,
        keepsAlive: field('keepAlive') === true,
        incarnation: isId(field('incarnation')) ? `${field('incarnation')}` : null,
        canProve: field('auth') === 'hmac-sha-256',
        proof: typeof field('proof') === 'string' ? field('proof') : null,
      };
    }
    case 2:
      if (typeof field('payload') !== 'string') return refused('BAD_PACKET', ['payload']);
      return {
        kind: 'answer',
        serverId: serverIdOf(field('srcid')),
        digest: field('payload'),
      };
    case -1:
      return {
        kind: 'error',
        code: typeof field('code') === 'string' ? field('code') : 'UNKNOWN',
        sentence: typeof field('payload') === 'string' ? field('payload') : 'The peer gave no reason.',
        isRetryable: field('retryable') === true,
        wasSent: field('sent') === true,
      };
    case 3:
      return { kind: 'heartbeat' };
    case 4:
      return { kind: 'leave' };
    case -2:
      return { kind: 'legacy-probe' };
    default:
      return field('type') instanceof NotAsWritten || !found.fields.has('type')
        ? refused('BAD_PACKET', ['type'])
        : refused('UNKNOWN_TYPE', []);
  }
}

/** The packet that a frame is, for a server that has it from a proxy: any type 1 is a yes, and type 5 a challenge. */
export function understandFromProxyByTheBook(text: string): ReferencePacket {
  const expected = understandByTheBook(text);
  const found = readObject(text);
  if (found !== null && found.flawed.length > 0) return expected;
  switch (wholeNumber(found?.fields.get('type'))) {
    case 1:
      return { kind: 'registered' };
    case 5: {
      const nonce = found?.fields.get('nonce');
      if (typeof nonce === 'string') return { kind: 'challenge', nonce };
      return { ...expected, kind: 'fault', code: 'BAD_PACKET', fields: ['nonce'] } as ReferencePacket;
    }
    default:
      return expected;
  }
}

// Both names of the policy, where they do not say the same.
function twoPolicies(field: (name: string) => unknown): string[] {
  const names = ['privPoliId', 'privPolyId'];
  const values = names.map((name) => field(name) ?? null);
  if (values.includes(null)) return [];
  const [first, second] = values.map((value) => {
    if (value instanceof NotAsWritten) return value.text;
    return typeof value === 'object' || typeof value === 'boolean' ? null : `${value}`;
  });
  return first === second ? [] : names;
}

function policyOf(field: (name: string) => unknown): string | undefined {
  const first = field('privPoliId');
  const policy = first === undefined || first === null ? field('privPolyId') : first;
  return isId(policy) ? `${policy}` : undefined;
}

// A number that only stands in an answer is shown as it was written.
function serverIdOf(srcid: unknown): Id | null {
  if (srcid instanceof NotAsWritten) return srcid.text;
  return isId(srcid) ? srcid : null;
}

function isId(value: unknown): value is Id {
  if (typeof value === 'number') return true;
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_UNITS;
}

function wholeNumber(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return null;
  const digits = value.trim().replace('-', '');
  const isPlain =
    digits.length > 0 && digits.length < 10 && [...digits].every((one) => '0123456789'.includes(one));
  const isLedByMinus = !value.includes('-') || value.trim().startsWith('-');
  return isPlain && isLedByMinus ? Number(value) : null;
}
