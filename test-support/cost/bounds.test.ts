import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bounds, type Measured, makeBounds, objectionTo } from './bounds.ts';

const PER_REQUEST = { heapBytes: 1000, systemCalls: 10, readsAndWrites: 5 };
const NODE = process.versions.node;
const BOUNDS: Bounds = {
  node: NODE,
  perRequest: { oneshot: PER_REQUEST, keep: PER_REQUEST, pipelined: PER_REQUEST },
};
const value = (amount: number, note = '') => ({ value: amount, note });
const unknown = (note: string) => ({ value: null, note });
const GOOD = { heapBytes: value(900), systemCalls: value(9.8), readsAndWrites: value(5) };

function measured(oneshot: Partial<Measured['oneshot']>): Measured {
  return { oneshot: { ...GOOD, ...oneshot }, keep: GOOD, pipelined: GOOD };
}

test('a value at the bound, and one that is not measured, are no objection', () => {
  assert.equal(objectionTo('oneshot', 'systemCalls', value(10), BOUNDS), null);
  assert.equal(objectionTo('oneshot', 'systemCalls', unknown('no strace'), BOUNDS), null);
});

test('an objection says how much is over, where to look and what to do', () => {
  const text = objectionTo('oneshot', 'systemCalls', value(12.5, 'read 9, write 3.5'), BOUNDS) ?? '';
  assert.match(text, /^oneshot: a request costs the proxy 12\.5 system calls \(read 9, write 3\.5\)/);
  assert.match(text, /and the bound is 10\.0: 25 % over it\./);
  assert.match(text, /npm run profile -- --mode oneshot/);
  assert.match(text, /RENEW_BOUNDS=1 node --test test-support\/cost\/cost\.test\.ts$/);
  assert.doesNotMatch(text, /Node/);
  const other = objectionTo('keep', 'heapBytes', value(1001), { ...BOUNDS, node: '24.0.0' }) ?? '';
  assert.match(other, new RegExp(`The bound is from Node 24\\.0\\.0, this is ${NODE}`));
});

test('new bounds lie above the highest value of all runs, and an unmeasured one stays', () => {
  const runs = [
    measured({ heapBytes: value(1001), systemCalls: unknown('no strace') }),
    measured({ heapBytes: value(995) }),
  ];
  const { node, perRequest } = makeBounds(runs.slice(0, 1), { ...BOUNDS, node: '24.0.0' });
  assert.equal(node, NODE);
  assert.deepEqual(perRequest.oneshot, { heapBytes: 1090, systemCalls: 10, readsAndWrites: 5.4 });
  assert.equal(makeBounds(runs, BOUNDS).perRequest.oneshot.systemCalls, 10.29);
});
