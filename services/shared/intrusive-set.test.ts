// test · it holds what a set would, and nothing that has gone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IntrusiveSet, type SetMember } from './intrusive-set.ts';

test('property: it has the members that a set has', () => {
  const steps = fc.array(fc.record({ isAdded: fc.boolean(), which: fc.nat(9) }));
  fc.assert(
    fc.property(steps, (all) => {
      const known: SetMember[] = Array.from({ length: 10 }, () => ({ place: -1 }));
      const own = new IntrusiveSet<SetMember>();
      const set = new Set<SetMember>();
      for (const { isAdded, which } of all) {
        const member = known[which] as SetMember;
        if (!isAdded) {
          own.delete(member);
          set.delete(member);
        } else if (!set.has(member)) {
          own.add(member);
          set.add(member);
        }
        assert.equal(own.size, set.size);
        assert.deepEqual(new Set(own.members), set);
        assert.ok(own.members.every((one, place) => one.place === place));
      }
    }),
  );
});
