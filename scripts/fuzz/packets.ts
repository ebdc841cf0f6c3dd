// pure · packets by the grammar of the protocol: every type and field, right or slightly off, in any way of writing JSON.
import type { Random } from '../kit/random.ts';

type Field = [name: string, value: string];
/** The fields of a kind of packet: values as JSON has them, null for any text. A field with `?` may be missing. */
type Shape = Readonly<Record<string, readonly string[] | null>>;

const IDS = [
  ...words`1 2 111 "111" 0 -7 1.5 9007199254740991 9007199254740993 1.0 -0 "server-1" "health" "é🙂"`,
  `"${'i'.repeat(128)}"`,
];
const POLICIES = words`1 "1" 2 3 0 "gdpr" "\u0031" -1 1e-400 9007199254740992 "__proto__" "constructor"`;
// Nothing listens there, and the sender's address is none that a real server has.
const PORTS = words`1 2 9 "7" 1023 65535`;
const BOOLEANS = words`true true true false 1 0 null "true"`;
const CODES = words`"NO_SERVER" "OVERLOADED" "MADE_UP" "" 7`;
const METHODS = words`"hmac-sha-256" "hmac-sha-256" "plain" true`;
const REQUEST: Shape = { type: ['0'], srcid: IDS, privPoliId: POLICIES, payloadsize: IDS, payload: null };
const SHAPES: readonly Shape[] = [
  ...[REQUEST, REQUEST, REQUEST],
  {
    ...{ type: ['1'], id: IDS, privPoliId: POLICIES, listenport: PORTS, 'session?': BOOLEANS },
    ...{ 'keepAlive?': BOOLEANS, 'incarnation?': null, 'auth?': METHODS, 'proof?': null },
  },
  { type: ['2'], srcid: IDS, destid: IDS, payload: null },
  { type: ['-1'], destid: IDS, code: CODES, retryable: BOOLEANS, sent: BOOLEANS, payload: null },
  { type: ['3'], srcid: IDS },
  { type: ['4'], id: IDS },
  { type: ['-2'] },
  { type: ['5'], nonce: null },
  { type: words`5 -3 7 "request" 99`, srcid: IDS, destid: IDS },
];

const NAMES = words`"type" "srcid" "id" "privPoliId" "privPolyId" "payload" "listenport"`;
const EXTRA_NAMES = words`"extra" "" "__proto__" "constructor" "prototype" "toString" "length"`;
/** Values of every kind, wrong in most fields. */
const ODD_VALUES = [
  ...words`null true false [] {} "" 0 -0 1e3 0.5 -1 1.0 1e999 -1e999 1e-999 9007199254740993`,
  ...words`123456789012345678901234567890 "0x0" "1e0" "\ud800" "\u0000" "\ufeff" [[[[[[]]]]]]`,
  ...words`[{"\udc00":["\ud83d\ude42"]}] [1,"}",{"a":"{"}] {"a":{"b":"}"},"toString":1,"toJSON":{}}`,
  ...words`"}{" "\"}\"" "\\" "__proto__"`,
  ...['" 0 "', '{"polluted":true}'],
  ...[31, 32].map((levels) => `${'['.repeat(levels)}${']'.repeat(levels)}`),
];

const WORDS = [...words`hello privacy ünï¢ödé 漢字 🙂🙃 مرحبا ſ İ`, 'the quick brown fox', 'e\u0301'];
const STRUCTURE = words`{ } " \ [ ] : , / {} "} \" \\ \u0022 }{`;
const CONTROLS = [...'\0\b\t\n\r\f\u001f\u007f\u0085\u2028\u2029\ufeff'];
const HALVES = ['\ud800', '\udbff', '\udc00', '\udfff', '\ud83d', 'a\ud800b', '\udc00\ud800'];
const TEXTS = [
  ...[WORDS, WORDS, STRUCTURE, CONTROLS, HALVES],
  [...WORDS, ...STRUCTURE, ...CONTROLS, ...HALVES],
];
const LONG_UNITS = [...'xxé漢🙂\0"\\'];
const LONG_SIZES = [127, 128, 129, 200, 340, 341, 342, 343, 511, 512, 513, 1023, 1024, 1025, 1400];
const SPACES = ['', '', ' ', '\n', '\r\n', '\t', '  \n\t '];
// Programs in C send the NUL that ends their string.
const SEPARATORS = [...SPACES, '\0', '\n\0', '\0 \0'];

type Tweak = (fields: Field[], at: number, odd: string, random: Random) => void;
const TWEAKS: readonly Tweak[] = [
  (fields, at) => fields.splice(at, 1),
  (fields, at, odd) => fields.splice(at, 1, [fields[at]?.[0] ?? '"x"', odd]),
  (fields, at, odd) => fields.push([fields[at]?.[0] ?? '"x"', odd]),
  (fields, _at, odd, random) => fields.push([random.pick(NAMES), odd]),
  (fields, _at, odd, random) => fields.unshift([random.pick(EXTRA_NAMES), odd]),
  (fields, _at, _odd, random) => fields.splice(0, fields.length, ...random.shuffle(fields)),
  (fields) => {
    for (const field of fields) field[0] = escapeAll(JSON.parse(field[0]));
  },
  (fields) => {
    for (const field of fields) field[0] = field[0].replace('privPoliId', 'privPolyId');
  },
];

/** A template's tag: the words of a text as they are written, escapes included. */
export function words({ raw }: TemplateStringsArray): string[] {
  return raw.join('').trim().split(/\s+/);
}

/** The text of one packet: always one JSON object in UTF-8. */
export function drawPacket(random: Random): string {
  const fields = Object.entries(random.pick(SHAPES))
    .filter(([name]) => !name.endsWith('?') || random.between(0, 1) === 0)
    .map(([name, values]): Field => [`"${name.replace('?', '')}"`, drawValue(name, values, random)]);
  for (let left = random.pick([0, 0, 0, 1, 1, 2]); left > 0; left -= 1) {
    const at = random.between(0, Math.max(0, fields.length - 1));
    random.pick(TWEAKS)(fields, at, random.pick(ODD_VALUES), random);
  }
  const isLoose = random.between(0, 3) === 0;
  const space = (): string => (isLoose ? random.pick(SPACES) : '');
  const members = fields.map(([name, value]) => `${space()}${name}${space()}:${space()}${value}${space()}`);
  return `{${members.join(',') || space()}}`;
}

/** What may stand between two packets. */
export function drawSeparator(random: Random): string {
  return random.pick(SEPARATORS);
}

/** The same string of JSON in its longest form. */
export function escapeAll(text: string): string {
  const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i).toString(16));
  return `"${units.map((digits) => `\\u${digits.padStart(4, '0')}`).join('')}"`;
}

function drawValue(name: string, values: Shape[string], random: Random): string {
  if (values == null) return drawString(random);
  const value = random.pick(values);
  if (name !== 'type' || value.startsWith('"')) return value;
  return random.pick([value, value, value, `"${value}"`, `" ${value}\\n"`]);
}

function drawString(random: Random): string {
  const units = random.pick(TEXTS);
  const text =
    random.between(0, 11) === 0
      ? random.pick(LONG_UNITS).repeat(random.pick(LONG_SIZES))
      : Array.from({ length: random.between(0, 12) }, () => random.pick(units)).join('');
  return random.between(0, 9) === 0 ? escapeAll(text) : JSON.stringify(text);
}
