// test · what a peer has sent moves no cursor, begins no line and turns no text round, and can still be read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePrintable, printable, printableLines } from './printable.ts';

// What Unicode calls a control character, a line or paragraph separator, or one that directs text.
const STEERS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

test('every character that steers a terminal is escaped, and no other', () => {
  for (let code = 0; code < 0x11_0000; code += 1) {
    const character = String.fromCodePoint(code);
    const shown = printable(`a${character}b`);
    if (!STEERS.test(character)) assert.equal(shown, `a${character}b`);
    else assert.match(shown, /^a\\([bfnrt]|u[0-9a-f]{4})b$/);
  }
});

test('property: what was sent can be told from what is shown', () => {
  const steering = fc.constantFrom(...'\n\u001b\u007f\u009b\u061c\u200e\u2028\u202e\u2066\u2069');
  fc.assert(
    fc.property(fc.array(fc.oneof(steering, fc.constantFrom('a', ' ', 'é', '漢', '🙂'))), (characters) => {
      const text = characters.join('');
      const shown = printable(text);
      assert.ok(!STEERS.test(shown));
      assert.equal(JSON.parse(`"${shown}"`), text);
    }),
  );
});

test('a document of JSON on one line stays the same document', () => {
  const value = { 'a\u009b': ['\u202e', '\n', '\u007f"', 7] };
  const shown = printable(JSON.stringify(value));
  assert.ok(!STEERS.test(shown));
  assert.deepEqual(JSON.parse(shown), value);
});

test('a document of JSON that is read to be shown has printable texts, however deep', () => {
  const value = parsePrintable('{"why":"a\\u001bb","servers":[{"id":"\\u202e"},7,null]}');
  assert.deepEqual(value, { why: String.raw`a\u001bb`, servers: [{ id: String.raw`\u202e` }, 7, null] });
});

test('lines stay lines', () => {
  assert.equal(printableLines('a\u001b\n\r\n\u202e'), 'a\\u001b\n\\r\n\\u202e');
});
