import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SAMPLE, SAMPLE_ROOT } from '../../test-support/sample-profile.ts';
import { functionCosts, selfTimes } from './cpu-profile.ts';

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

test('a function is found over all its paths, and calling itself counts once', () => {
  const costs = functionCosts(SAMPLE);
  const costOf = (wanted: string) => costs.find(({ name }) => name === wanted);
  assert.deepEqual(costOf('#onData'), {
    name: '#onData',
    place: `${SAMPLE_ROOT}services/proxy/client.ts:132`,
    selfUs: 200,
    totalUs: 600,
  });
  assert.deepEqual([costOf('parsePacket')?.selfUs, costOf('parsePacket')?.totalUs], [200, 300]);
  assert.deepEqual([costOf('(anonymous)')?.selfUs, costOf('(idle)')?.selfUs], [100, 200]);
  assert.deepEqual([costOf('onStreamRead')?.selfUs, costOf('onStreamRead')?.totalUs], [0, 500]);
  assert.equal(costs[0]?.selfUs, 200);
  assert.equal(costOf('(root)')?.totalUs, 1000);
});
