import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RoundRobin } from './round-robin.ts';

type Member = { name: string; order: number; isFull: boolean; claim: () => boolean };
const member = (name: string, order: number): Member => ({
  name,
  order,
  isFull: false,
  claim: () => true,
});
const picks = (rotation: RoundRobin<Member>, count: number, excluded: Member[] | null = null): string =>
  Array.from({ length: count }, () => rotation.pick(excluded)?.name ?? '-').join('');

function rotationOf(names: string): { rotation: RoundRobin<Member>; members: Member[] } {
  const rotation = new RoundRobin<Member>();
  const members = [...names].map((name, order) => member(name, order));
  for (const one of members) rotation.add(one);
  return { rotation, members };
}

test('with servers 1 and 2, five requests go 1, 2, 1, 2, 1', () => {
  assert.equal(picks(rotationOf('12').rotation, 5), '12121');
});

test('an empty rotation picks nobody', () => {
  assert.equal(new RoundRobin<Member>().pick(), null);
});

test('looking is free: only picking moves the index', () => {
  const { rotation } = rotationOf('abc');
  rotation.pick();
  for (let looked = 0; looked < 10; looked += 1) assert.equal(rotation.nextIndex, 1);
  assert.equal(rotation.members.length, 3);
  assert.equal(picks(rotation, 3), 'bca');
});

test('eviction sets the index to 0', () => {
  const { rotation, members } = rotationOf('abc');
  assert.equal(picks(rotation, 2), 'ab');
  rotation.evict(members[1] as Member);
  assert.equal(rotation.nextIndex, 0);
  assert.equal(picks(rotation, 4), 'acac');
});

test('taking somebody out for a while keeps whose turn it is, and the place in the order', () => {
  const { rotation, members } = rotationOf('abcd');
  assert.equal(picks(rotation, 2), 'ab');
  rotation.remove(members[0] as Member);
  assert.equal(picks(rotation, 1), 'c');
  rotation.add(members[0] as Member);
  assert.equal(picks(rotation, 5), 'dabcd');
});

test('somebody who comes in exactly where the turn stands gets it', () => {
  const { rotation, members } = rotationOf('abc');
  rotation.remove(members[1] as Member);
  assert.equal(picks(rotation, 1), 'a');
  rotation.add(members[1] as Member);
  assert.equal(picks(rotation, 3), 'bca');
});

test('there is room as long as a pick would find somebody, and looking picks nobody', () => {
  const { rotation, members } = rotationOf('abc');
  const [a, b, c] = members as [Member, Member, Member];
  b.isFull = true;
  assert.deepEqual(
    [rotation.hasRoom(), rotation.hasRoom([a]), rotation.hasRoom([a, c])],
    [true, true, false],
  );
  assert.equal(new RoundRobin<Member>().hasRoom(), false);
  assert.equal(rotation.nextIndex, 0);
});

test('removing the last in the list while it is its turn wraps round', () => {
  const { rotation, members } = rotationOf('abc');
  picks(rotation, 2);
  rotation.remove(members[2] as Member);
  assert.equal(picks(rotation, 2), 'ab');
});

test('adding twice and removing a stranger change nothing', () => {
  const { rotation, members } = rotationOf('ab');
  rotation.add(members[0] as Member);
  rotation.remove(member('x', 9));
  assert.equal(picks(rotation, 4), 'abab');
});

test('a full server is passed over, and the turn goes on behind the one that was picked', () => {
  const { rotation, members } = rotationOf('abc');
  (members[0] as Member).isFull = true;
  assert.equal(picks(rotation, 3), 'bcb');
  (members[0] as Member).isFull = false;
  assert.equal(picks(rotation, 2), 'ca');
});

test('a retry goes to the next server that has not been tried', () => {
  const { rotation, members } = rotationOf('abc');
  const [a, b, c] = members as [Member, Member, Member];
  assert.equal(picks(rotation, 1), 'a');
  assert.equal(rotation.pick([a])?.name, 'b');
  assert.equal(rotation.pick([a, b])?.name, 'c');
  assert.equal(rotation.pick([a, b, c]), null);
  assert.equal(rotation.nextIndex, 0);
});

test('property: over n whole rounds every member that stays is picked n times, whatever came and went before', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom('add', 'remove', 'evict', 'pick'), fc.nat(5)));
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 4 }), (history, rounds) => {
      const rotation = new RoundRobin<Member>();
      const members = [...'abcdef'].map((name, order) => member(name, order));
      for (const [action, index] of history) {
        if (action === 'pick') rotation.pick();
        else rotation[action as 'add' | 'remove' | 'evict'](members[index] as Member);
        assert.ok(rotation.nextIndex === 0 || rotation.nextIndex < rotation.members.length);
      }
      const served = picks(rotation, rounds * rotation.members.length);
      for (const { name } of rotation.members) assert.equal(served.split(name).length - 1, rounds);
      const orders = rotation.members.map(({ order }) => order);
      assert.deepEqual(orders, [...orders].sort());
    }),
  );
});
