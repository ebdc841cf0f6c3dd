// test · packets: what real peers send is accepted, what nobody should send is refused by name, replies stay small.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERROR_CODES, type ErrorCode } from './error-codes.ts';
import {
  formatAnswer,
  formatChallenge,
  formatError,
  formatHeartbeat,
  formatLameDuck,
  formatLeave,
  formatRegistered,
  formatRequest,
  formatSetup,
  MAX_ID_LENGTH,
  MAX_PAYLOAD_BYTES,
  type PacketFault,
  parseFromProxy,
  parsePacket,
  payloadTooLarge,
  proxiesNamedIn,
  unknownType,
  withProxies,
} from './packet.ts';

const REQUEST = { type: 0, srcid: 111, privPoliId: 2, payloadsize: 5, payload: 'hello' };
const SETUP = { type: 1, id: 1, privPoliId: 2, listenport: 9001 };

const ACCEPTED_REQUESTS: [string, object, object][] = [
  ['as the samples have it', {}, {}],
  ['type as a text', { type: '0' }, {}],
  ['type as a text with white space', { type: ' 0 ' }, {}],
  ['ids as texts', { srcid: '111' }, { clientId: '111' }],
  ['policy as a text', { privPoliId: '2' }, {}],
  ['policy under its other name', { privPoliId: undefined, privPolyId: 2 }, {}],
  ['both names of the policy, and one value', { privPolyId: '2' }, {}],
  ['a policy that is a word', { privPoliId: 'gdpr' }, { policy: 'gdpr' }],
  ['policy 0', { privPoliId: 0 }, { policy: '0' }],
  ['no payload size', { payloadsize: undefined }, {}],
  ['a wrong payload size', { payloadsize: 999 }, {}],
  ['a payload size of the wrong kind', { payloadsize: 'many' }, {}],
  ['an empty payload', { payload: '' }, { payload: '' }],
  ['extra fields', { extra: { deep: [1, { x: '}' }] }, __proto__: null }, {}],
  ['a client id of 0', { srcid: 0 }, { clientId: 0 }],
  ['a negative client id', { srcid: -7 }, { clientId: -7 }],
  ['an id at the limit', { srcid: 'x'.repeat(MAX_ID_LENGTH) }, { clientId: 'x'.repeat(MAX_ID_LENGTH) }],
  ['a payload of 1,024 bytes', { payload: 'x'.repeat(1_024) }, { payload: 'x'.repeat(1_024) }],
  ['a payload of 1,024 bytes in 512 characters', { payload: 'é'.repeat(512) }, { payload: 'é'.repeat(512) }],
];

for (const [name, change, difference] of ACCEPTED_REQUESTS) {
  test(`a request is accepted: ${name}`, () => {
    const packet = parsePacket(JSON.stringify({ ...REQUEST, ...change }));
    assert.deepEqual(packet, {
      kind: 'request',
      clientId: 111,
      policy: '2',
      payload: 'hello',
      ...difference,
    });
  });
}

const PLAIN_SETUP = {
  kind: 'setup',
  id: 1,
  policy: '2',
  listenPort: 9001,
  hasSession: false,
  keepsAlive: false,
  incarnation: null,
  policyAsWritten: 2,
  canProve: false,
  proof: null,
  sessionsWith: [],
};

