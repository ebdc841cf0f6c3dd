import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type ProxyHeader, readProxyHeader } from './proxy-header.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const V4 = 'c0a80001 c0a8000b dc04 01bb';
const V6 = '20010db8000000000000000000000001 20010db8000000000000000000000002 dc04 01bb';

/** Version 2, from hexadecimal digits; `length` is that of `block` unless it is given. */
function binary(commandAndProtocol: string, block = '', length?: number): Buffer {
  const bytes = Buffer.from(block.replaceAll(' ', ''), 'hex');
  const size = (length ?? bytes.length).toString(16).padStart(4, '0');
  return Buffer.concat([Buffer.from(`${SIGNATURE}${commandAndProtocol}${size}`, 'hex'), bytes]);
}

function describeHeader(header: ProxyHeader): string {
  if (header.kind === 'complete') return header.source ?? 'own';
  return header.kind;
}

const tlv = `04 0010 ${'00'.repeat(16)}`;

const LINES: [line: string, means: string][] = [
  ['PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n', '192.168.0.1'],
  ['PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n', '255.255.255.255'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n', '1.2.3.4'],
  ['PROXY TCP6 2001:DB8:0:0::0001 ::1 1 2\r\n', '2001:db8::1'],
  ['PROXY TCP6 ::ffff:102:304 ::1 1 2\r\n', '::ffff:1.2.3.4'],
  [
    `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`,
    `${'ffff:'.repeat(7)}ffff`,
  ],
  ['PROXY UNKNOWN\r\n', 'own'],
  [`PROXY UNKNOWN ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`, 'own'],
  ['PROXY UNKNOWN \xff\n\r whatever\r\n', 'own'],
  ['PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n', 'own'],
  ['PROXY TCP6 0::0 ::1 0 0\r\n', 'own'],
  ['PROXY UNKNOWNX\r\n', 'malformed'],
  ['PROXY\r\n', 'malformed'],
  ['PROXY \r\n', 'malformed'],
  ['proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n', 'malformed'],
  ['PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n', 'malformed'],
  ['PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n', 'malformed'],
  ['PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n', 'malformed'],
  ['PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n', 'malformed'],
  ['PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n', 'malformed'],
  ['PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n', 'malformed'],
  ['PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n', 'malformed'],
  ['PROXY TCP4 ::1 ::1 1 2\r\n', 'malformed'],
  ['PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n', 'malformed'],
  ['PROXY TCP6 ::1 5.6.7.8 1 2\r\n', 'malformed'],
  ['PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n', 'malformed'],
  ['PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n\r\n', 'malformed'],
  [`PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n${'{"type":0}'.repeat(10)}`, 'malformed'],
  [`PROXY UNKNOWN ${'x'.repeat(91)}\r\n`, 'own'],
  [`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, 'malformed'],
  ['{"type":0}', 'malformed'],
  ['GET / HTTP/1.1\r\n\r\n', 'malformed'],
  ['\n', 'malformed'],
  ['', 'partial'],
  ['P', 'partial'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r', 'partial'],
];

describe('version 1', () => {
  for (const [line, means] of LINES) {
    test(JSON.stringify(line), () => {
      const header = readProxyHeader(Buffer.from(line, 'latin1'));
      assert.equal(describeHeader(header), means);
      if (header.kind === 'complete') assert.equal(header.bytes, line.length);
    });
  }
});

const BLOCKS: [name: string, bytes: Buffer, means: string][] = [
  ['TCP over IPv4', binary('2111', V4), '192.168.0.1'],
  ['TCP over IPv6', binary('2121', V6), '2001:db8::1'],
  [
    'IPv4 in IPv6',
    binary('2121', `${'0'.repeat(20)}ffff01020304 ${'0'.repeat(32)} 0001 0002`),
    '::ffff:1.2.3.4',
  ],
  ['extensions behind the addresses', binary('2111', `${V4} ${tlv}${tlv}`), '192.168.0.1'],
  ['extensions that make no sense', binary('2121', `${V6} ff ffff`), '2001:db8::1'],
  ['LOCAL without a block', binary('2000'), 'own'],
  ['LOCAL with addresses', binary('2011', V4), 'own'],
  ['LOCAL with a family that nobody knows', binary('20ff', '00'), 'own'],
  ['not specified', binary('2100'), 'own'],
  ['not specified, with an extension', binary('2100', tlv), 'own'],
  ['a transport that is not specified', binary('2110', V4), 'own'],
  ['UDP', binary('2112', V4), 'own'],
  ['a Unix socket', binary('2131', '2f'.repeat(216)), 'own'],
  ['no address at all', binary('2111', `00000000 ${V4.slice(9)}`), 'own'],
  ['a block as long as it may be', binary('2111', V4 + '00'.repeat(4084)), '192.168.0.1'],
  ['a block that is longer', binary('2111', V4 + '00'.repeat(4085)), 'malformed'],
  ['the longest length, long before its end', binary('2111', V4, 0xffff), 'malformed'],
  ['LOCAL with the longest length', binary('2000', '', 0xffff), 'malformed'],
  ['half of an IPv4 block', binary('2111', V4.slice(0, 9)), 'malformed'],
  ['an IPv4 block for IPv6', binary('2121', V4), 'malformed'],
  ['version 1 in binary', binary('1111', V4), 'malformed'],
  ['version 3', binary('3111', V4), 'malformed'],
  ['another command', binary('2211', V4), 'malformed'],
  ['another family', binary('2141', V4), 'malformed'],
  ['another transport', binary('2113', V4), 'malformed'],
  ['all but its last byte', binary('2111', V4).subarray(0, -1), 'partial'],
  ['its first line break', Buffer.from('\r'), 'partial'],
  ['a signature with one wrong byte', Buffer.from(`${SIGNATURE.slice(0, -2)}0b`, 'hex'), 'malformed'],
];

describe('version 2', () => {
  for (const [name, bytes, means] of BLOCKS) {
    test(name, () => {
      const header = readProxyHeader(bytes);
      assert.equal(describeHeader(header), means);
      if (header.kind === 'complete') assert.equal(header.bytes, bytes.length);
    });
  }
});

const port = fc.nat(65_535);
const complete = fc.oneof(
  fc.tuple(fc.ipV4(), fc.ipV4(), port, port).map(([source, destination, from, to]) => {
    return Buffer.from(`PROXY TCP4 ${source} ${destination} ${from} ${to}\r\n`);
  }),
  fc.tuple(fc.ipV6(), fc.ipV6(), port, port).map(([source, destination, from, to]) => {
    return Buffer.from(`PROXY TCP6 ${source} ${destination} ${from} ${to}\r\n`);
  }),
  fc
    .tuple(
      fc.constantFrom('2011', '2111', '2121', '2131', '2100'),
      fc.uint8Array({ minLength: 36, maxLength: 600 }),
    )
    .map(([start, block]) => binary(start, Buffer.from(block).toString('hex'))),
);

test('cut off anywhere it is partial, whole it is complete, and what follows changes nothing', () => {
  fc.assert(
    fc.property(complete, fc.uint8Array({ maxLength: 200 }), (header, rest) => {
      for (let cut = 0; cut < header.length; cut += 1)
        assert.deepEqual(readProxyHeader(header.subarray(0, cut)), { kind: 'partial' });
      const whole = readProxyHeader(header);
      assert.equal(whole.kind, 'complete');
      assert.equal((whole as { bytes: number }).bytes, header.length);
      assert.deepEqual(readProxyHeader(Buffer.concat([header, rest])), whole);
    }),
  );
});

test('no bytes make it throw or wait for more than 4112, and who is malformed stays it', () => {
  const nearly = fc.tuple(complete, fc.nat(40), fc.nat(255)).map(([header, at, byte]) => {
    const place = at % header.length;
    return Buffer.from(header).fill(byte, place, place + 1);
  });
  const begun = fc
    .tuple(
      fc.constantFrom('PROXY ', 'PROXY TCP4 ', '\r\n\r\n\0\r\nQUIT\n'),
      fc.uint8Array({ maxLength: 5000 }),
    )
    .map(([start, bytes]) => Buffer.concat([Buffer.from(start, 'latin1'), bytes]));
  const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(nearly, begun, any), fc.uint8Array({ maxLength: 5000 }), (bytes, more) => {
      const { kind } = readProxyHeader(bytes);
      if (kind === 'partial') assert.ok(bytes.length < 4112);
      else assert.equal(readProxyHeader(Buffer.concat([bytes, more])).kind, kind);
    }),
    { numRuns: 2000 },
  );
});
