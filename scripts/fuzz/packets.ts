// pure · packets by the grammar of the protocol: every type and field, right or slightly off, in any way of writing JSON.
import type { Random } from '../kit/random.ts';

type Field = [name: string, value: string];

const NEAR_2_53 = [-2n, -1n, 0n, 1n, 2n].map((more) => 2n ** 53n + more);
const SIZES = [0, 1, 128, 129, 255, 256, 257, 340, 341, 342, 343, 511, 512, 513, 1023, 1024, 1025, 2000];
/** Halves of surrogate pairs, and what looks like them. */
export const HALVES = words`\ud800 \uDBFF \udc00 \uDFFF \udc00\ud800 \ud83dx\ude42 \\\ud800`;

/** What may stand in any field, right or not; NAME is the field's own name. */
export const VALUES = [
  // What a program that reads numbers as doubles makes another number of, or nearly so.
  ...NEAR_2_53.flatMap((number) => [`${number}`, `-${number}`, `"${number}"`, `${number}.0`]),
  ...words`0 1.0 -1.0 0.0 -0 0e0 1e0 1E2 1e+2 1e-400 0.99999999999999999999 1e15 999999999999999 1e999 -1e999 0.1`,
  ...[
    ' \n1.0\t',
    ' \n9007199254740993\t',
    ' \n1\t',
    '1'.repeat(4000),
    `-${'9'.repeat(400)}.5e${'9'.repeat(10)}`,
  ],
  // Texts that are nearly numbers, for types and ports.
  ...words`1 65535 65536 -1 80.5 "80" "080" "+0" "00" "-0" "0x0" "1e0" "0.0" "０" "" "-" "0\u0000" "999999999"`,
  ...['"9999999999"', '"000000001"', '" 0"', '"0 "', '"\u00a00\ufeff"', '"- 1"', '" "'],
  // Two members of one name: the last one counts, and the first is looked at too.
  ...words`1.0,"NAME":1 1,"NAME":1.0 1.0,"NAME":"a" 1.0,"NAME":[1] "a","NAME":1.0 [],"NAME":-0 "\ud800","NAME":1`,
  ...words`null true [] {} [9007199254740993,1.0] "__proto__" "hmac-sha-256" {"__proto__":{"polluted":true}}`,
  ...words`{"toJSON":1,"toString":null,"valueOf":{}} "\ud83d\ude42" "\\ud800" "\ud7ff\ue000" "\ufffd"`,
  ...HALVES.flatMap((half) => [`"a${half}"`, `[1,{"a":["${half}"]}]`, `{"${half}":1}`]),
  // As deep as is allowed, and a level more.
  ...[31, 32, 100].flatMap((depth) => [
    ...[arrays(depth), objects(depth), `[${'[[]],'.repeat(depth)}{}]`],
    ...[
      `${arrays(depth)},"NAME":1`,
      `${'[0, {"a" : "[", "b" :'.repeat(depth / 2)}[]${'} ]'.repeat(depth / 2)}`,
    ],
  ]),
  escapeAll('x'.repeat(100)),
];
/** Texts of all sizes, for fields that hold a text. */
export const TEXTS = [...'x漢é🙂\0"', '\ud800'].flatMap((unit) =>
  SIZES.map((size) => JSON.stringify(unit.repeat(size))),
);