const ACCEPTED_SETUPS: [string, object, object][] = [
  ['as the original has it', {}, {}],
  [
    'everything as texts',
    { type: '1', id: '1', privPoliId: '2', listenport: '9001' },
    { id: '1', policyAsWritten: '2' },
  ],
  ['policy under its other name', { privPoliId: undefined, privPolyId: '2' }, { policyAsWritten: '2' }],
  ['with a session', { session: true }, { hasSession: true }],
  ['a session only when it is true', { session: 'true', keepAlive: 1 }, {}],
  ['with keepAlive', { keepAlive: true }, { keepsAlive: true }],
  ['with an incarnation', { incarnation: 'abc' }, { incarnation: 'abc' }],
  ['an incarnation that is a number', { incarnation: 5 }, { incarnation: '5' }],
  ['an incarnation of another kind', { incarnation: {} }, {}],
  ['with a token', { auth: 'hmac-sha-256' }, { canProve: true }],
  ['with another way of proving', { auth: 'plain' }, {}],
  ['with a proof', { auth: 'hmac-sha-256', proof: 'f00' }, { canProve: true, proof: 'f00' }],
  ['with a proof that is none', { proof: 7 }, {}],
  ['the lowest port', { listenport: 1 }, { listenPort: 1 }],
  ['the highest port', { listenport: 65_535 }, { listenPort: 65_535 }],
];

for (const [name, change, difference] of ACCEPTED_SETUPS) {
  test(`a setup packet is accepted: ${name}`, () => {
    assert.deepEqual(parsePacket(JSON.stringify({ ...SETUP, ...change })), { ...PLAIN_SETUP, ...difference });
  });
}

