// test · framing, by its properties: what any stream and any cuts have in common.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameReader } from './framing.ts';

const LIMIT = 200;

type Reading = { frames: string[]; fault: string | null };

function read(chunks: readonly Uint8Array[], maxFrameBytes = LIMIT): Reading {
  const reader = new FrameReader(maxFrameBytes);
  const frames: string[] = [];
  for (const chunk of chunks) {
    const lent = Buffer.from(chunk);
    reader.feed(lent);
    while (reader.next()) frames.push(reader.bytes.toString('latin1', reader.start, reader.end));
    lent.fill(0x22);
    assert.ok(reader.bytes.length <= maxFrameBytes + chunk.length, 'what is held is bounded');
    if (reader.fault !== null) break;
  }
  return { frames, fault: reader.fault };
}

const pieces = fc.constantFrom(
  '{',
  '}',
  '"',
  '\\',
  '\\"',
  '\\\\',
  '[',
  ' ',
  '\n',
  'x',
  'é',
  '{}',
  '{"a":"}"}',
  '\0',
);
const stream = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.array(pieces, { maxLength: 80 }).map((all) => Buffer.from(all.join(''))),
  fc
    .array(fc.json(), { maxLength: 4 })
    .map((all) => Buffer.from(all.map((text) => `{"a":${text}}`).join('\n'))),
);

test('property: a byte at a time is as good as all at once', () => {
  fc.assert(
    fc.property(stream, (bytes) => {
      const bytewise = Array.from(bytes, (byte) => Uint8Array.of(byte));
      assert.deepEqual(read(bytewise), read([bytes]));
    }),
    { numRuns: 1000 },
  );
});

test('property: what is kept outlives its chunk, wherever reading stops', () => {
  fc.assert(
    fc.property(stream, fc.nat(5), (bytes, taken) => {
      const reader = new FrameReader(LIMIT);
      const lent = Buffer.from(bytes);
      const frames: string[] = [];
      reader.feed(lent);
      while (frames.length < taken && reader.next()) frames.push(reader.line());
      reader.keep();
      lent.fill(0x22);
      while (reader.next()) frames.push(reader.line());
      assert.deepEqual(
        frames,
        read([bytes]).frames.map((frame) => `${frame}\n`),
      );
    }),
    { numRuns: 1000 },
  );
});

test('property: a prefix of a stream brings a prefix of its frames', () => {
  fc.assert(
    fc.property(stream, fc.nat(300), (bytes, length) => {
      const whole = read([bytes]).frames;
      const part = read([bytes.subarray(0, length)]).frames;
      assert.deepEqual(part, whole.slice(0, part.length));
    }),
    { numRuns: 1000 },
  );
});

test('property: frames lie in the stream in their order, with nothing but white space between them', () => {
  fc.assert(
    fc.property(stream, (bytes) => {
      let rest = bytes.toString('latin1');
      for (const frame of read([bytes]).frames) {
        const at = rest.search(/[^ \t\r\n\0]/);
        assert.equal(rest.slice(at, at + frame.length), frame);
        rest = rest.slice(at + frame.length);
      }
    }),
    { numRuns: 1000 },
  );
});

test('property: a frame is accepted up to the limit, and refused above it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 2 * LIMIT }), fc.nat(2 * LIMIT), (size, at) => {
      const bytes = Buffer.from(`{"a":"${'x'.repeat(size - 8)}"}`);
      const reading = read([bytes.subarray(0, at), bytes.subarray(at)]);
      assert.deepEqual([reading.frames.length, reading.fault], size <= LIMIT ? [1, null] : [0, 'too-large']);
    }),
    { numRuns: 500 },
  );
});
