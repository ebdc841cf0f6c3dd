// shell · which plans a command line asks for: one of each scenario, or one that was kept.
import { UsageError } from '../../services/shared/config.ts';
import { wholeClusterSize } from '../cluster/cluster.ts';
import { makePlan } from './make-plan.ts';
import type { ChaosOptions } from './options.ts';
import { type Plan, POLICIES } from './plan.ts';
import { readPlan } from './read-plan.ts';
import { findScenario } from './scenarios/index.ts';
import type { Scenario } from './scenarios/scenario.ts';

/** With all the others the soak takes three minutes instead of ten. */
const SHORT_SOAK_MS = 180_000;

/**
 * The plans, in the order in which they are to be carried out.
 * @throws UsageError when a plan.json is not one
 */
export async function plansOf(options: ChaosOptions): Promise<Plan[]> {
  if (options.replayFile !== null) return [await readPlan(options.replayFile)];
  const { seed, rate, durationSeconds, onlyPolicy, isAll } = options;
  const serversPerPolicy = wholeClusterSize() / POLICIES.length;
  return options.scenarios.map((name) => {
    const scenario = findScenario(name) as Scenario;
    const ownMs = durationSeconds === null ? null : durationSeconds * 1000;
    const faultsMs = isAll && name === 'soak' ? SHORT_SOAK_MS : ownMs;
    const wishes = { seed, rate, policies: POLICIES, serversPerPolicy, faultsMs, onlyPolicy };
    return requireFaults(makePlan(scenario, wishes), durationSeconds);
  });
}

function requireFaults(plan: Plan, durationSeconds: number | null): Plan {
  if (plan.faults.length > 0 || plan.phases.faultsMs === 0) return plan;
  throw new UsageError(
    `${plan.scenario} has no fault within ${durationSeconds} s: give it a longer --duration.`,
  );
}
