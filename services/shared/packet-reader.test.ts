// test · packets out of a stream: the same whatever the chunks, with their own bytes, and an end at the first that can't be trusted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Packet, parsePacket } from './packet.ts';
import { endsStream, PacketReader } from './packet-reader.ts';

const MAX_FRAME_BYTES = 200;

type Taken = { packet: Packet; wire: string };

// As a connection does it. Each chunk lies in one buffer that is filled again afterwards.
function read(chunks: readonly Uint8Array[]): Taken[] {
  const reader = new PacketReader(MAX_FRAME_BYTES);
  const taken: Taken[] = [];
  for (const chunk of chunks) {
    const buffer = Buffer.from(chunk);
    const whole = reader.takeWhole(buffer);
    if (whole !== null) taken.push({ packet: whole, wire: reader.takeWire() });
    else reader.feed(buffer);
    for (let packet = whole === null ? reader.next() : null; packet !== null; packet = reader.next()) {
      taken.push({ packet, wire: reader.takeWire() });
      if (packet.kind === 'fault' && endsStream(packet.code)) return taken;
    }
    buffer.fill(0x7b);
  }
  return taken;
}

function expectedOf(text: string): Taken {
  const packet = parsePacket(text);
  const wire = packet.kind === 'request' ? `${Buffer.from(text).toString('latin1')}\n` : '';
  return { packet, wire };
}

const plain = fc
  .tuple(
    fc.integer({ min: 0, max: 999 }),
    fc.constantFrom('1', '"p 1"'),
    fc.stringMatching(/^[ -!#-[\]-~]{0,60}$/),
  )
  .map(
    ([id, policy, payload]) =>
      `{"type": 0, "srcid": ${id}, "privPoliId": ${policy}, "payloadsize": ${payload.length}, "payload": "${payload}"}`,
  );
const other = fc.constantFrom(
  '{"payload":"ünï ¢ödé 漢字","type":0,"srcid":"a","privPoliId":1}',
  '{"type":0,"srcid":7,"privPoliId":2,"payloadsize":1,"payload":"\\u0041"}',
  '{"type":"0","srcid":"7","privPolyId":"2","payload":"} {"}',
  '{"type":1,"id":3,"privPoliId":1,"listenport":4000,"session":true}',
  '{"type":3,"srcid":3}',
  '{"type":4,"id":3}',
  '{"type":-2}',
  '{"type":9}',
  '{"type":0}',
);
const packets = fc.array(
  fc.tuple(fc.oneof(plain, other), fc.constantFrom('', ' ', '\n', '\r\n', ' \n\t', '\0', '\n\0')),
  {
    maxLength: 8,
  },
);

test('the same packets, with the same bytes, wherever the chunks end', () => {
  fc.assert(
    fc.property(packets, fc.array(fc.nat(2000), { maxLength: 12 }), (list, cuts) => {
      const bytes = Buffer.from(list.map(([text, space]) => text + space).join(''));
      const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
      const chunks = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
      assert.deepEqual(
        read(chunks),
        list.map(([text]) => expectedOf(text)),
      );
    }),
  );
});

test('each in a chunk of its own', () => {
  fc.assert(
    fc.property(packets, (list) => {
      const chunks = list.map(([text, space]) => Buffer.from(text + space));
      assert.deepEqual(
        read(chunks),
        list.map(([text]) => expectedOf(text)),
      );
    }),
  );
});

const GOOD = '{"type":0,"srcid":1,"privPoliId":1,"payload":"x"}';
const ENDS: [string, Buffer, string][] = [
  ['what can start no packet', Buffer.from('hello'), 'BAD_JSON'],
  ['a byte order mark', Buffer.from('\ufeff{}'), 'BAD_JSON'],
  ['NUL within a packet', Buffer.from('{"type":0,\0"srcid":1}'), 'BAD_JSON'],
  ['what is no JSON', Buffer.from('{"type":0,}'), 'BAD_JSON'],
  ['what is no UTF-8', Buffer.from([...Buffer.from('{"payload":"'), 0xff, ...Buffer.from('"}')]), 'BAD_JSON'],
  ['more than is allowed', Buffer.from(`{"payload":"${'x'.repeat(MAX_FRAME_BYTES)}"}`), 'FRAME_TOO_LARGE'],
  [
    'more than is allowed, and no end',
    Buffer.from(`{"a":"${'x'.repeat(MAX_FRAME_BYTES)}`),
    'FRAME_TOO_LARGE',
  ],
];
for (const [name, bytes, code] of ENDS) {
  test(`the stream ends with ${name}`, () => {
    const codes = read([Buffer.concat([Buffer.from(GOOD), bytes, Buffer.from(GOOD)])]).map(({ packet }) =>
      packet.kind === 'fault' ? packet.code : packet.kind,
    );
    assert.deepEqual(codes, ['request', code]);
  });
}

test('what stays the case when a stream has lost its way is said again', () => {
  const reader = new PacketReader(MAX_FRAME_BYTES);
  reader.feed(Buffer.from('no packet'));
  assert.deepEqual(reader.next(), reader.next());
  assert.equal(reader.next()?.kind, 'fault');
});

test('a plain request over the limit is refused too', () => {
  const payload = 'x'.repeat(MAX_FRAME_BYTES);
  const text = `{"type":0,"srcid":1,"privPoliId":1,"payloadsize":200,"payload":"${payload}"}`;
  const [first] = read([Buffer.from(text)]);
  assert.ok(first?.packet.kind === 'fault' && first.packet.code === 'FRAME_TOO_LARGE');
});

test('bytes are handed over once: an idle connection keeps nothing of what it was sent', () => {
  const reader = new PacketReader(MAX_FRAME_BYTES);
  reader.feed(Buffer.from(GOOD));
  reader.next();
  assert.equal(reader.takeWire(), `${GOOD}\n`);
  assert.equal(reader.takeWire(), '');
  assert.equal(reader.isMidPacket, false);
  assert.equal(reader.untakenBytes, 0);
});

test('bytes that are not UTF-8 are refused, but in a reply, where they are only shown', () => {
  const digest = '0'.repeat(40);
  const answer = Buffer.from(`{"type":2,"srcid":"M\u00fcller","payload":"${digest}"}\n`, 'latin1');
  const strict = new PacketReader();
  strict.feed(answer);
  assert.equal(strict.next()?.kind, 'fault');
  const lenient = new PacketReader(MAX_FRAME_BYTES, parsePacket, true);
  lenient.feed(answer);
  assert.deepEqual(lenient.next(), { kind: 'answer', serverId: 'M\ufffdller', digest });
});
