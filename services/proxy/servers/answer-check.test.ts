import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAnswer, formatError, type Id } from '../../shared/packet.ts';
import { isAnswerTo } from './answer-check.ts';

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

for (const id of [
  0,
  1,
  111,
  -5,
  9_007_199_254_740_991,
  'a',
  '111',
  'zwölf',
  'q"uote',
  'back\\slash',
  '🦊',
  ' ',
]) {
  test(`an answer to ${JSON.stringify(id)} is one, to its neighbours it is not`, () => {
    const answer = latin1(formatAnswer(7, id, 'd'.repeat(40)));
    const spaced = latin1(JSON.stringify(JSON.parse(formatAnswer(7, id, '')), null, 2));
    for (const form of [answer, spaced]) {
      assert.equal(isAnswerTo(form, id), true);
      assert.equal(isAnswerTo(form, String(id)), true, 'compared as text');
      for (const other of [`${id}1`, `${id}`.slice(0, -1), `${id},`, 'x', 7] as Id[])
        assert.equal(isAnswerTo(form, other), false, String(other));
    }
  });
}

const OTHERS: [string, string, boolean][] = [
  ['without an id', '{"type":2,"srcid":1,"payload":"x"}', false],
  ['with the id of something inside', '{"type":2,"x":{"y":1},"destid":2,"payload":"x"}', false],
  ['with the id in its payload', '{"type":2,"destid":2,"payload":"\\"destid\\":1,"}', false],
  ['with no id that can be one', '{"type":2,"destid":null,"payload":"x"}', false],
  ['that is no JSON', '{"type":2,"destid":}', false],
  ['that is an error, for nobody named', formatError('BAD_JSON', 'No.'), true],
  ['that is an error for the asker', formatError('BAD_JSON', 'No.', { clientId: 1 }), true],
  ['that is an error for somebody else', formatError('BAD_JSON', 'No.', { clientId: 2 }), false],
];
for (const [name, answer, expected] of OTHERS) {
  test(`an answer ${name}`, () => assert.equal(isAnswerTo(answer, 1), expected));
}

for (const [asker, other, rest] of [
  ['Ã©', 'é', {}],
  ['5","x":"y', '5', { x: 'y' }],
] as const) {
  test(`an answer to ${other} is none to ${asker}, though the bytes look like it`, () => {
    assert.equal(isAnswerTo(latin1(JSON.stringify({ type: 2, destid: other, ...rest })), asker), false);
  });
}
