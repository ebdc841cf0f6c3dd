import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { UsageError } from './config.ts';
import { isProof, proofOf, readToken } from './proof.ts';

const folder = mkdtempSync(join(tmpdir(), 'proof-'));
after(() => rmSync(folder, { recursive: true }));

const CLAIM = { id: 1, policy: '2', listenPort: 9000, incarnation: null };
const TOKEN = Buffer.from('0123456789abcdef');

test('a proof is what RFC 2104 makes of the claim', () => {
  // printf '["policy-proxy registration 1","n","1","2",9000,null]' | openssl dgst -sha256 -hmac 0123456789abcdef
  assert.equal(
    proofOf(TOKEN, 'n', CLAIM),
    '6cbb13bc31caa897bbbf0d166016ef5451e30fc8706345ed0f80557ce5ce7e27',
  );
});

test('an id is the same as a number and as a text', () => {
  assert.ok(isProof(proofOf(TOKEN, 'n', { ...CLAIM, id: '1' }), TOKEN, 'n', CLAIM));
});

test('claims that read alike are not', () => {
  const one = proofOf(TOKEN, 'n', { ...CLAIM, id: '1","2' });
  assert.notEqual(one, proofOf(TOKEN, 'n', { ...CLAIM, policy: '2","2' }));
});

function fileWith(text: string): string {
  const file = join(folder, 'token');
  writeFileSync(file, text);
  return file;
}

test('a token file counts from where npm was called', (t) => {
  const { INIT_CWD } = process.env;
  t.after(() => {
    if (INIT_CWD === undefined) delete process.env.INIT_CWD;
    else process.env.INIT_CWD = INIT_CWD;
  });
  const file = fileWith('0123456789abcdef\n');
  process.env.INIT_CWD = dirname(file);
  assert.deepEqual(readToken('--register-token-file', basename(file)), TOKEN);
});

test('a token is read without the white space around it', () => {
  assert.deepEqual(readToken('--register-token-file', fileWith('  0123456789abcdef\n')), TOKEN);
});

for (const [name, file, sentence] of [
  ['a file that is not there', () => join(folder, 'none'), /can't be read \(ENOENT\)/],
  ['a folder', () => folder, /can't be read \(EISDIR\)/],
  ['an empty file', () => fileWith('\n'), /has 0 bytes of a token/],
  ['a short token', () => fileWith('secret'), /has 6 bytes of a token, and at least 16/],
] as [string, () => string, RegExp][]) {
  test(`refuses ${name}`, () => {
    assert.throws(
      () => readToken('--register-token-file', file()),
      (error) => error instanceof UsageError && sentence.test(error.message),
    );
  });
}