const LONG = 'x'.repeat(MAX_ID_LENGTH + 1);
const REFUSED: [string, object, ErrorCode, RegExp][] = [
  ['no type', { type: undefined }, 'BAD_PACKET', /"type" is missing/],
  ['an unknown type', { type: 7 }, 'UNKNOWN_TYPE', /Type 7 /],
  ['a type that is a word', { type: 'request' }, 'UNKNOWN_TYPE', /Type "request" /],
  ['a type that is null', { type: null }, 'UNKNOWN_TYPE', /Type null /],
  ['a type with a fraction', { type: 0.5 }, 'BAD_PACKET', /"type" is 0\.5: it must be a whole number/],
  ['a type that is an object', { type: { a: LONG } }, 'UNKNOWN_TYPE', /^.{1,130}$/],
  ['no policy', { privPoliId: undefined }, 'BAD_PACKET', /"privPoliId" is missing/],
  ['a policy that is null', { privPoliId: null }, 'BAD_PACKET', /"privPoliId" is null/],
  ['a policy that is an array', { privPoliId: [2] }, 'BAD_PACKET', /"privPoliId" is \[2\]/],
  ['an empty policy', { privPoliId: '' }, 'BAD_PACKET', /"privPoliId" is ""/],
  ['a policy that is too long', { privPoliId: LONG }, 'BAD_PACKET', /"privPoliId" is "xxx/],
  ['no client id', { srcid: undefined }, 'BAD_PACKET', /"srcid" is missing/],
  ['a client id that is an object', { srcid: {} }, 'BAD_PACKET', /"srcid" is \{\}/],
  ['a client id that is too long', { srcid: LONG }, 'BAD_PACKET', /"srcid" is "xxx/],
  ['no payload', { payload: undefined }, 'BAD_PACKET', /"payload" is missing/],
  ['a payload that is a number', { payload: 5 }, 'BAD_PACKET', /"payload" is 5/],
  ['a payload of 1,025 bytes', { payload: 'x'.repeat(1_025) }, 'PAYLOAD_TOO_LARGE', /1025 bytes.*1024/],
  [
    'a payload of 1,026 bytes in 513 characters',
    { payload: 'é'.repeat(513) },
    'PAYLOAD_TOO_LARGE',
    /1026 bytes/,
  ],
  ['a payload of 1,028 bytes in emoji', { payload: '🙂'.repeat(257) }, 'PAYLOAD_TOO_LARGE', /1028 bytes/],
  ['a setup without id', { ...SETUP, id: undefined }, 'BAD_PACKET', /"id" is missing/],
  ['a setup with a bad id', { ...SETUP, id: true }, 'BAD_PACKET', /"id" is true/],
  ['a setup without policy', { ...SETUP, privPoliId: undefined }, 'BAD_PACKET', /"privPoliId" is missing/],
  ['a setup without port', { ...SETUP, listenport: undefined }, 'BAD_PACKET', /"listenport" is missing/],
  ['port 0', { ...SETUP, listenport: 0 }, 'BAD_PACKET', /"listenport" is 0.*1 to 65535/],
  ['port 65,536', { ...SETUP, listenport: 65_536 }, 'BAD_PACKET', /"listenport" is 65536/],
  ['a negative port', { ...SETUP, listenport: '-1' }, 'BAD_PACKET', /"listenport" is "-1"/],
  ['a port with a fraction', { ...SETUP, listenport: 80.5 }, 'BAD_PACKET', /"listenport" is 80.5/],
  ['a port that is a word', { ...SETUP, listenport: 'http' }, 'BAD_PACKET', /"listenport" is "http"/],
  ['an answer without digest', { type: 2, payload: undefined }, 'BAD_PACKET', /"payload" is missing/],
];

for (const [name, change, code, sentence] of REFUSED) {
  test(`a packet is refused: ${name}`, () => {
    const packet = parsePacket(JSON.stringify({ ...REQUEST, ...change }));
    assert.equal(packet.kind, 'fault');
    if (packet.kind !== 'fault') return;
    assert.equal(packet.code, code);
    assert.match(packet.sentence, sentence);
  });
}

test('a fault carries what is known of the sender', () => {
  const packet = parsePacket(JSON.stringify({ ...REQUEST, payload: 5 }));
  assert.ok(packet.kind === 'fault');
  assert.deepEqual([packet.clientId, packet.policy], [111, '2']);
});

const REQUEST_FIELDS = { type: '0', srcid: '1', privPoliId: '2', payload: '""' };
const SETUP_FIELDS = { type: '1', id: '1', privPoliId: '2', listenport: '9001' };
const NUMBERS_TO_TELL_APART: [string, Record<string, string>][] = [
  ['srcid', REQUEST_FIELDS],
  ['privPoliId', REQUEST_FIELDS],
  ['type', REQUEST_FIELDS],
  ['id', SETUP_FIELDS],
  ['privPoliId', SETUP_FIELDS],
  ['listenport', SETUP_FIELDS],
  ['incarnation', SETUP_FIELDS],
];
const INEXACT = [
  ...['9007199254740992', '9007199254740993', '-9007199254740992', '123456789012345678901234567890'],
  ...[
    '1.0',
    '1.5',
    '0.99999999999999999999',
    '-0',
    '-0.0',
    '1e2',
    '1E2',
    '1e+2',
    '1e-400',
    '1e999',
    '-1e999',
  ],
];

// JSON as it is written, with white space where people put it.
function written(fields: Record<string, string>, colon = ':'): string {
  return `{${Object.entries(fields)
    .map(([name, value]) => `"${name}"${colon}${value}`)
    .join(',')}}`;
}

for (const [name, fields] of NUMBERS_TO_TELL_APART) {
  for (const number of INEXACT) {
    test(`"${name}" of type ${fields.type} is refused where it would be read as another number: ${number}`, () => {
      for (const colon of [':', ' : ', ':\n\t']) {
        const packet = parsePacket(written({ ...fields, [name]: number }, colon));
        assert.ok(packet.kind === 'fault', packet.kind);
        assert.equal(packet.code, 'BAD_PACKET');
        assert.ok(packet.sentence.startsWith(`The field "${name}" is ${number}`), packet.sentence);
        const isId = name !== 'type' && name !== 'listenport';
        if (isId) assert.ok(packet.sentence.includes(`write it as a text, "${number}"`), packet.sentence);
        const echoed = name === 'privPoliId' ? packet.policy : packet.clientId;
        const isEchoedField = ['srcid', 'id', 'privPoliId'].includes(name);
        if (isEchoedField) assert.equal(echoed, undefined, 'nothing is said of a number that was not sent');
      }
    });
  }
}

test('the other name of the policy is held to the same rule, and is the one that is named', () => {
  const { privPoliId: _, ...fields } = REQUEST_FIELDS;
  const packet = parsePacket(written({ ...fields, privPolyId: '9007199254740993' }));
  assert.ok(packet.kind === 'fault');
  assert.match(packet.sentence, /"privPolyId" is 9007199254740993/);
});

test('an id or policy is what was written: the largest numbers, texts, and escaped names', () => {
  const largest = Number.MAX_SAFE_INTEGER;
  const tries: [Record<string, string>, string | number, string][] = [
    [{ srcid: `${largest}`, privPoliId: `${-largest}` }, largest, `${-largest}`],
    [{ srcid: '"9007199254740993"', privPoliId: '"1.0"' }, '9007199254740993', '1.0'],
    [{ srcid: '"-0"', privPoliId: '"1e2"' }, '-0', '1e2'],
    [{ srcid: '1', privPoliId: '"1"' }, 1, '1'],
  ];
  for (const [fields, clientId, policy] of tries) {
    const packet = parsePacket(written({ ...REQUEST_FIELDS, ...fields }));
    assert.deepEqual(packet, { kind: 'request', clientId, policy, payload: '' });
  }
  const escaped = parsePacket('{"type":0,"\\u0073rcid":1.0,"privPoliId":2,"payload":""}');
  assert.equal(escaped.kind, 'fault');
});

test('a request or a registration with two readings is refused', () => {
  const twice: [string, RegExp][] = [
    [
      '{"type":0,"srcid":1,"privPoliId":2,"payload":"","srcid":7}',
      /^The field "srcid" is there twice: send it once\.$/,
    ],
    ['{"type":0,"srcid":1,"privPoliId":2,"payload":"a","p\\u0061yload":"b"}', /"payload" is there twice/],
    ['{"type":0,"srcid":1,"privPoliId":2,"payload":"","x":1,"x":1}', /"x" is there twice/],
    ['{"type":2,"type":0,"srcid":1,"privPoliId":2,"payload":""}', /"type" is there twice/],
    ['{"type":1,"id":1,"privPoliId":2,"listenport":9,"listenport":10}', /"listenport" is there twice/],
    [
      '{"type":0,"srcid":1,"privPoliId":2,"privPolyId":3,"payload":""}',
      /^The field "privPoliId" names another policy than "privPolyId": send one of them\.$/,
    ],
    ['{"type":1,"id":1,"privPoliId":2,"privPolyId":3,"listenport":9}', /names another policy/],
  ];
  const noText = '{"toString":1,"valueOf":1}';
  twice.push([`{"type":0,"srcid":1,"privPoliId":2,"privPolyId":${noText},"payload":""}`, /another policy/]);
  for (const [text, sentence] of twice) {
    const packet = parsePacket(text);
    assert.ok(packet.kind === 'fault' && packet.code === 'BAD_PACKET', text);
    assert.match(packet.sentence, sentence);
  }
});

test('what only looks like two readings is not refused', () => {
  for (const text of [
    '{"type":0,"srcid":1,"privPoliId":2,"payload":"a:b, \\"payload\\":1"}',
    '{"type":0,"srcid":1,"privPoliId":2,"payload":"","x":{"payload":1,"srcid":2},"y":[{"x":1},{"x":1}]}',
    '{"type":0,"srcid":1,"privPoliId":2,"privPolyId":"2","payload":""}',
    '{"type":0,"srcid":1,"privPoliId":2,"privPolyId":null,"payload":""}',
  ])
    assert.equal(parsePacket(text).kind, 'request', text);
});

test('what neither is forwarded nor registers may say something twice: the last one counts', () => {
  const packet = parsePacket('{"type":2,"srcid":1.0,"payload":"a","payload":"b","srcid":7}');
  assert.deepEqual(packet, { kind: 'answer', serverId: 7, digest: 'b' });
});

test('numbers that are not read may be written as anybody likes', () => {
  for (const number of INEXACT) {
    for (const name of ['payloadsize', 'extra', 'amount']) {
      assert.equal(parsePacket(written({ ...REQUEST_FIELDS, [name]: number })).kind, 'request');
      assert.equal(parsePacket(written({ ...SETUP_FIELDS, [name]: `[{"srcid":${number}}]` })).kind, 'setup');
    }
  }
  const payload = '"srcid\\":1.0, \\"srcid\\": 1e2"';
  assert.equal(parsePacket(written({ ...REQUEST_FIELDS, payload: `"${payload.slice(1)}` })).kind, 'request');
});

test('the id in an answer is what was written, whatever number it is', () => {
  for (const number of [...INEXACT, '7', '9007199254740991', `${'1'.repeat(400)}.5`]) {
    const packet = parsePacket(`{"type":2,"srcid":${number},"destid":${number},"payload":"ab"}`);
    assert.ok(packet.kind === 'answer');
    assert.equal(String(packet.serverId), number);
  }
});

test('a proxy is held to the same rules', () => {
  assert.equal(parseFromProxy('{"type":1.0}').kind, 'fault');
  assert.equal(parseFromProxy('{"type":5,"nonce":"\\ud800"}').kind, 'fault');
  assert.equal(parseFromProxy(`{"type":3,"x":${'['.repeat(40)}${']'.repeat(40)}}`).kind, 'fault');
});

const EVERY_KIND = [
  '"type":0,"srcid":1,"privPoliId":2,"payload":"p"',
  '"type":1,"id":1,"privPoliId":2,"listenport":9001',
  '"type":2,"srcid":1,"payload":"ab"',
  '"type":-1,"code":"NO_SERVER","payload":"s"',
  '"type":3,"srcid":1',
  '"type":4,"id":1',
  '"type":-2',
];
const LONE = [
  '\\ud800',
  '\\uDFFF',
  'a\\udbffb',
  '\\udc00\\ud800',
  '\\ud83d\\\\ude42',
  '\\\\\\ud800',
  '\\ud83d\\u0041',
];

for (const members of EVERY_KIND) {
  test(`text without a form in UTF-8 is refused in every place of {${members.slice(0, 20)}…}`, () => {
    for (const lone of LONE) {
      const [first = ''] = members.split(',');
      const places: [string, string][] = [
        [`{${members},"extra":"${lone}"}`, 'extra'],
        [`{"extra":"${lone}","extra":"good",${members}}`, 'extra'],
        [`{${members},"extra":[{"a":["${lone}"]}]}`, 'extra'],
        [`{${members},"extra":{"${lone}":1}}`, 'extra'],
        [`{"srcid":"${lone}",${members}}`, 'srcid'],
        [`{"payload" : "${lone}",${members}}`, 'payload'],
        [`{${first},"privPoliId":"${lone}"}`, 'privPoliId'],
      ];
      for (const [text, field] of places) {
        const packet = parsePacket(text);
        assert.ok(packet.kind === 'fault', text);
        assert.equal(packet.code, 'BAD_PACKET');
        assert.ok(packet.sentence.startsWith(`The field "${field}" `), packet.sentence);
        assert.match(packet.sentence, /lone surrogate/);
        const line = formatError(packet.code, packet.sentence, packet);
        assert.ok(!/\\ud[89a-f]/i.test(line), `nothing of it is sent back: ${line}`);
      }
      const name = parsePacket(`{${members},"${lone}":1}`);
      assert.ok(name.kind === 'fault' && name.code === 'BAD_PACKET');
      assert.match(name.sentence, /name of the field .*lone surrogate/);
    }
  });
}

test('pairs of surrogates, and what only looks like one alone, are texts like any other', () => {
  for (const text of [
    '\\ud83d\\ude42',
    '\\uD83D\\uDE42\\ud83d\\ude42',
    '\\\\ud800',
    '\\ufffd',
    '\\u0000',
    'ud800',
  ]) {
    const packet = parsePacket(
      `{"type":0,"srcid":"${text}","privPoliId":2,"payload":"${text}","${text}":[1]}`,
    );
    const value = JSON.parse(`"${text}"`);
    assert.deepEqual(packet, { kind: 'request', clientId: value, policy: '2', payload: value });
  }
});

for (const members of EVERY_KIND) {
  test(`32 levels are enough for anybody: {${members.slice(0, 20)}…}`, () => {
    const nest = (levels: number, inner = ''): string[] => [
      `${'['.repeat(levels)}${inner}${']'.repeat(levels)}`,
      `${'{"a":'.repeat(levels)}0${inner}${'}'.repeat(levels)}`,
      `${'[{"b":0,"a":'.repeat(levels / 2)}${levels % 2 === 0 ? '0' : '[]'}${'}]'.repeat(levels / 2)}`,
    ];
    const around = ['[]', '"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["', `[${'[],'.repeat(40)}[]]`];
    for (const value of [...nest(31), ...around]) {
      assert.notEqual(parsePacket(`{${members},"extra":${value}}`).kind, 'fault', value);
      assert.notEqual(parsePacket(`{"extra" : ${value} , ${members}}`).kind, 'fault', value);
    }
    for (const value of [...nest(32), ...nest(33), ...nest(1000), `[1,"]]]",${nest(31)[0]}]`]) {
      for (const text of [`{${members},"extra":${value}}`, `{"extra":${value},"extra":1,${members}}`]) {
        const packet = parsePacket(text);
        assert.ok(packet.kind === 'fault', text);
        assert.equal(packet.code, 'BAD_PACKET');
        assert.match(packet.sentence, /^The field "extra" .*32 levels/);
      }
    }
  });
}

for (const text of [
  '',
  '{',
  '{]}',
  '{"a":}',
  "{'a':1}",
  '[1]',
  'null',
  '5',
  '"x"',
  '{"a":1}{"b":2}',
  '{"type":0,}',
]) {
  test(`text that is no JSON object: ${text}`, () => {
    const packet = parsePacket(text);
    assert.ok(packet.kind === 'fault');
    assert.equal(packet.code, 'BAD_JSON');
  });
}

test('the proxies that a reply names stand last in it, and change nothing else of it', () => {
  const replies = [
    '{"type":2,"srcid":7,"payload":"b"}',
    '{"type":-1,"code":"NO_SERVER","payload":"Nobody."}',
  ];
  for (const reply of replies) {
    const named = `${reply.slice(0, -1)},"proxies":["10.0.0.3:10000"]}`;
    assert.deepEqual(parsePacket(named), parsePacket(reply));
    assert.deepEqual(proxiesNamedIn(named), ['10.0.0.3:10000']);
    assert.deepEqual(proxiesNamedIn(`${reply.slice(0, -1)},"proxies":[]}`), []);
    assert.equal(proxiesNamedIn(reply), null);
    assert.equal(proxiesNamedIn(`${reply.slice(0, -1)},"more":[1]}`), null);
  }
  for (const text of ['', '}', ']}', '{"proxies":"10.0.0.3:10000]}'])
    assert.equal(proxiesNamedIn(text), null);
});

test('the small packets', () => {
  assert.deepEqual(parsePacket('{"type":-2}'), { kind: 'legacy-probe' });
  assert.deepEqual(parsePacket('{"type":"-2"}'), { kind: 'legacy-probe' });
  assert.deepEqual(parsePacket('{"type":3,"srcid":"proxy"}'), { kind: 'heartbeat' });
  assert.deepEqual(parsePacket('{"type":4}'), { kind: 'leave' });
  assert.deepEqual(parsePacket('{"type":2,"payload":"ab"}'), {
    kind: 'answer',
    serverId: null,
    digest: 'ab',
  });
  const bareError = { kind: 'error', code: 'UNKNOWN', isRetryable: false, wasSent: false, trace: null };
  assert.deepEqual(parsePacket('{"type":-1}'), { ...bareError, sentence: 'The peer gave no reason.' });
});

test("a proxy's yes is told from a setup packet, whatever little an old one sends", () => {
  for (const reply of ['{"type":1}', '{"type":"1","status":"ok"}', JSON.stringify(SETUP)]) {
    assert.deepEqual(parseFromProxy(reply), { kind: 'registered', boot: null, isKnown: false });
  }
  const registered = { kind: 'registered', boot: 'b1', isKnown: false };
  assert.deepEqual(parseFromProxy(formatRegistered(1, '2', 'b1')), registered);
  assert.deepEqual(parseFromProxy(formatRegistered(1, '2', 'b1', 'known')), { ...registered, isKnown: true });
  assert.equal(parseFromProxy(formatError('REGISTRATION_REFUSED', 'No.')).kind, 'error');
  assert.equal(parseFromProxy('{"type":3}').kind, 'heartbeat');
  assert.equal(parseFromProxy('{').kind, 'fault');
});

test('a heartbeat of a proxy that will stop soon is any other to who does not know it', () => {
  assert.deepEqual(parseFromProxy(formatLameDuck()), { kind: 'lame-duck' });
  assert.deepEqual(parsePacket(formatLameDuck()), { kind: 'heartbeat' });
});

test('the other proxies stand in a reply as one more field, where they do not make it too long', () => {
  const answer = formatAnswer(1, 2, 'da39a3ee5e6b4b0d3255bfef95601890afd80709');
  const proxies = ['10.0.0.3:10000', '[::1]:10000'];
  const told = withProxies(answer, JSON.stringify(proxies));
  assert.deepEqual(JSON.parse(told), { ...JSON.parse(answer), proxies });
  assert.equal(told.endsWith('}\n'), true);
  assert.deepEqual(parsePacket(told), parsePacket(answer));
  const long = formatError('BAD_JSON', 'x'.repeat(300), {
    policy: 'p'.repeat(120),
    clientId: 'c'.repeat(120),
  });
  const many = JSON.stringify(Array.from({ length: 60 }, () => '10.0.0.3:10000'));
  assert.equal(withProxies(long, many), long);
});

test('a challenge is one only where it comes from a proxy, and only with a nonce', () => {
  assert.deepEqual(parseFromProxy(formatChallenge('abc')), { kind: 'challenge', nonce: 'abc' });
  assert.match((parseFromProxy('{"type":5}') as PacketFault).sentence, /"nonce" is missing/);
  assert.equal((parsePacket(formatChallenge('abc')) as PacketFault).code, 'UNKNOWN_TYPE');
});

const HOSTILE = [
  'x'.repeat(5_000),
  '"'.repeat(MAX_ID_LENGTH),
  '\\'.repeat(MAX_ID_LENGTH),
  '\u0000'.repeat(MAX_ID_LENGTH),
  '漢'.repeat(MAX_ID_LENGTH),
  '🙂'.repeat(MAX_ID_LENGTH / 2),
  '\ud800'.repeat(MAX_ID_LENGTH),
  '\u2028'.repeat(MAX_ID_LENGTH),
];

for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
  test(`${code}: below 1,024 bytes whatever it echoes, and says whether trying again can help`, () => {
    for (const id of [...HOSTILE, Number.MAX_VALUE, 7]) {
      for (const policy of HOSTILE) {
        const sentence = `No server for "${policy}" and "${id}"`;
        const text = formatError(code, sentence, {
          clientId: id,
          policy,
          wasSent: true,
          trace: 'x'.repeat(24),
        });
        assert.ok(Buffer.byteLength(text) < 1_024, `${Buffer.byteLength(text)} bytes`);
        assert.ok(text.endsWith('}\n') && text.indexOf('\n') === text.length - 1);
        const raw = JSON.parse(text);
        assert.equal(raw.payloadsize, Buffer.byteLength(raw.payload));
        assert.deepEqual([raw.type, raw.code, raw.sent], [-1, code, true]);
        assert.equal(raw.retryable, ERROR_CODES[code].isRetryable);
      }
    }
  });
}

test('refusals of hostile packets stay below 1,024 bytes too', () => {
  for (const value of HOSTILE) {
    for (const field of ['type', 'srcid', 'privPoliId', 'payload', 'id', 'listenport']) {
      for (const base of [REQUEST, SETUP]) {
        const packet = parsePacket(
          JSON.stringify({ ...base, [field]: field === 'payload' ? [value] : value }),
        );
        if (packet.kind !== 'fault') continue;
        assert.ok(Buffer.byteLength(formatError(packet.code, packet.sentence, packet)) < 1_024);
      }
    }
    const broken = parsePacket(`{"a": ${value}`);
    assert.ok(broken.kind === 'fault');
    assert.ok(Buffer.byteLength(formatError(broken.code, broken.sentence, broken)) < 1_024);
  }
});

const id = fc.oneof(
  fc.integer(),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter((text) => text.length <= MAX_ID_LENGTH),
);
const policy = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 });
const text = fc.string({ unit: 'binary', maxLength: 200 });