const IDS = words`1 2 111 "111" 0 -7 1.5 "server-1" "health" "é🙂"`;
const POLICIES = words`1 "1" 2 3 0 "gdpr" "\u0031" "__proto__" "constructor"`;
// Nothing listens there, and the sender's address is none that a real server has.
const PORTS = words`1 2 9 "7" 1023 65535`;
const UNITS = [
  ...words`hello privacy ünï¢ödé 漢字 🙂🙃 مرحبا ſ İ { } " \ [ ] : , / "} \" \u0022 }{ \0 \b \t \n \u007f \u2028`,
  ...[' ', '\0', '\n', '\u2028', '\ufeff', 'e\u0301', '\ud800', '\udbff', '\udc00', '\ud83d'],
];
const WORDS = words`hello privacy ünï¢ödé 漢字 🙂🙃`;
const REQUEST = { type: ['0'], srcid: IDS, privPoliId: POLICIES, payloadsize: IDS, payload: null };
/** The fields of a kind of packet: values as JSON has them, null for any text. A field with `?` may be missing. */
const SHAPES: readonly Readonly<Record<string, readonly string[] | null>>[] = [
  ...[REQUEST, REQUEST, REQUEST],
  {
    type: ['1'],
    id: IDS,
    privPoliId: POLICIES,
    listenport: PORTS,
    'session?': ['true', 'false'],
    'keepAlive?': ['true'],
    'incarnation?': null,
    'auth?': ['"hmac-sha-256"'],
    'proof?': null,
  },
  { type: ['2'], srcid: IDS, destid: IDS, payload: null },
  {
    type: ['-1'],
    destid: IDS,
    code: ['"NO_SERVER"'],
    retryable: ['true'],
    sent: ['false'],
    trace: ['"a-1"', '7'],
    payload: null,
  },
  { type: words`3 4 -2 5 -3 7 99`, srcid: IDS, id: IDS, nonce: null },
];
const NAMES = words`type srcid id privPoliId privPolyId payload listenport extra __proto__ constructor toString length`;
const SPACES = ['', '', ' ', '\n', '\r\n', '\t', '  \n\t '];
// Programs in C send the NUL that ends their string.
const SEPARATORS = [...SPACES, '\0', '\n\0', '\0 \0'];

type Tweak = (fields: Field[], at: number, odd: Field, random: Random) => void;
const TWEAKS: readonly Tweak[] = [
  (fields, at) => fields.splice(at, 1),
  (fields, at, [, odd]) => fields.splice(at, 1, [fields[at]?.[0] ?? 'x', odd]),
  (fields, at, [, odd]) => fields.push([fields[at]?.[0] ?? 'x', odd]),
  (fields, _at, odd) => fields.push(odd),
  (fields, _at, odd) => fields.unshift(odd),
  (fields, _at, _odd, random) => fields.splice(0, fields.length, ...random.shuffle(fields)),
  (fields) => {
    for (const field of fields) field[0] = field[0].replace('privPoliId', 'privPolyId');
  },
];

/** A template's tag: the words of a text as they are written, escapes included. */
export function words({ raw }: TemplateStringsArray): string[] {
  return raw.join('').trim().split(/\s+/);
}

/** Arrays in each other. */
export function arrays(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth);
}

/** Objects in each other. */
export function objects(depth: number): string {
  return `${'{"a":'.repeat(depth)}"]"${'}'.repeat(depth)}`;
}

/** The text of one packet: always one JSON object in UTF-8. */
export function drawPacket(random: Random): string {
  const fields = Object.entries(random.pick(SHAPES))
    .filter(([name]) => !name.endsWith('?') || random.between(0, 1) === 0)
    .map(([name, values]): Field => [name.replace('?', ''), values ? random.pick(values) : drawText(random)]);
  for (let left = random.pick([0, 0, 0, 1, 1, 2]); left > 0; left -= 1) {
    const at = random.between(0, Math.max(0, fields.length - 1));
    random.pick(TWEAKS)(fields, at, [random.pick(NAMES), random.pick(VALUES)], random);
  }
  const isLoose = random.between(0, 3) === 0;
  const write = random.between(0, 9) === 0 ? escapeAll : JSON.stringify;
  const space = (): string => (isLoose ? random.pick(SPACES) : '');
  const members = fields.map(([name, value]) => {
    const whole = value.replaceAll('NAME', name);
    return `${space()}${write(name)}${space()}:${space()}${whole}${space()}`;
  });
  return `{${members.join(',') || space()}}`;
}

/** What may stand between two packets. */
export function drawSeparator(random: Random): string {
  return random.pick(SEPARATORS);
}

/** The same string of JSON in its longest form. */
function escapeAll(text: string): string {
  const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i).toString(16));
  return `"${units.map((digits) => `\\u${digits.padStart(4, '0')}`).join('')}"`;
}

function drawText(random: Random): string {
  if (random.between(0, 11) === 0) return random.pick(TEXTS);
  const units = random.pick([WORDS, UNITS]);
  const text = Array.from({ length: random.between(0, 12) }, () => random.pick(units)).join('');
  return random.between(0, 9) === 0 ? escapeAll(text) : JSON.stringify(text);
}
