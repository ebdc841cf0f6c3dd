// test · framing: every split point of every frame, limits, and bytes that nobody should send.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_MAX_FRAME_BYTES, FrameReader, type FramingFault } from './framing.ts';

type Reading = { frames: string[]; fault: FramingFault | null; isMidFrame: boolean };

// Each chunk is handed over in one buffer that is overwritten afterwards, as a socket's may be.
function read(chunks: readonly Uint8Array[], maxFrameBytes?: number): Reading {
  const reader = new FrameReader(maxFrameBytes);
  const frames: string[] = [];
  for (const chunk of chunks) {
    const buffer = Buffer.from(chunk);
    reader.feed(buffer);
    while (reader.next()) frames.push(reader.bytes.toString('utf8', reader.start, reader.end));
    buffer.fill(0x7b);
    if (reader.fault !== null) break;
  }
  return { frames, fault: reader.fault, isMidFrame: reader.isMidFrame };
}

const FRAMES = [
  '{}',
  '{"type":0,"srcid":111,"privPoliId":2,"payloadsize":5,"payload":"hello"}',
  '{\n  "type": 0,\r\n\t"payload": "pretty printed"\n}',
  '{"payload":"braces } { }} in a {\\"string\\"}"}',
  '{"payload":"ends with a backslash \\\\"}',
  '{"payload":"\\\\\\" quote after three \\\\\\\\"}',
  '{"payload":"\\u007d \\u0022 \\n \\/"}',
  '{"payload":"ünï ¢ödé 漢字 🙂"}',
  '{"a":{"b":{"c":[{},{"d":"}"}]}},"e":[]}',
  '{"":""}',
  '{"a long field name that is over sixteen bytes":"and a long value, } longer still \\" than that"}',
  `{"payload":"${'x'.repeat(1_024)}"}`,
  `{"payload":"${'\\\\'.repeat(40)}"}`,
];

for (const frame of FRAMES) {
  test(`a frame split at any byte: ${frame.slice(0, 50)}`, () => {
    const bytes = Buffer.from(frame);
    for (let i = 0; i <= bytes.length; i += 1) {
      const { frames, fault } = read([bytes.subarray(0, i), bytes.subarray(i)]);
      assert.deepEqual({ frames, fault }, { frames: [frame], fault: null }, `split at ${i}`);
    }
  });

  test(`a frame cut short is awaited, not guessed: ${frame.slice(0, 50)}`, () => {
    const bytes = Buffer.from(frame);
    for (let i = 1; i < bytes.length; i += 1) {
      const expected = { frames: [], fault: null, isMidFrame: true };
      assert.deepEqual(read([bytes.subarray(0, i)]), expected, `cut at ${i}`);
    }
  });
}

test('a short frame split at any two bytes', () => {
  const bytes = Buffer.from('{"a":"}\\"é"} {"b":{}}');
  for (let i = 0; i <= bytes.length; i += 1) {
    for (let j = i; j <= bytes.length; j += 1) {
      const { frames } = read([bytes.subarray(0, i), bytes.subarray(i, j), bytes.subarray(j)]);
      assert.deepEqual(frames, ['{"a":"}\\"é"}', '{"b":{}}'], `split at ${i} and ${j}`);
    }
  }
});

const SEPARATORS = [
  ['nothing', ''],
  ['a line end', '\n'],
  ['every white space', ' \t\r\n \n'],
];

for (const [name, separator] of SEPARATORS) {
  const stream = Buffer.from(separator + FRAMES.join(separator) + separator);

  test(`frames with ${name} between them, in one chunk`, () => {
    assert.deepEqual(read([stream]), { frames: FRAMES, fault: null, isMidFrame: false });
  });

  test(`frames with ${name} between them, in chunks of every size to 70`, () => {
    for (let size = 1; size <= 70; size += 1) {
      const { frames, fault } = read(inChunks(stream, size));
      assert.deepEqual({ frames, fault }, { frames: FRAMES, fault: null }, `chunks of ${size}`);
    }
  });

  test(`frames with ${name} between them, split once at any byte`, () => {
    for (let i = 0; i <= stream.length; i += 1) {
      assert.deepEqual(read([stream.subarray(0, i), stream.subarray(i)]).frames, FRAMES, `split at ${i}`);
    }
  });
}

const LIMITS = [
  { name: 'one below the limit', bytes: 99, isAccepted: true },
  { name: 'at the limit', bytes: 100, isAccepted: true },
  { name: 'one over the limit', bytes: 101, isAccepted: false },
  { name: 'far over the limit', bytes: 1_000, isAccepted: false },
];

for (const { name, bytes, isAccepted } of LIMITS) {
  const frame = `{"a":"${'x'.repeat(bytes - 8)}"}`;
  const expected = isAccepted ? { frames: [frame], fault: null } : { frames: [], fault: 'too-large' };
  for (const size of [1, 7, 2_000]) {
    test(`a frame ${name}, in chunks of ${size}`, () => {
      const { frames, fault } = read(inChunks(Buffer.from(frame), size), 100);
      assert.deepEqual({ frames, fault }, expected);
    });
  }
}

test('the limit is for a frame, not for the frames of a chunk or the white space between them', () => {
  const frame = `{"a":"${'x'.repeat(92)}"}`;
  const stream = Buffer.from(`${' '.repeat(300)}${frame.repeat(20)}${' '.repeat(300)}`);
  for (const size of [1, 99, 100, 101, 5_000]) {
    assert.equal(read(inChunks(stream, size), 100).frames.length, 20, `chunks of ${size}`);
  }
});

