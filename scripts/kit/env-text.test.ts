import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upsertEnv } from './env-text.ts';

const cases: [what: string, text: string, settings: Record<string, string>, result: string][] = [
  ['an empty file', '', { A: '1', B: '2' }, 'A=1\nB=2\n'],
  ['other lines stay', '# mine\nC=3\n', { A: '1' }, '# mine\nC=3\nA=1\n'],
  ['no line end at the end', 'C=3', { A: '1' }, 'C=3\nA=1\n'],
  ['in place', 'A=0\nC=3\n', { A: '1' }, 'A=1\nC=3\n'],
  ['exported and with spaces', 'export A = "0"\nC=3\n', { A: '1' }, 'A=1\nC=3\n'],
  ['a name that only begins alike', 'AB=0\n', { A: '1' }, 'AB=0\nA=1\n'],
  ['a comment is not a setting', '# A=0\n', { A: '1' }, '# A=0\nA=1\n'],
  ['a value with a replacement pattern', 'A=0\n', { A: '$&$1' }, "A='$&$1'\n"],
  ['nothing to change', 'A=1\n', { A: '1' }, 'A=1\n'],
];
for (const [what, text, settings, result] of cases) {
  test(`.env: ${what}`, () => assert.equal(upsertEnv(text, settings), result));
}
