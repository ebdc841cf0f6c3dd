import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LonePlaces } from './lone-places.ts';

function fill(places: LonePlaces, policy: string): number {
  let taken = 0;
  for (; places.hasRoom(policy); taken += 1) places.take(policy);
  return taken;
}

test('a policy that takes all it can get leaves some to each other one', () => {
  const places = new LonePlaces(() => 64);
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e'].map((policy) => fill(places, policy)),
    [48, 12, 3, 1, 1],
  );
});

test('what is given back is free again', () => {
  const places = new LonePlaces(() => 8);
  for (let round = 0; round < 3; round += 1) {
    const taken = fill(places, 'a');
    assert.equal(taken, 6);
    for (let at = 0; at < taken; at += 1) places.giveBack('a');
  }
});

test('where there are fewer by now, nobody gets more, but one that has none gets one', () => {
  let limit = 8;
  const places = new LonePlaces(() => limit);
  fill(places, 'a');
  limit = 1;
  assert.deepEqual([places.hasRoom('a'), places.hasRoom('b')], [false, true]);
});
