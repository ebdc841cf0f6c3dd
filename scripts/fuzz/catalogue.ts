// pure · the adversarial inputs that are known by name: each is tried in every run, before anything is drawn.
import { arrays, HALVES, objects, TEXTS, VALUES, words } from './packets.ts';

type Entry = { name: string; bytes: Buffer; maxFrameBytes: number };

export const DEFAULT_LIMIT = 8192;
const HIGHEST_LIMIT = 65_536;

const REQUEST = '{"type":0,"srcid":111,"privPoliId":"1","payloadsize":5,"payload":"hello"}';
const NAMES = words`type srcid id privPoliId privPolyId payload listenport payloadsize`;
const MORE_NAMES = words`incarnation auth proof nonce code destid session __proto__ constructor hasOwnProperty x`;
// A request, a setup packet, an answer, an error, a challenge, a heartbeat, and none that is known.
const TYPES = [0, 1, 2, -1, 5, 3, 7];
const MANY = REQUEST.repeat(400);
const LONG_NAME = 'n'.repeat(60);
const BYTES = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));

const BROKEN = [
  ...['\xc0\x80', '\xe0\x80\xaf', '\xc0\xa2', '\xf0\x80\x81\xbd'], // longer than they have to be
  ...['\xed\xa0\x80', '\xed\xa0\xbd\xed\xb8\x80', '\xf4\x90\x80\x80'], // surrogates, and past the last code point
  ...['\xf8\x88\x80\x80\x80', '\xe2\x82', '\x80'], // five bytes, cut short, and a lone continuation
  ...['\xef\xbb\xbf', '\xff\xfe', '\xfe\xff'], // byte order marks
  ...['\xef\xbf\xbd', '\xef\xbf\xbd\xff', '\xef\xbf\xbf'], // what stands for broken ones, and a noncharacter
];

/** @param texts one character a byte */
function inBytes(name: string, texts: readonly string[], maxFrameBytes = DEFAULT_LIMIT): Entry[] {
  return texts.map((text) => ({ name, bytes: Buffer.from(text, 'latin1'), maxFrameBytes }));
}

function inUtf8(name: string, texts: readonly string[], maxFrameBytes = DEFAULT_LIMIT): Entry[] {
  return texts.map((text) => ({ name, bytes: Buffer.from(text), maxFrameBytes }));
}

