// test · packets, by their properties: what is understood does not depend on how the JSON is written, and no value is too odd.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatAnswer,
  formatChallenge,
  formatError,
  formatHeartbeat,
  formatLeave,
  formatRegistered,
  formatRequest,
  formatSetup,
  parseFromProxy,
  parsePacket,
  parsePlainRequest,
} from './packet.ts';

const NAMES = [
  'type',
  'srcid',
  'id',
  'privPoliId',
  'privPolyId',
  'payload',
  'listenport',
  'session',
  'auth',
  'proof',
  'code',
];
const value = fc.oneof(
  fc.constantFrom(-2, -1, 0, 1, 2, 3, 4, '0', '1', ' 2 ', -0, 1e308, 2 ** 53, '', null, true),
  fc.jsonValue(),
  fc.string({ unit: 'binary' }),
);
const fields = fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), fc.string()), value, { maxKeys: 10 });

test('property: the order of the fields and the white space between them mean nothing', () => {
  fc.assert(
    fc.property(fields, (all) => {
      const turned = `{${Object.entries(all)
        .reverse()
        .map(([name, one]) => `\n\t${JSON.stringify(name)} : ${JSON.stringify(one)}`)
        .join(' , ')}\r\n}`;
      assert.deepEqual(parsePacket(turned), parsePacket(JSON.stringify(all)));
    }),
    { numRuns: 1000 },
  );
});

test('property: of two equal names the last one counts, but in a request or a registration', () => {
  fc.assert(
    fc.property(fields, fc.constantFrom(...NAMES), value, value, (all, name, first, last) => {
      const rest = JSON.stringify({ ...all, [name]: undefined }).slice(1, -1);
      const members = [rest, `"${name}":${JSON.stringify(first)}`, `"${name}":${JSON.stringify(last)}`];
      const twice = parsePacket(`{${members.filter((member) => member !== '').join(',')}}`);
      const once = { ...all, [name]: last };
      const { type }: Record<string, unknown> = once;
      const isScalar = typeof type === 'number' || typeof type === 'string';
      const isActedOn = isScalar && /^\s*[01]\s*$/.test(`${type}`);
      if (isActedOn) assert.ok(twice.kind === 'fault' && twice.code === 'BAD_PACKET');
      else assert.deepEqual(twice, parsePacket(JSON.stringify(once)));
    }),
    { numRuns: 1000 },
  );
});

test('property: whatever is refused can be answered in one short line', () => {
  fc.assert(
    fc.property(fields, (all) => {
      const packet = parsePacket(JSON.stringify(all));
      if (packet.kind !== 'fault') return;
      const line = formatError(packet.code, packet.sentence, packet);
      assert.ok(Buffer.byteLength(line) < 1024);
      assert.equal(parsePacket(line).kind, 'error');
    }),
    { numRuns: 1000 },
  );
});

test('property: a name such as __proto__ is a field like any other', () => {
  const names = fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'toJSON',
  );
  const request = '"type":0,"srcid":1,"privPoliId":2,"payload":"p"';
  fc.assert(
    fc.property(names, value, (name, one) => {
      const packet = parsePacket(`{"${name}":${JSON.stringify(one)},${request}}`);
      assert.deepEqual(packet, { kind: 'request', clientId: 1, policy: '2', payload: 'p' });
      assert.equal(Object.keys(Object.prototype).length, 0);
    }),
  );
});

const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
});
const unescaped = printable.map((text) => text.replace(/["\\]/g, '.'));
const plainId = fc.oneof(
  fc.nat(),
  unescaped.filter((text) => text !== ''),
);

test('property: a request as JSON.stringify writes it is understood by its look', () => {
  fc.assert(
    fc.property(
      plainId,
      plainId,
      unescaped,
      fc.nat(9),
      fc.constantFrom('', '\n'),
      (srcid, privPoliId, payload, start, end) => {
        const text = JSON.stringify({ type: 0, srcid, privPoliId, payloadsize: payload.length, payload });
        const packet = parsePacket(text);
        assert.equal(packet.kind, 'request');
        const bytes = Buffer.from(`${'x'.repeat(start)}${text}`);
        assert.deepEqual(parsePlainRequest(`${text}${end}`, bytes, start), packet);
      },
    ),
    { numRuns: 1000 },
  );
});

test('property: what has the look of a request is the request that the long way finds, at any byte', () => {
  const any = fc.oneof(
    value.map((one) => JSON.stringify(one)),
    fc.constantFrom('1', '"1"', '-0', '"a'),
  );
  const request = fc
    .tuple(any, any, any, fc.constantFrom(':', ': ', ' :'), fc.constantFrom(',', ', ', ',\t'))
    .map(([srcid, policy, payload, colon, comma]) => {
      const all = { type: 0, srcid, privPoliId: policy, payloadsize: 1, payload };
      return `{${Object.entries(all)
        .map(([name, one]) => `"${name}"${colon}${one}`)
        .join(comma)}}`;
    });
  fc.assert(
    fc.property(request, fc.nat(), fc.nat(255), fc.boolean(), (text, at, byte, isChanged) => {
      const bytes = Buffer.from(text);
      if (isChanged) bytes[at % bytes.length] = byte;
      const plain = parsePlainRequest(`${bytes.toString('latin1')}\n`, bytes, 0);
      if (plain !== null) assert.deepEqual(plain, parsePacket(bytes.toString()));
    }),
    { numRuns: 3000 },
  );
});

// How a number of JSON may be written: whole and small for the most part.
const literal = fc
  .tuple(
    fc.constantFrom('', '', '-'),
    fc.oneof(
      fc.nat().map(String),
      fc.bigInt({ min: 0n, max: 2n ** 60n }).map(String),
      fc.constantFrom('0', '9007199254740991', '9007199254740992'),
    ),
    fc.constantFrom('', '', '.0', '.25', '.00000000000000000000001'),
    fc.constantFrom('', '', '', 'e0', 'E2', 'e-400', 'e+400'),
  )
  .map((parts) => parts.join(''));

test('property: an id or policy that is a number comes back as it was written, or is refused', () => {
  fc.assert(
    fc.property(literal, literal, literal, (srcid, policy, other) => {
      const text = `{"type":0,"srcid": ${srcid},"privPoliId":${policy},"payload":"","x":${other}}`;
      const packet = parsePacket(text);
      const isExact = [srcid, policy].every(
        (one) => /^(0|-?[1-9]\d*)$/.test(one) && Number.isSafeInteger(Number(one)),
      );
      assert.equal(packet.kind, isExact ? 'request' : 'fault');
      if (packet.kind === 'request')
        assert.deepEqual([String(packet.clientId), packet.policy], [srcid, policy]);
    }),
    { numRuns: 2000 },
  );
});

// Any text, with surrogates of which some have lost their other half.
const anyText = fc
  .array(fc.oneof(fc.constantFrom(0x41, 0x5c, 0x22, 0xd83d, 0xde42, 0xe9), fc.nat(0xffff)), { maxLength: 12 })
  .map((units) => String.fromCharCode(...units));
const deepValue = fc.oneof(
  anyText,
  fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 50, depthIdentifier: 'v' },
      anyText,
      fc.array(tie('value'), { maxLength: 2 }),
      fc.dictionary(anyText, tie('value'), { maxKeys: 2 }),
    ),
  })).value,
  fc.nat(60).map((levels) => {
    let value: unknown = 1;
    for (let i = 0; i < levels; i += 1) value = i % 2 === 0 ? [value] : { a: value };
    return value;
  }),
);

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