test('a frame that never ends is given up at the limit, not collected for ever', () => {
  const endless = Array.from({ length: 100 }, () => Buffer.from('{"a":'.repeat(200)));
  assert.deepEqual(read(endless).fault, 'too-large');
  const reader = new FrameReader();
  for (const chunk of endless) {
    reader.feed(chunk);
    reader.next();
    assert.ok(reader.bytes.length <= DEFAULT_MAX_FRAME_BYTES + chunk.length);
    if (reader.fault !== null) return;
  }
  assert.fail('never given up');
});

const NOT_OBJECTS = ['x', '}', '[1]', '"text"', 'null', '0', ',{}', '\u00a0{}', '\f{}', '\u0001{}'];

for (const text of NOT_OBJECTS) {
  test(`bytes that start no object: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(read([Buffer.from(text)]).fault, 'not-an-object');
    const after = read([Buffer.from(`{"a":1} ${text}`)]);
    assert.deepEqual(
      [after.frames, after.fault],
      [['{"a":1}'], 'not-an-object'],
      'the frame before it counts',
    );
  });
}

const MARKS: [string, number[]][] = [
  ['UTF-8', [0xef, 0xbb, 0xbf]],
  ['UTF-16, little end first', [0xff, 0xfe]],
  ['UTF-16, big end first', [0xfe, 0xff]],
];

for (const [name, mark] of MARKS) {
  test(`a byte order mark is called one, wherever it is cut: ${name}`, () => {
    const bytes = Buffer.from([...mark, ...Buffer.from('{}')]);
    for (let i = 0; i <= bytes.length; i += 1) {
      assert.equal(read([bytes.subarray(0, i), bytes.subarray(i)]).fault, 'byte-order-mark', `cut at ${i}`);
    }
    const behind = read([Buffer.concat([Buffer.from('{"a":1}\n'), bytes])]);
    assert.deepEqual([behind.frames, behind.fault], [['{"a":1}'], 'byte-order-mark']);
  });
}

test('NUL between packets is white space, at every cut; within one it is a byte of the packet', () => {
  const bytes = Buffer.from('\0\0{"a":1}\0{"b":2}\n\0 \0{"c":"\0"}\0');
  for (let i = 0; i <= bytes.length; i += 1) {
    for (let j = i; j <= bytes.length; j += 1) {
      const { frames, fault, isMidFrame } = read([
        bytes.subarray(0, i),
        bytes.subarray(i, j),
        bytes.subarray(j),
      ]);
      assert.deepEqual(
        { frames, fault, isMidFrame },
        { frames: ['{"a":1}', '{"b":2}', '{"c":"\0"}'], fault: null, isMidFrame: false },
        `cut at ${i} and ${j}`,
      );
    }
  }
});

test('after a fault no frame comes, whatever arrives', () => {
  const reader = new FrameReader();
  reader.feed(Buffer.from('nonsense'));
  assert.equal(reader.next(), false);
  reader.feed(Buffer.from('{"a":1}'));
  assert.equal(reader.next(), false);
  assert.equal(reader.fault, 'not-an-object');
});

test('empty chunks change nothing', () => {
  const empty = Buffer.alloc(0);
  assert.deepEqual(read([empty, Buffer.from('{"a"'), empty, empty, Buffer.from(':1}'), empty]).frames, [
    '{"a":1}',
  ]);
});

test('property: any objects, any white space, any cuts come out as they went in', () => {
  const object = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { maxKeys: 5 });
  const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t', '\0'), maxLength: 3 });
  const parts = fc.array(fc.tuple(object, space, fc.boolean()), { maxLength: 6 });
  const cuts = fc.array(fc.nat(400), { maxLength: 12 });
  fc.assert(
    fc.property(parts, cuts, (written, at) => {
      const frames = written.map(([value, , isPretty]) => JSON.stringify(value, null, isPretty ? 2 : 0));
      const stream = Buffer.from(frames.map((frame, i) => frame + written[i]?.[1]).join(''));
      const reading = read(cutAt(stream, at), 1_000_000);
      assert.deepEqual(reading, { frames, fault: null, isMidFrame: false });
    }),
    { numRuns: 1_000 },
  );
});

test('fuzz: arbitrary bytes never throw, and cuts change neither frames nor fault', () => {
  const shard = fc.constantFrom(
    '{',
    '}',
    '"',
    '\\',
    '{}',
    '"}',
    '{"',
    ' ',
    '\n',
    'x',
    '\\"',
    '[',
    'é',
    '{"a":1}',
  );
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(shard, { maxLength: 60 }).map((pieces) => new Uint8Array(Buffer.from(pieces.join('')))),
  );
  const cuts = fc.array(fc.nat(200), { maxLength: 20 });
  fc.assert(
    fc.property(noise, cuts, (bytes, at) => {
      const whole = read([bytes], 40);
      const cut = read(cutAt(Buffer.from(bytes), at), 40);
      assert.deepEqual(cut.frames, whole.frames);
      assert.equal(cut.fault, whole.fault);
      assert.ok(whole.frames.every((frame) => frame.startsWith('{') && frame.endsWith('}')));
    }),
    { numRuns: 3_000 },
  );
});

function inChunks(bytes: Buffer, size: number): Buffer[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

function cutAt(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const sorted = [0, ...positions, bytes.length]
    .map((at) => Math.min(at, bytes.length))
    .sort((a, b) => a - b);
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end));
}