test('property: a request comes back as it was formatted', () => {
  fc.assert(
    fc.property(id, policy, text, (clientId, policy, payload) => {
      fc.pre(Buffer.byteLength(payload) <= MAX_PAYLOAD_BYTES);
      const packet = parsePacket(formatRequest(clientId, policy, payload));
      assert.deepEqual(packet, { kind: 'request', clientId, policy, payload });
    }),
  );
});

test('property: a setup packet comes back as it was formatted', () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  fc.assert(
    fc.property(
      id,
      policy,
      port,
      policy,
      fc.boolean(),
      fc.option(text),
      (id, policy, listenPort, incarnation, canProve, proof) => {
        const packet = parsePacket(formatSetup({ id, policy, listenPort, incarnation, canProve, proof }));
        const extensions = {
          hasSession: true,
          keepsAlive: true,
          incarnation,
          canProve,
          proof,
          sessionsWith: [],
        };
        assert.deepEqual(packet, {
          kind: 'setup',
          id,
          policy,
          policyAsWritten: policy,
          listenPort,
          ...extensions,
        });
      },
    ),
  );
});

test('property: answers and errors come back as they were formatted', () => {
  const digest = 'da39a3ee5e6b4b0d3255bfef95601890afd80709';
  const code = fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[]));
  fc.assert(
    fc.property(id, id, code, fc.boolean(), text, (serverId, clientId, code, wasSent, sentence) => {
      assert.deepEqual(parsePacket(formatAnswer(serverId, clientId, digest)), {
        kind: 'answer',
        serverId,
        digest,
      });
      assert.equal(JSON.parse(formatAnswer(serverId, clientId, digest)).destid, clientId);
      const error = parsePacket(formatError(code, sentence, { wasSent }));
      const { isRetryable } = ERROR_CODES[code];
      assert.ok(error.kind === 'error');
      assert.deepEqual([error.code, error.isRetryable, error.wasSent], [code, isRetryable, wasSent]);
      if (Buffer.byteLength(JSON.stringify(sentence)) < 300) assert.equal(error.sentence, sentence);
    }),
  );
  assert.deepEqual(parsePacket(formatHeartbeat('proxy')), { kind: 'heartbeat' });
  assert.deepEqual(parsePacket(formatLeave(1)), { kind: 'leave' });
});

test('property: no text makes the parsers throw', () => {
  const almost = fc
    .record({
      type: fc.jsonValue(),
      srcid: fc.jsonValue(),
      privPoliId: fc.jsonValue(),
      payload: fc.jsonValue(),
    })
    .map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), almost), (text) => {
      assert.equal(typeof parsePacket(text).kind, 'string');
      assert.equal(typeof parseFromProxy(text).kind, 'string');
    }),
    { numRuns: 1_000 },
  );
});

test('sentences tell a person what to do', () => {
  assert.match(payloadTooLarge(2_000), /2000 bytes.*1024.*shorter/);
  assert.match(unknownType('9').sentence, /Type 9 can't be sent here/);
});
