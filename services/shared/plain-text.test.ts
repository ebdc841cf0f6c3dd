// test · plain text, held against JSON.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isPlainText } from './plain-text.ts';

// Slowly: what JSON writes as it stands, of ASCII.
function isPlainByJson(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString('latin1');
  return [...text].every((one) => one <= '\x7f' && JSON.stringify(one) === `"${one}"`);
}

test('each byte, at each place in a word, with each other byte beside it', () => {
  for (let byte = 0; byte < 256; byte += 1) {
    for (let other = 0; other < 256; other += 1) {
      const bytes = Uint8Array.of(other, byte, 0x61, other, byte, 0x61, other, other, byte);
      assert.equal(isPlainText(bytes, 0, bytes.length), isPlainByJson(bytes), `${byte} and ${other}`);
    }
  }
});

test('property: any piece of any buffer, wherever it lies in memory', () => {
  const plain = fc.integer({ min: 0x20, max: 0x7f });
  const mostlyPlain = fc.array(fc.oneof({ weight: 50, arbitrary: plain }, fc.integer({ min: 0, max: 255 })));
  fc.assert(
    fc.property(mostlyPlain, fc.nat(9), fc.nat(40), fc.nat(40), (values, offset, start, length) => {
      const memory = new Uint8Array(offset + values.length).fill(0x22);
      const bytes = memory.subarray(offset);
      bytes.set(values);
      const end = Math.min(values.length, start + length);
      const from = Math.min(start, end);
      assert.equal(isPlainText(bytes, from, end), isPlainByJson(bytes.subarray(from, end)));
    }),
    { numRuns: 5000 },
  );
});

test('a buffer that is larger than any that is read into, and one that changes under the view', () => {
  const large = new Uint8Array(200_001).fill(0x61);
  assert.equal(isPlainText(large, 0, large.length), true);
  large[150_003] = 0x5c;
  assert.equal(isPlainText(large, 0, large.length), false);
  assert.equal(isPlainText(large, 150_004, large.length), true);
  const read = new Uint8Array(64).fill(0x61);
  assert.equal(isPlainText(read, 1, 63), true);
  read[30] = 0x1f;
  assert.equal(isPlainText(read, 1, 63), false);
});
