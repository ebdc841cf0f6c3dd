// pure · the adversarial inputs that are known by name: each is tried in every run, before anything is drawn.
// Must never depend on a seed.
import { DEFAULT_LIMIT, type Entry, entry, packet } from './entry.ts';
import { halves, levels, numbers } from './hard-texts.ts';
import { escapeAll } from './texts.ts';

const HIGHEST_LIMIT = 65_536;

const REQUEST = '{"type":0,"srcid":111,"privPoliId":"1","payloadsize":5,"payload":"hello"}';

/** All of them, in an order that never changes. */
export const CATALOGUE: readonly Entry[] = [
  ...streams(),
  ...everyByte(),
  ...encodings(),
  ...strings(),
  ...limits(),
  ...nesting(),
  ...levels(),
  ...halves(),
  ...numbers(),
  ...fields(),
  ...types(),
  ...payloads(),
  ...crowds(),
  ...nearlyPlain(),
];

function streams(): Entry[] {
  const foreign = [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'EHLO x\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n',
    '{"type":0,}',
    "{'type':0}",
    '{type:0}',
    '{"type":0 /* a request */}',
    '{"type":NaN}',
    '{"type":+1}',
    '{"type":01}',
    '{"type":0x0}',
    '{"type":1e}',
    '{"type":.5}',
    '{"a":"\\x41"}',
    '{"a":"\\u12"}',
    '{"a":"\t"}',
    '{]}',
    '[{"type":0}]',
    'null',
    '"text"',
    '5',
    '{"a"}',
    '{"a":1 "b":2}',
    '{{}}',
    '{,}',
  ];
  const halves = Array.from({ length: REQUEST.length }, (_, at) => REQUEST.slice(0, at));
  return [
    ...foreign.map((text) => entry('another language', Buffer.from(text, 'latin1'))),
    ...halves.map((text) => entry('half a frame', text)),
    ...halves.map((text) => entry('half a frame behind a whole one', `${REQUEST}\n${text}`)),
    entry('nothing but white space', ' \t\r\n'.repeat(50)),
    entry('a flood of white space', `${' '.repeat(50_000)}${REQUEST}${'\n'.repeat(50_000)}`),
    ...['x', '}', ']', ',', '\0', '\0\0{}\0', '\0x', '\ufeff', '[', '"', '0'].map((text) =>
      entry('rubbish behind a frame', `{}${text}`),
    ),
  ];
}

function everyByte(): Entry[] {
  return Array.from({ length: 256 }, (_, byte) => byte).flatMap((byte) => [
    entry('a byte before a frame', [byte, ...Buffer.from('{}')]),
    entry('a byte in a string', [...Buffer.from('{"type":3,"a":"'), byte, ...Buffer.from('"}{}')]),
    entry('an escaped byte', [...Buffer.from('{"a":"\\'), byte, ...Buffer.from('"}{}')]),
  ]);
}

