// Plans: the same seed gives the same bytes, and no plan asks for what can't be done or must not be.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makePlan, type PlanWishes } from './make-plan.ts';
import { formatPlan, type Plan, type PlannedFault, policyOf, serviceOf } from './plan.ts';
import { SCENARIOS } from './scenarios/index.ts';

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed);
const WISHES: PlanWishes = {
  seed: 1,
  rate: 500,
  policies: ['1', '2', '3'],
  serversPerPolicy: 2,
  faultsMs: null,
  onlyPolicy: null,
};
/** Docker takes its time to start a container, and a server to be back in rotation. */
const BACK_MS = 3_000;
/** A restart is over when Docker says so. */
const RESTART_MS = 2_000;

/** Every replica that a fault touches; scaling touches none that is there already. */
function replicasOf({ kind, targets }: PlannedFault): readonly string[] {
  return kind === 'scale' ? [] : targets;
}

function endMs({ kind, atMs, forMs }: PlannedFault): number {
  return atMs + Math.max(forMs, kind === 'restart' ? RESTART_MS : 0);
}

function overlapping(plan: Plan, marginMs: number): string[] {
  return plan.faults.flatMap((fault, index) =>
    plan.faults
      .slice(index + 1)
      .filter((later) => later.atMs < endMs(fault) + marginMs)
      .flatMap((later) => replicasOf(later).filter((replica) => replicasOf(fault).includes(replica)))
      .map((replica) => `${replica} in fault ${fault.id} and a later one`),
  );
}

/** Moments at which no server of some policy is left alone. */
function emptied({ faults, policies, serversPerPolicy }: Plan): string[] {
  return faults.flatMap(({ atMs }) => {
    const hit = faults.filter((fault) => fault.atMs <= atMs && endMs(fault) > atMs).flatMap(replicasOf);
    return policies
      .filter((policy) => new Set(hit.filter((name) => policyOf(name) === policy)).size >= serversPerPolicy)
      .map((policy) => `policy ${policy} at ${atMs}`);
  });
}

for (const scenario of SCENARIOS) {
  describe(scenario.name, () => {
    const plans = SEEDS.map((seed) => makePlan(scenario, { ...WISHES, seed }));

    test('the same seed gives the same bytes, another seed another plan', () => {
      for (const seed of SEEDS) {
        const again = makePlan(scenario, { ...WISHES, seed });
        assert.equal(formatPlan(again), formatPlan(plans[seed] as Plan));
      }
      const different = new Set(plans.map(({ faults }) => JSON.stringify(faults)));
      assert.ok(scenario.name === 'control' || different.size > 1);
    });

    test('faults are numbered in the order of time, and lie within their phase', () => {
      for (const { faults, phases } of plans) {
        const fromMs = phases.warmUpMs + phases.controlMs;
        assert.deepEqual(
          faults.map(({ id }) => id),
          faults.map((_, index) => index + 1),
        );
        for (const [index, { atMs, forMs }] of faults.entries()) {
          assert.ok(atMs >= Math.max(fromMs, faults[index - 1]?.atMs ?? 0));
          assert.ok(atMs + forMs <= fromMs + phases.faultsMs, `ends at ${atMs + forMs}`);
        }
      }
    });

    test('targets are replicas of the cluster', () => {
      for (const { faults, policies, serversPerPolicy } of plans) {
        const servers = policies.flatMap((policy) =>
          Array.from({ length: serversPerPolicy }, (_, i) => `${serviceOf(policy)}-${i + 1}`),
        );
        const all = new Set([...servers, ...policies.map(serviceOf), 'proxy-1']);
        for (const { targets } of faults) for (const target of targets) assert.ok(all.has(target), target);
      }
    });

    test('nobody is hit while another fault holds it, or before it can be back', () => {
      const marginMs = scenario.name === 'pause-short' ? 0 : BACK_MS;
      for (const plan of plans) assert.deepEqual(overlapping(plan, marginMs), [], `seed ${plan.seed}`);
    });

    test('no policy loses its last server, unless that is what it is about', () => {
      if (scenario.name === 'kill-all') return;
      for (const plan of plans) assert.deepEqual(emptied(plan), [], `seed ${plan.seed}`);
    });

    test('--policy keeps to the servers of one policy', () => {
      for (const seed of SEEDS) {
        const { faults } = makePlan(scenario, { ...WISHES, seed, onlyPolicy: '2' });
        const policies = new Set(faults.flatMap(({ targets }) => targets.map(policyOf)));
        // Two servers that swap are of different policies by their nature; the proxy has none.
        const expected = scenario.name === 'swap' ? ['1', '2', '3'] : ['2', null];
        assert.ok([...policies].every((policy) => expected.includes(policy as string)));
      }
    });
  });
}

test('--duration sets the length of the part with faults; of control, that of the control phase', () => {
  for (const scenario of SCENARIOS) {
    const { phases } = makePlan(scenario, { ...WISHES, faultsMs: 45_000 });
    assert.equal(scenario.name === 'control' ? phases.controlMs : phases.faultsMs, 45_000);
  }
});

test('a scenario has as many servers as it needs, and more when there are more', () => {
  const swizzle = SCENARIOS.find(({ name }) => name === 'swizzle');
  assert.ok(swizzle);
  assert.equal(makePlan(swizzle, WISHES).serversPerPolicy, 3);
  assert.equal(makePlan(swizzle, { ...WISHES, serversPerPolicy: 5 }).serversPerPolicy, 5);
});
