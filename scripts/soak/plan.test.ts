import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ACTION_KINDS, makePlan, POLICIES, SERVERS, SERVERS_PER_POLICY, SETTLE_MS } from './plan.ts';

const LENGTH_MS = 120_000;
const anySeed = fc.integer({ min: 0, max: 2 ** 31 - 1 });

test('the same seed means the same plan', () => {
  fc.assert(
    fc.property(anySeed, (seed) => {
      assert.deepEqual(makePlan(seed, LENGTH_MS), makePlan(seed, LENGTH_MS));
    }),
  );
});

test('another seed means another plan', () => {
  assert.notDeepEqual(makePlan(1, LENGTH_MS), makePlan(2, LENGTH_MS));
});

/** The actions on servers that are there all along. */
function hitsOf(seed: number) {
  return makePlan(seed, LENGTH_MS).flatMap((action) =>
    action.kind === 'kill' || action.kind === 'freeze' || action.kind === 'restart' ? [action] : [],
  );
}

test('at any time each policy has a server that was left alone for as long as it takes to recover', () => {
  fc.assert(
    fc.property(anySeed, (seed) => {
      const hits = hitsOf(seed);
      // What is broken changes at the beginning of an action only, so these moments are all there are.
      for (const { atMs } of hits) {
        const recent = hits.filter((one) => one.atMs <= atMs && atMs < one.atMs + one.lastsMs + SETTLE_MS);
        for (const policy of POLICIES) {
          const broken = new Set(recent.filter((one) => one.policy === policy).map(({ id }) => id));
          assert.ok(broken.size < SERVERS_PER_POLICY, `policy ${policy} at ${atMs} ms`);
        }
      }
    }),
  );
});

test('something is done about once a second, and in two minutes of every kind', () => {
  fc.assert(
    fc.property(anySeed, (seed) => {
      const plan = makePlan(seed, LENGTH_MS);
      assert.ok(plan.length >= 90 && plan.length <= 175, `${plan.length} actions`);
      const gaps = plan.slice(1).map(({ atMs }, at) => atMs - (plan[at]?.atMs ?? 0));
      assert.ok(Math.max(...gaps) <= 1_300);
    }),
  );
  const kinds = new Set(makePlan(1, LENGTH_MS).map(({ kind }) => kind));
  assert.deepEqual([...kinds].toSorted(), ACTION_KINDS.toSorted());
});

test('a server is hit under the policy that it serves', () => {
  const policies = new Map(SERVERS.map(({ id, policy }) => [id, policy]));
  for (const { id, policy } of hitsOf(3)) assert.equal(policy, policies.get(id));
});
