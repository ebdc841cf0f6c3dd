// pure · the protocol read again, slowly and plainly; the code under test must agree, so nothing is shared with it.

export type ReferenceReading = {
  frames: readonly Buffer[];
  fault: 'not-an-object' | 'byte-order-mark' | 'too-large' | null;
  /** A frame has begun and not ended. Means nothing after a fault. */
  isMidFrame: boolean;
};

/** The fields of a packet of `packet.ts`. Those of a fault: `code`, `clientId`, `policy` and the `fields` to be named. */
export type ReferencePacket = { kind: string } & Readonly<Record<string, unknown>>;

const WHITE_SPACE = ' \t\r\n\0';
const BEGINNINGS_OF_MARKS = '\xef\xfe\xff';
const MAX_ID_UNITS = 128;
const MAX_PAYLOAD_BYTES = 1024;
const MAX_LEVELS = 32;
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gs;
const STRINGS_AND_BRACES = /"(?:[^"\\]|\\.)*"?|[{}]/gs;
const LARGEST = 2n ** 53n - 1n;

/** The frames of a whole stream. */
export function readByTheBook(bytes: Buffer, maxFrameBytes: number): ReferenceReading {
  const text = bytes.toString('latin1');
  const frames: Buffer[] = [];
  for (let at = 0; ; ) {
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

// Null where the object does not end.
function endOfObject(text: string, start: number): number | null {
  let depth = 0;
  for (const { 0: token, index } of text.slice(start).matchAll(STRINGS_AND_BRACES)) {
    if (token === '{') depth += 1;
    if (token === '}') depth -= 1;
    if (depth === 0) return start + index + 1;
  }
  return null;
}

/**
 * The packet that a frame is.
 * @param isFromProxy for a server that has it from a proxy: any type 1 is a yes, and type 5 a challenge
 */
export function understandByTheBook(text: string, isFromProxy = false): ReferencePacket {
  const found = readObject(text);
  if (found === null) {
    return { kind: 'fault', code: 'BAD_JSON', fields: [], clientId: undefined, policy: undefined };
  }
  const field = (name: string): unknown => found.fields.get(name);
  const isOtherName = field('privPoliId') == null && field('privPolyId') != null;
  const policyName = isOtherName ? 'privPolyId' : 'privPoliId';
  const policy = isId(field(policyName)) ? `${field(policyName)}` : undefined;
  const refused = (code: string, fields: readonly string[]): ReferencePacket => {
    const clientId = [field('srcid'), field('id')].find(isId);
    return { kind: 'fault', code, fields, clientId, policy };
  };
  // A packet, unless one of its fields is not what it has to be.
  const unless = (checks: Record<string, boolean>, packet: ReferencePacket): ReferencePacket => {
    const wrong = Object.keys(checks).filter((name) => !checks[name]);
    return wrong.length > 0 ? refused('BAD_PACKET', wrong) : packet;
  };
  const payload = field('payload');
  const isText = typeof payload === 'string';
  if (found.flawed.length > 0) return refused('BAD_PACKET', found.flawed);
  const type = wholeNumber(field('type'));
  if (isFromProxy && type === 1) {
    const boot = typeof field('proxy') === 'string' ? field('proxy') : null;
    return { kind: 'registered', boot, isKnown: field('status') === 'known' };
  }
  if (isFromProxy && type === 3 && field('leaving') === true) return { kind: 'lame-duck' };
  if (isFromProxy && type === 5) {
    const nonce = field('nonce');
    return unless({ nonce: typeof nonce === 'string' }, { kind: 'challenge', nonce });
  }
  const twice = [...found.repeated, ...twoPolicies(field)];
  if ((type === 0 || type === 1) && twice.length > 0) return refused('BAD_PACKET', twice);
  switch (type) {
    case 0: {
      const checks = { [policyName]: policy !== undefined, srcid: isId(field('srcid')), payload: isText };
      const packet = unless(checks, { kind: 'request', clientId: field('srcid'), policy, payload });
      const isTooLarge =
        packet.kind === 'request' && Buffer.from(payload as string).length > MAX_PAYLOAD_BYTES;
      return isTooLarge ? refused('PAYLOAD_TOO_LARGE', []) : packet;
    }
    case 1: {
      const port = wholeNumber(field('listenport'));
      const checks = {
        id: isId(field('id')),
        [policyName]: policy !== undefined,
        listenport: port !== null && port > 0 && port < 65_536,
        incarnation: !(field('incarnation') instanceof String),
      };
      return unless(checks, {
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
        sessionsWith: [field('sessionsWith')]
          .flat()
          .filter((one) => Array.isArray(field('sessionsWith')) && typeof one === 'string'),
      });
    }
    case 2:
      return unless(
        { payload: isText },
        { kind: 'answer', serverId: serverIdOf(field('srcid')), digest: payload },
      );
    case -1:
      return {
        kind: 'error',
        code: typeof field('code') === 'string' ? field('code') : 'UNKNOWN',
        sentence: isText ? payload : 'The peer gave no reason.',
        isRetryable: field('retryable') === true,
        wasSent: field('sent') === true,
        trace: typeof field('trace') === 'string' ? field('trace') : null,
      };
    case 3:
      return { kind: 'heartbeat' };
    case 4:
      return { kind: 'leave' };
    case -2:
      return { kind: 'legacy-probe' };
    default:
      return field('type') instanceof String || !found.fields.has('type')
        ? refused('BAD_PACKET', ['type'])
        : refused('UNKNOWN_TYPE', []);
  }
}

// The fields in a map, so that none of them reaches a prototype, whatever its name; a number that is another one by the
// time a program has read it is a String. `flawed` are the fields, also those that a second one of their name hides, that
// hold what no peer should get, `repeated` those that are there twice. Null where there is no object.
function readObject(
  text: string,
): { fields: Map<string, unknown>; flawed: string[]; repeated: string[] } | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (Object.prototype.toString.call(value) !== '[object Object]') return null;
  const fields = new Map<string, unknown>(Object.entries(value as object));
  const { flawed, numbers, names } = walk(text.match(TOKENS) ?? []);
  for (const [name, token] of numbers) {
    if (token !== null && !isAsWritten(token)) fields.set(name, new String(token));
  }
  return { fields, flawed, repeated: names.filter((name, at) => names.indexOf(name) !== at) };
}

// Both names of the policy, where they do not say the same.
function twoPolicies(field: (name: string) => unknown): string[] {
  const names = ['privPoliId', 'privPolyId'];
  const values = names.map((name) => field(name) ?? null);
  if (values.includes(null)) return [];
  const [first, second] = values.map((value) => {
    if (value instanceof String) return value.toString();
    return typeof value === 'object' || typeof value === 'boolean' ? null : `${value}`;
  });
  return first === second ? [] : names;
}

// Of each field the last number, or null where the last value is none.
function walk(tokens: readonly string[]): {
  flawed: string[];
  numbers: Map<string, string | null>;
  names: string[];
} {
  const flawed: string[] = [];
  const names: string[] = [];
  const numbers = new Map<string, string | null>();
  let depth = 0;
  let field = '';
  let before = '';
  for (const token of tokens) {
    const opens = token === '{' || token === '[';
    if (token === '}' || token === ']') depth -= 1;
    if (opens) depth += 1;
    const isText = token.startsWith('"');
    if (depth === 1 && isText && before !== ':') {
      field = JSON.parse(token);
      names.push(field);
    }
    if (depth === 1 && before === ':') numbers.set(field, /^[-\d]/.test(token) ? token : null);
    if (depth === 2 && opens && before === ':') numbers.set(field, null);
    if (depth > MAX_LEVELS || (isText && !(JSON.parse(token) as string).isWellFormed())) flawed.push(field);
    before = token;
  }
  return { flawed, numbers, names };
}

function isAsWritten(token: string): boolean {
  if (!/^(0|-?[1-9][0-9]*)$/.test(token)) return false;
  const number = BigInt(token);
  return number <= LARGEST && number >= -LARGEST;
}

// A number that only stands in an answer is shown as it was written.
function serverIdOf(srcid: unknown): string | number | null {
  if (srcid instanceof String) return srcid.valueOf();
  return isId(srcid) ? srcid : null;
}

function isId(value: unknown): value is string | number {
  if (typeof value === 'number') return true;
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_UNITS;
}

function wholeNumber(value: unknown): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^-?[0-9]{1,9}$/.test(value.trim()) ? Number(value) : null;
}