function encodings(): Entry[] {
  const sequences = {
    'an overlong NUL': [0xc0, 0x80],
    'an overlong slash': [0xe0, 0x80, 0xaf],
    'an overlong quote': [0xc0, 0xa2],
    'an overlong brace': [0xf0, 0x80, 0x81, 0xbd],
    'a lone surrogate': [0xed, 0xa0, 0x80],
    'a pair of surrogates': [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
    'a code point past the last': [0xf4, 0x90, 0x80, 0x80],
    'five bytes': [0xf8, 0x88, 0x80, 0x80, 0x80],
    'a sequence cut short': [0xe2, 0x82],
    'a lone continuation': [0x80],
    'a byte order mark': [0xef, 0xbb, 0xbf],
    'a byte order mark of UTF-16': [0xff, 0xfe],
    'another of UTF-16': [0xfe, 0xff],
    'a replacement character': [0xef, 0xbf, 0xbd],
    'a replacement character and a broken one': [0xef, 0xbf, 0xbd, 0xff],
    'a noncharacter': [0xef, 0xbf, 0xbf],
  };
  return Object.entries(sequences).flatMap(([name, sequence]) => [
    entry(`${name} before a frame`, [...sequence, ...Buffer.from(REQUEST)]),
    entry(`${name} between frames`, [...Buffer.from('{}'), ...sequence, ...Buffer.from(REQUEST)]),
    entry(`${name} in a value`, [...Buffer.from('{"type":3,"a":"'), ...sequence, ...Buffer.from('"}{}')]),
    entry(`${name} in a name`, [...Buffer.from('{"type":3,"'), ...sequence, ...Buffer.from('":1}{}')]),
    entry(`${name} behind a brace`, [...Buffer.from('{"type":3'), ...sequence, ...Buffer.from('}{}')]),
  ]);
}

// The end of a string is looked for in two ways, and a quote is escaped by an odd number of backslashes.
function strings(): Entry[] {
  const runs = Array.from({ length: 40 }, (_, length) => length);
  return [
    ...runs.map((length) => entry('backslashes before a quote', `{"a":"${'\\'.repeat(length)}"}{"b":1}`)),
    ...runs.map((length) => entry('a quote near the short end', `{"a":"${'x'.repeat(length)}\\"}{"}{"b":1}`)),
    ...runs.map((length) => entry('text near the short end', `{"a":"${'x'.repeat(length)}"}{"b":1}`)),
    entry('escaped quotes', `{"a":"${'\\"'.repeat(4000)}"}`),
    entry('backslashes to the limit', `{"a":"${'\\\\'.repeat(4000)}"}`),
    entry('backslashes outside of a string', '{\\"a\\":1}{}'),
    entry('strings back to back', `{"a":[${'"",'.repeat(2000)}""]}`),
  ];
}

function limits(): Entry[] {
  return [256, DEFAULT_LIMIT, HIGHEST_LIMIT].flatMap((limit) =>
    [-2, -1, 0, 1, 2, limit].flatMap((more) => {
      const frame = `{"a":"${'x'.repeat(limit + more - 8)}"}`;
      return [
        entry('a frame near the limit', frame, limit),
        entry('a frame near the limit between others', `{} ${frame} {}`, limit),
        entry('an open frame near the limit', `{}${frame.slice(0, -1)}{`, limit),
      ];
    }),
  );
}

function nesting(): Entry[] {
  const names = ['type', 'srcid', 'id', 'privPoliId', 'payload', 'listenport', 'code', 'x'];
  const depths = [
    { depth: 20, limit: DEFAULT_LIMIT },
    { depth: 1000, limit: DEFAULT_LIMIT },
    { depth: 4000, limit: DEFAULT_LIMIT },
    { depth: 30_000, limit: HIGHEST_LIMIT },
  ];
  const deep = depths.flatMap(({ depth, limit }) => {
    const arrays = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const objects = `${'{"a":'.repeat(depth / 4)}1${'}'.repeat(depth / 4)}`;
    return [
      entry('deep objects', objects, limit),
      entry('objects never closed', '{"a":'.repeat(depth), limit),
      entry('arrays never closed', `{"a":${'['.repeat(depth)}`, limit),
      ...[0, 1, 2].flatMap((type) =>
        names.flatMap((name) => [
          entry(`deep arrays as "${name}"`, packet(type, name, arrays), limit),
          entry(`deep objects as "${name}"`, packet(type, name, objects), limit),
        ]),
      ),
    ];
  });
  return [
    ...deep,
    entry('closed too often', `${'}'.repeat(500)}{}`),
    entry('closed once too often', '{}}{}'),
  ];
}

function fields(): Entry[] {
  const values = [
    ...['1e999', '-1e999', '1e-999', '-0', '9007199254740992', '0.1', 'null', '[]', '{}', '""', 'true'],
    '1'.repeat(4000),
    `-${'9'.repeat(400)}.${'9'.repeat(400)}e${'9'.repeat(10)}`,
    `"${'7'.repeat(4000)}"`,
    `"${'x'.repeat(128)}"`,
    `"${'x'.repeat(129)}"`,
    ...['\0', '"', '\\', '\u2028', '漢'].map((unit) => JSON.stringify(unit.repeat(128))),
    JSON.stringify('🙂'.repeat(64)),
    JSON.stringify('\ud800'.repeat(128)),
    escapeAll('x'.repeat(100)),
    '"__proto__"',
    '{"__proto__":{"polluted":true}}',
    '{"toJSON":1,"toString":null,"valueOf":{}}',
  ];
  const names = ['type', 'srcid', 'id', 'privPoliId', 'privPolyId', 'payload', 'listenport', 'payloadsize'];
  const extras = [
    'incarnation',
    'auth',
    'proof',
    'nonce',
    'session',
    'keepAlive',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    '',
  ];
  return [0, 1, 2, 5, -1].flatMap((type) => [
    ...[...names, ...extras].flatMap((name) =>
      values.map((value) => entry(`an odd or second "${name}"`, packet(type, name, value))),
    ),
    ...names.map((name) => {
      const text = packet(type, 'x', '1');
      return entry(`no "${name}"`, text.replace(`"${name}":`, `"no ${name}":`));
    }),
    ...['1', '1.0', 'null', '"\\ud800"'].map((value) => {
      const text = packet(type, 'privPolyId', value);
      return entry('the policy under its other name', text.replace('"privPoliId":1,', ''));
    }),
    entry('one that can prove', packet(type, 'auth', '"hmac-sha-256"')),
  ]);
}

function types(): Entry[] {
  const texts = [
    '+0',
    ' 0',
    '0 ',
    '\u00a00\ufeff',
    '00',
    '-0',
    '- 1',
    '0x0',
    '1e0',
    '0.0',
    '０',
    '',
    ' ',
    '-',
    '0\0',
  ];
  const long = ['999999999', '9999999999', '-999999999', '000000001'];
  const numbers = Array.from({ length: 12 }, (_, i) => i - 4);
  const ports = ['0', '1', '65535', '65536', '-1', '80.5', '"80"', '" 80 "', '"080"', '"http"', '1e3', '1e9'];
  return [
    ...[...texts, ...long].map((text) => entry('a type as text', packet(0, 'type', JSON.stringify(text)))),
    ...numbers.map((number) => entry('a type by number', packet(number, 'x', '1'))),
    ...numbers.map((number) => entry('a type alone', `{"type":${number}}`)),
    ...ports.map((port) => entry('a port', packet(1, 'listenport', port))),
  ];
}

function payloads(): Entry[] {
  const units = ['x', 'é', '漢', '🙂', '\0', '"', '\ud800'];
  const sizes = [0, 1, 255, 256, 257, 340, 341, 342, 343, 511, 512, 513, 1023, 1024, 1025, 2000];
  return units.flatMap((unit) =>
    sizes.map((size) =>
      entry('a payload near the limit', packet(0, 'payload', JSON.stringify(unit.repeat(size)))),
    ),
  );
}

function crowds(): Entry[] {
  return [
    entry('4,000 empty objects in one chunk', '{}'.repeat(4000)),
    entry('3,000 heartbeats in one chunk', '{"type":3}'.repeat(3000)),
    entry('1,200 requests in one chunk', REQUEST.repeat(1200)),
    entry(
      '2,000 frames, each with another separator',
      Array.from({ length: 2000 }, (_, i) => `{}${' \n\r\t'[i % 4]}`).join(''),
    ),
    entry('800 frames and half a one', `${REQUEST.repeat(800)}{"type":`),
    entry('800 frames and rubbish', `${REQUEST.repeat(800)}]`),
    entry('a broken one among 800 frames', `${REQUEST.repeat(400)}{"type":}${REQUEST.repeat(400)}`),
  ];
}

// Requests in the usual form are understood by their look alone: here they look almost like that.
function nearlyPlain(): Entry[] {
  const plain = { type: '0', srcid: '111', privPoliId: '"gdpr"', payloadsize: '5', payload: '"hello"' };
  const write = (fields: Record<string, string>, separator = ', '): string =>
    `{${Object.entries(fields)
      .map(([name, value]) => `"${name}": ${value}`)
      .join(separator)}}`;
  const withOne = (name: string, value: string): Buffer =>
    Buffer.from(write({ ...plain, [name]: value }), 'latin1');
  const numbers = ['0', '-0', '00', '01', '-1', '-01', '+1', '1.0', '1e2', '1E2', '0x1', '- 1', '1 2', ''];
  const lengths = [14, 15, 16, 17].map((length) => '9'.repeat(length));
  const texts = [127, 128, 129, 1023, 1024, 1025].map((length) => `"${'x'.repeat(length)}"`);
  const values = [...numbers, ...lengths, ...texts, '""', '"\\u0031"', 'null', '[]', '{}', 'true', '"a""b"'];
  const separators = [',', ' ,', ',  ', ',\n', ',\t', ',\r', ',\v', ',\u00a0', ',,', '', ';'];
  const ends = ['\n', '\r\n', '\n\n', ' ', ' \n', '\0', '}', ',', '\n{', '\n\n\0'];
  return [
    ...Object.keys(plain).flatMap((name) =>
      values.map((value) => entry(`a plain "${name}"`, withOne(name, value))),
    ),
    ...Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).flatMap((byte) =>
      ['srcid', 'privPoliId', 'payload'].map((name) =>
        entry(`a byte in a plain "${name}"`, withOne(name, `"a${byte}b"`)),
      ),
    ),
    ...separators.map((separator) => entry('fields set apart otherwise', write(plain, separator))),
    ...ends.map((end) => entry('what follows a plain request', `${write(plain)}${end}`)),
    ...ends.map((end) => entry('plain requests in a row', `${write(plain)}${end}${write(plain)}`)),
    entry('a plain request with one field more', write({ ...plain, more: '1' })),
    entry('a plain request with a field twice', write(plain).replace('}', ', "payload": "other"}')),
    entry('a plain request with names in capitals', write(plain).replace('srcid', 'SRCID')),
    entry(
      'a plain request with its fields turned',
      write(Object.fromEntries(Object.entries(plain).reverse())),
    ),
  ];
}
