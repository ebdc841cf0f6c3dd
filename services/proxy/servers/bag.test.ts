// test · a bag holds what a set would, and nothing that has gone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Bag, type BagMember } from './bag.ts';

test('property: it has the members that a set has', () => {
  const steps = fc.array(fc.record({ isAdded: fc.boolean(), which: fc.nat(9) }));
  fc.assert(
    fc.property(steps, (all) => {
      const known: BagMember[] = Array.from({ length: 10 }, () => ({ place: -1 }));
      const bag = new Bag<BagMember>();
      const set = new Set<BagMember>();
      for (const { isAdded, which } of all) {
        const member = known[which] as BagMember;
        if (!isAdded) {
          bag.delete(member);
          set.delete(member);
        } else if (!set.has(member)) {
          bag.add(member);
          set.add(member);
        }
        assert.equal(bag.size, set.size);
        assert.deepEqual(new Set(bag.members), set);
        assert.ok(bag.members.every((one, place) => one.place === place));
      }
    }),
  );
});
