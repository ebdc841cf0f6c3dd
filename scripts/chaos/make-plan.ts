// pure · scenario, seed and wishes → plan. The same arguments always give the same plan, byte for byte.

import { Random } from '../kit/random.ts';
import { Draft } from './draft.ts';
import type { PhaseLengths, Plan } from './plan.ts';
import type { Scenario } from './scenarios/scenario.ts';

const USUAL_PHASES: PhaseLengths = {
  warmUpMs: 3_000,
  controlMs: 6_000,
  faultsMs: 20_000,
  quietMs: 4_000,
  afterMs: 2_000,
};

// With one server a policy has nobody to turn to, and no fault of it could go unnoticed.
const USUAL_MIN_SERVERS = 2;

export type PlanWishes = {
  seed: number;
  /** Requests a second. */
  rate: number;
  policies: readonly string[];
  serversPerPolicy: number;
  /** Length of the fault phase instead of the scenario's own; null: the scenario's own. */
  faultsMs: number | null;
  /** Only servers of this policy are hit; null: any. */
  onlyPolicy: string | null;
};

/** Makes the plan of one run. */
export function makePlan(scenario: Scenario, wishes: PlanWishes): Plan {
  const phases = { ...USUAL_PHASES, ...scenario.phases };
  // A scenario without faults is as long as its control phase.
  if (wishes.faultsMs !== null && phases.faultsMs > 0) phases.faultsMs = wishes.faultsMs;
  else if (wishes.faultsMs !== null) phases.controlMs = wishes.faultsMs;
  const serversPerPolicy = Math.max(wishes.serversPerPolicy, scenario.minServers ?? USUAL_MIN_SERVERS);
  const draft = new Draft({
    random: new Random(wishes.seed),
    policies: wishes.policies,
    hitPolicies: wishes.onlyPolicy === null ? wishes.policies : [wishes.onlyPolicy],
    serversPerPolicy,
    lengthMs: phases.faultsMs,
  });
  scenario.draft(draft);
  return {
    version: 1,
    scenario: scenario.name,
    seed: wishes.seed,
    rate: wishes.rate,
    policies: wishes.policies,
    serversPerPolicy,
    retryForMs: scenario.retryForMs ?? 0,
    settings: { ...scenario.settings },
    phases,
    faults: draft.faults(phases.warmUpMs + phases.controlMs),
  };
}
