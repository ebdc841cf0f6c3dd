// test · verdicts on replies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatError, formatLeave, formatRegistered, parsePacket } from '../shared/packet.ts';
import { judge, type Verdict } from './verify.ts';

const DIGEST = 'aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d';
const answer = (payload: string): string => JSON.stringify({ type: 2, srcid: 21, destid: 1, payload });

const VERDICTS: [string, string, string | null, Verdict['kind'], RegExp][] = [
  ['the right digest', answer(DIGEST), DIGEST, 'received', /21/],
  ['the right digest in capitals', answer(DIGEST.toUpperCase()), DIGEST, 'received', /21/],
  ['an answer with its type as a text', answer(DIGEST).replace('2', '"2"'), DIGEST, 'received', /21/],
  ['a wrong digest', answer(DIGEST.replace('a', 'b')), DIGEST, 'corrupted', /baf4c6.*should be aaf4c6/],
  ['an empty digest', answer(''), DIGEST, 'corrupted', /digest/],
  ['a digest of nothing that was sent', answer(DIGEST), null, 'corrupted', /no text payload/],
  [
    'an error',
    formatError('NO_SERVER', 'Nobody.'),
    DIGEST,
    'refused',
    /"NO_SERVER","sentence":"Nobody.","isRetryable":true/,
  ],
  ['no JSON', '{]}', DIGEST, 'corrupted', /can't be understood.*JSON/],
  ['a registration', formatRegistered(1, '1', 'boot'), DIGEST, 'corrupted', /can't be understood/],
  ['a packet that is no reply', formatLeave(1), DIGEST, 'corrupted', /no answer but a leave/],
];

for (const [name, reply, expected, kind, details] of VERDICTS) {
  test(`a reply: ${name}`, () => {
    const verdict = judge(parsePacket(reply), expected);
    assert.equal(verdict.kind, kind);
    assert.match(JSON.stringify(verdict), details);
  });
}