function isSendable(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(
    ([name, inner]) => (Array.isArray(value) || name.isWellFormed()) && isSendable(inner),
  );
}

test('property: what is taken has a form in UTF-8 and no more than 32 levels, wherever one looks', () => {
  fc.assert(
    fc.property(anyText, deepValue, fc.boolean(), fc.boolean(), (name, value, isFirst, isTwice) => {
      fc.pre(!NAMES.includes(name));
      const member = `${JSON.stringify(name)}:${JSON.stringify(value)}`;
      const request = `"type":0,"srcid":1,"privPoliId":2,"payload":"p"`;
      const members = [
        ...(isFirst ? [member, request] : [request, member]),
        ...(isTwice ? [`${JSON.stringify(name)}:1`] : []),
      ];
      const packet = parsePacket(`{${members.join(' , ')}}`);
      const isGood = !isTwice && name.isWellFormed() && isSendable(value) && depthOf(value) < 32;
      assert.equal(packet.kind, isGood ? 'request' : 'fault');
      if (packet.kind === 'fault') assert.equal(packet.code, 'BAD_PACKET');
    }),
    { numRuns: 2000 },
  );
});

const DEEP = 32_000;
const NESTINGS = [
  ['arrays', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`],
  ['objects', `${'{"a":'.repeat(DEEP / 4)}0${'}'.repeat(DEEP / 4)}`],
] as const;

for (const [kind, deep] of NESTINGS) {
  for (const name of ['type', 'srcid', 'privPoliId', 'payload', 'id', 'listenport']) {
    test(`${kind} nested as deep as a packet can hold them, as "${name}", are refused`, () => {
      for (const type of [0, 1, 2]) {
        const text = `{"type":${type},"srcid":1,"id":1,"privPoliId":1,"listenport":9,"payload":"","${name}":${deep}}`;
        assert.equal(typeof parsePacket(text).kind, 'string');
        assert.equal(typeof parseFromProxy(text).kind, 'string');
      }
    });
  }
}

const id = fc.oneof(
  fc.maxSafeInteger(),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 64 }).map((text) => text.toWellFormed()),
);

test('property: what is written comes back, in one line', () => {
  const digest = 'da39a3ee5e6b4b0d3255bfef95601890afd80709';
  const text = fc.string({ unit: 'binary', maxLength: 64 }).map((one) => one.toWellFormed());
  const back = (line: string): unknown => {
    assert.equal(line.indexOf('\n'), line.length - 1);
    return parsePacket(line);
  };
  fc.assert(
    fc.property(
      id,
      id.map(String),
      text,
      fc.integer({ min: 1, max: 65_535 }),
      (one, policy, payload, port) => {
        const request = { kind: 'request', clientId: one, policy, payload };
        assert.deepEqual(back(formatRequest(one, policy, payload)), request);
        assert.deepEqual(back(formatAnswer(1, one, digest)), { kind: 'answer', serverId: 1, digest });
        assert.deepEqual(back(formatHeartbeat(one)), { kind: 'heartbeat' });
        assert.deepEqual(back(formatLeave(one)), { kind: 'leave' });
        const setup = {
          id: one,
          policy,
          listenPort: port,
          incarnation: policy,
          canProve: true,
          proof: payload,
          sessionsWith: [policy, payload],
        };
        const kept = { kind: 'setup', hasSession: true, keepsAlive: true, policyAsWritten: policy };
        assert.deepEqual(back(formatSetup(setup)), { ...kept, ...setup });
        const registered = { kind: 'registered', boot: payload, isKnown: false };
        assert.deepEqual(parseFromProxy(formatRegistered(one, policy, payload)), registered);
        assert.deepEqual(parseFromProxy(formatChallenge(payload)), { kind: 'challenge', nonce: payload });
      },
    ),
    { numRuns: 1000 },
  );
});