function streams(): Entry[] {
  const halves = Array.from({ length: REQUEST.length }, (_, at) => REQUEST.slice(0, at));
  // The end of a string is looked for in two ways, and a quote is escaped by an odd number of backslashes.
  const lengths = Array.from({ length: 40 }, (_, length) => length);
  const ends = ['x', '}', ']', ',', '\0', '\0\0{}\0', '\0x', '\xef\xbb\xbf', '[', '"', '0'];
  const streams: Record<string, readonly string[]> = {
    'another language': [
      ...words`{"type":0,} {'type':0} {type:0} {"type":NaN} {"type":+1} {"type":01} {"type":0x0} {"type":1e}`,
      ...words`{"type":.5} {"a":"\x41"} {"a":"\u12"} {]} [{"type":0}] null "text" 5 {"a"} {"a":1"b":2} {{}} {,}`,
      ...['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'EHLO x\r\n', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n'],
      ...['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '{"type":0 /* a request */}', '{"a":"\t"}'],
    ],
    'half a frame': halves,
    'half a frame behind a whole one': halves.map((half) => `${REQUEST}\n${half}`),
    'rubbish behind a frame': ends.map((end) => `{}${end}`),
    'a byte before a frame': BYTES.map((byte) => `${byte}{}`),
    'a byte in a string': BYTES.map((byte) => `{"type":3,"a":"${byte}"}{}`),
    'an escaped byte': BYTES.map((byte) => `{"a":"\\${byte}"}{}`),
    'broken UTF-8, or a mark': BROKEN.flatMap((piece) => [
      ...[`${piece}${REQUEST}`, `{}${piece}${REQUEST}`, `{"type":3${piece}}{}`],
      ...[`{"type":3,"a":"${piece}"}{}`, `{"type":3,"${piece}":1}{}`],
    ]),
    'backslashes before a quote': lengths.map((length) => `{"a":"${'\\'.repeat(length)}"}{"b":1}`),
    'a quote near the short end': lengths.map((length) => `{"a":"${'x'.repeat(length)}\\"}{"}{"b":1}`),
    'text near the short end': lengths.map((length) => `{"a":"${'x'.repeat(length)}"}{"b":1}`),
    'long strings': [`{"a":"${'\\"'.repeat(4000)}"}`, `{"a":"${'\\\\'.repeat(4000)}"}`],
    'many strings': [`{"a":[${'"",'.repeat(2000)}""]}`],
    'backslashes outside of a string': ['{\\"a\\":1}{}'],
    'deep, and never closed': ['{"a":'.repeat(4000), `{"a":${'['.repeat(4000)}`],
    'a type alone': [-4, -3, ...TYPES, 4, 6].map((type) => `{"type":${type}}`),
    'closed too often': [`${'}'.repeat(500)}{}`, '{}}{}'],
    'white space': [' \t\r\n'.repeat(50), `${' '.repeat(50_000)}${REQUEST}${'\n'.repeat(50_000)}`],
    'many frames in one chunk': ['{}'.repeat(4000), '{"type":3}'.repeat(3000), REQUEST.repeat(1200)],
    'many frames, each with another separator': ['{} {}\n{}\r{}\t'.repeat(500)],
    'many frames, and half a one or rubbish': [`${MANY}${MANY}{"type":`, `${MANY}${MANY}]`],
    'a broken one among many frames': [`${MANY}{"type":}${MANY}`],
  };
  const limited = [256, DEFAULT_LIMIT, HIGHEST_LIMIT].flatMap((limit) =>
    [-2, -1, 0, 1, 2, limit].flatMap((more) => {
      const frame = `{"a":"${'x'.repeat(limit + more - 8)}"}`;
      const texts = [frame, `{} ${frame} {}`, `{}${frame.slice(0, -1)}{`];
      return inBytes('a frame near the limit', texts, limit);
    }),
  );
  return [...Object.entries(streams).flatMap(([name, texts]) => inBytes(name, texts)), ...limited];
}

/** A packet of any type, with everything that each needs; a member that it has already is there twice. */
function packet(type: number, member: string): string {
  return `{"type":${type},"srcid":1,"id":1,"privPoliId":1,"listenport":9,"payload":"",${member}}`;
}

function members(): Entry[] {
  return TYPES.flatMap((type) => {
    const each = (names: readonly string[], values: readonly string[], limit?: number): Entry[] =>
      names.flatMap((name) => {
        const packets = values.map((value) => packet(type, `"${name}":${value.replaceAll('NAME', name)}`));
        return inUtf8(`a value of "${name}" in type ${type}`, packets, limit);
      });
    const early = [31, 32].map((depth) => packet(type, '"x":1').replace('{', `{ "y" : ${arrays(depth)} , `));
    const missing = NAMES.map((name) => packet(type, '"x":1').replace(`"${name}":`, `"no ${name}":`));
    const policies = words`1 1.0 null "\ud800"`.map((policy) =>
      packet(type, `"privPolyId":${policy}`).replace('"privPoliId":1,', ''),
    );
    return [
      ...each([...NAMES, ...MORE_NAMES], VALUES),
      ...each(['srcid', 'id', 'privPoliId', 'payload'], TEXTS),
      ...each([...HALVES, ...HALVES.map((half) => LONG_NAME + half), LONG_NAME, ''], words`1 "\ud800"`),
      ...[1000, 4000, 30_000].flatMap((depth) =>
        each(['srcid', 'x'], [arrays(depth), objects(depth / 4)], HIGHEST_LIMIT),
      ),
      ...inUtf8('levels before the type', early),
      ...inUtf8('a field that is not there', [...missing, ...policies]),
    ];
  });
}

// Requests in the usual form are understood by their look alone: here they look almost like that.
function nearlyPlain(): Entry[] {
  const plain = { type: '0', srcid: '111', privPoliId: '"gdpr"', payloadsize: '5', payload: '"hello"' };
  const write = (fields: Record<string, string>, separator = ', '): string => {
    const members = Object.entries(fields).map(([name, value]) => `"${name}": ${value}`);
    return `{${members.join(separator)}}`;
  };
  const request = write(plain);
  const values = [
    ...words`0 -0 00 01 -1 -01 +1 1.0 1e2 1E2 0x1 "" "\u0031" null [] {} true "a""b"`,
    ...['- 1', '1 2', ''],
    ...[14, 15, 16, 17].map((length) => '9'.repeat(length)),
    ...[127, 128, 129, 1023, 1024, 1025].map((length) => `"${'x'.repeat(length)}"`),
  ];
  const separators = [',', ' ,', ',  ', ',\n', ',\t', ',\r', ',\v', ',\xa0', ',,', '', ';'];
  const ends = ['\n', '\r\n', '\n\n', ' ', ' \n', '\0', '}', ',', '\n{', '\n\n\0'];
  const texts = [
    ...Object.keys(plain).flatMap((name) => values.map((value) => write({ ...plain, [name]: value }))),
    ...BYTES.flatMap((byte) =>
      ['srcid', 'privPoliId', 'payload'].map((name) => write({ ...plain, [name]: `"a${byte}b"` })),
    ),
    ...separators.map((separator) => write(plain, separator)),
    ...ends.flatMap((end) => [`${request}${end}`, `${request}${end}${request}`]),
    write({ ...plain, more: '1' }),
    request.replace('}', ', "payload": "other"}'),
    request.replace('srcid', 'SRCID'),
    write(Object.fromEntries(Object.entries(plain).reverse())),
  ];
  return inBytes('nearly a plain request', texts);
}

/** All of them, in an order that never changes. */
export const CATALOGUE: readonly Entry[] = [...streams(), ...members(), ...nearlyPlain()];
