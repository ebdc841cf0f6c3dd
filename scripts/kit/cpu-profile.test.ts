import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SAMPLE } from '../../test-support/sample-profile.ts';
import { cutProfile, parseProfile, selfTimes } from './cpu-profile.ts';

test('a sample lasts until the next one', () => {
  const times = selfTimes(SAMPLE);
  assert.equal(times.get(3), 200);
  assert.equal(times.get(13), 100);
  assert.equal(times.get(1), undefined);
});

test('samples that were noted in another order count from their own times', () => {
  const times = selfTimes({ ...SAMPLE, samples: [2, 3, 5], timeDeltas: [0, 500, -300] });
  assert.deepEqual(Object.fromEntries(times), { 2: 200, 5: 300, 3: 500 });
});

test('a cut keeps what was on a stack in its time, and the time as a whole', () => {
  const cut = cutProfile(SAMPLE, { fromUs: 1350, toUs: 1650 });
  // 7 was on top when the time began.
  assert.deepEqual(cut.samples, [7, 12, 3, 3]);
  assert.deepEqual(cut.timeDeltas, [0, 50, 100, 100]);
  assert.deepEqual(Object.fromEntries(selfTimes(cut)), { 7: 50, 12: 100, 3: 150 });
  assert.deepEqual(
    cut.nodes.map(({ id, hitCount, children }) => ({ id, hitCount, children })),
    [
      { id: 1, hitCount: 0, children: [3, 4] },
      { id: 3, hitCount: 2, children: [] },
      { id: 4, hitCount: 0, children: [6] },
      { id: 6, hitCount: 0, children: [7] },
      { id: 7, hitCount: 1, children: [12] },
      { id: 12, hitCount: 1, children: [] },
    ],
  );
});

for (const { fromUs, toUs } of [
  { fromUs: 999, toUs: 1500 },
  { fromUs: 1500, toUs: 2001 },
  { fromUs: 1500, toUs: 1500 },
  { fromUs: Number.NaN, toUs: 1500 },
]) {
  test(`a span that the profile does not cover is refused: ${fromUs} to ${toUs}`, () => {
    assert.throws(() => cutProfile(SAMPLE, { fromUs, toUs }), RangeError);
  });
}

test('a profile is read as it is written, and anything else is refused', () => {
  assert.deepEqual(parseProfile(JSON.stringify(SAMPLE)), SAMPLE);
  for (const broken of [{}, { ...SAMPLE, samples: [1] }, { ...SAMPLE, startTime: null }]) {
    assert.throws(() => parseProfile(JSON.stringify(broken)), SyntaxError);
  }
});
