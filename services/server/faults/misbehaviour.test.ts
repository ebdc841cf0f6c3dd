// test · the faults' state: what is taken, what is refused, what becomes of a request.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Misbehaviour, NO_FAULTS, parseExitCode, parseFaults } from './misbehaviour.ts';

const TAKEN: [string, Partial<typeof NO_FAULTS>][] = [
  ['{}', {}],
  ['{"delayMs":200}', { delayMs: 200 }],
  ['{"delayMs":60000,"burnMs":1000}', { delayMs: 60_000, burnMs: 1_000 }],
  [
    '{"lieProbability":0.05,"garbleProbability":1,"isMute":true}',
    { lieProbability: 0.05, garbleProbability: 1, isMute: true },
  ],
];

for (const [text, faults] of TAKEN) {
  test(`taken: ${text}, and the rest is off`, () => {
    assert.deepEqual(parseFaults(text), { ...NO_FAULTS, ...faults });
  });
}

const REFUSED: [string, RegExp][] = [
  ['', /not a JSON object.*delayMs/],
  ['[]', /not a JSON object/],
  ['null', /not a JSON object/],
  ['{"delayMs":60001}', /"delayMs" must be a number from 0 to 60000/],
  ['{"delayMs":-1}', /"delayMs"/],
  ['{"delayMs":"5"}', /"delayMs"/],
  ['{"delayMs":1e999}', /"delayMs"/],
  ['{"burnMs":1001}', /"burnMs" must be a number from 0 to 1000/],
  ['{"lieProbability":1.1}', /"lieProbability" must be a number from 0 to 1\./],
  ['{"garbleProbability":null}', /"garbleProbability"/],
  ['{"isMute":1}', /"isMute" must be true or false/],
  ['{"delayMs":1,"mute":true}', /"mute" is unknown.*isMute/],
  ['{"toString":1}', /"toString" is unknown/],
  ['{"__proto__":1}', /"__proto__" is unknown/],
];

for (const [text, sentence] of REFUSED) {
  test(`refused: ${text}`, () => {
    assert.match(String(parseFaults(text)), sentence);
  });
}

const EXITS: [string, number | RegExp][] = [
  ['{}', 1],
  ['{"code":0}', 0],
  ['{"code":255}', 255],
  ['{"code":256}', /"code" must be a whole number from 0 to 255/],
  ['{"code":1.5}', /"code"/],
  ['{"status":1}', /"status" is unknown: there is code/],
  ['1', /not a JSON object/],
];

for (const [text, wanted] of EXITS) {
  test(`exit: ${text}`, () => {
    const code = parseExitCode(text);
    if (wanted instanceof RegExp) assert.match(String(code), wanted);
    else assert.equal(code, wanted);
  });
}

test('a share of the answers is garbled, in turn cut off and no JSON, and a share of the others lies', () => {
  const misbehaviour = new Misbehaviour();
  const draws = [0.2, 0.1, 0.3, 0.9, 0.3, 0.5, 0.1, 0.9];
  const random = () => draws.shift() ?? assert.fail('one draw too many');
  misbehaviour.set({ ...NO_FAULTS, garbleProbability: 0.3, lieProbability: 0.6 });
  const conducts = Array.from({ length: 5 }, () => misbehaviour.decide(false, random));
  assert.deepEqual(conducts, ['truncated', 'noise', 'honest', 'lie', 'truncated']);
});

test('mute leaves probes alone, everything else does not', () => {
  const misbehaviour = new Misbehaviour();
  misbehaviour.set({ ...NO_FAULTS, isMute: true, lieProbability: 1 });
  assert.equal(
    misbehaviour.decide(false, () => 0),
    'mute',
  );
  assert.equal(
    misbehaviour.decide(true, () => 0),
    'lie',
  );
});

test('everything set to off is off', () => {
  const misbehaviour = new Misbehaviour();
  misbehaviour.set({ ...NO_FAULTS, burnMs: 1 });
  assert.equal(misbehaviour.isOn, true);
  misbehaviour.set({ ...NO_FAULTS });
  assert.equal(misbehaviour.isOn, false);
});
