// pure · texts and numbers as JSON has them: plain ones, and those that programs stumble over.
// Must never be malformed as JSON, or as UTF-8: that is for the mutations and the catalogue.
import type { Random } from '../../kit/random.ts';

const WORDS = [
  'hello',
  'privacy',
  'the quick brown fox',
  'ünï ¢ödé',
  '漢字',
  '🙂🙃',
  'مرحبا',
  'e\u0301',
  'ſ',
  'İ',
];
const STRUCTURE = ['{', '}', '"', '\\', '[', ']', ':', ',', '/', '{}', '"}', '\\"', '\\\\', '\\u0022', '}{'];
const CONTROLS = [
  '\0',
  '\b',
  '\t',
  '\n',
  '\r',
  '\f',
  '\u001f',
  '\u007f',
  '\u0085',
  '\u2028',
  '\u2029',
  '\ufeff',
];
const LONE = ['\ud800', '\udbff', '\udc00', '\udfff', '\ud83d', 'a\ud800b', '\udc00\ud800'];
const POOLS = [WORDS, WORDS, STRUCTURE, CONTROLS, LONE, [...WORDS, ...STRUCTURE, ...CONTROLS, ...LONE]];

const LONG_UNITS = ['x', 'x', 'é', '漢', '🙂', '\0', '"', '\\'];
const SOME_LONG = [127, 128, 129, 200, 340, 341, 342, 343, 511, 512, 513, 1023, 1024, 1025, 1400];

/** Values of every kind, most of them in the wrong place wherever they stand. */
export const ODD_VALUES: readonly string[] = [
  'null',
  'true',
  'false',
  '[]',
  '{}',
  '""',
  '0',
  '-0',
  '1e3',
  '0.5',
  '-1',
  '1.0',
  '1e999',
  '-1e999',
  '1e-999',
  '9007199254740993',
  '123456789012345678901234567890',
  '" 0 "',
  '"0x0"',
  '"1e0"',
  '"\\ud800"',
  '"\\u0000"',
  '"\\ufeff"',
  '[[[[[[]]]]]]',
  ...[31, 32].map((levels) => `${'['.repeat(levels)}${']'.repeat(levels)}`),
  '[{"\\udc00":["\\ud83d\\ude42"]}]',
  '[1,"}",{"a":"{"}]',
  '{"a":{"b":"}"},"toString":1,"toJSON":{}}',
  '"}{"',
  '"\\"}"',
  '"\\\\"',
  '"__proto__"',
];

/** The text that a string of JSON stands for. */
function drawText(random: Random): string {
  if (random.between(0, 11) === 0) return random.pick(LONG_UNITS).repeat(random.pick(SOME_LONG));
  const pool = random.pick(POOLS);
  let text = '';
  for (let left = random.between(0, 12); left > 0; left -= 1) text += random.pick(pool);
  return text;
}

/** A string of JSON, now and then with every character escaped. */
export function drawString(random: Random): string {
  const text = drawText(random);
  return random.between(0, 9) === 0 ? escapeAll(text) : JSON.stringify(text);
}

/** The same string of JSON in its longest form. */
export function escapeAll(text: string): string {
  const escaped = Array.from({ length: text.length }, (_, i) =>
    text.charCodeAt(i).toString(16).padStart(4, '0'),
  );
  return `"${escaped.map((digits) => `\\u${digits}`).join('')}"`;
}
