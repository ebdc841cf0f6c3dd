// pure · the table of scenarios, and what every one of them has to hold.
import { evictionsHaveCauses, falseEvictions } from '../judge/evictions.ts';
import type { Criterion } from '../judge/judge.ts';
import { othersUntouched } from '../judge/latency.ts';
import { misrouted } from '../judge/misrouted.ts';
import { inTime, noErrors, noLost, noServerOnly, noStray, noWrong } from '../judge/replies.ts';
import { backInNumbers, backInRotation, steadyState, tested } from '../judge/steady.ts';
import type { Plan } from '../plan.ts';
import { CRASHES } from './crashes.ts';
import { GRAY } from './gray.ts';
import { PROXIES } from './proxies.ts';
import type { Scenario } from './scenario.ts';
import { SWARM } from './swarm.ts';
import { WHOLE } from './whole.ts';

/** What `npm run chaos` does without --scenario. */
export const DEFAULT_SCENARIO = 'tour';

/** Every scenario. */
export const SCENARIOS: readonly Scenario[] = [...WHOLE, ...CRASHES, ...GRAY, ...PROXIES, ...SWARM];

const INVARIANTS: readonly Criterion[] = [
  noWrong,
  noStray,
  noLost,
  inTime,
  misrouted,
  falseEvictions,
  evictionsHaveCauses,
];

/** The scenario of that name; undefined when there is none. */
export function findScenario(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}

/** The scenario of a plan. @throws Error when there is none of its name */
export function scenarioOf({ scenario: name }: Pick<Plan, 'scenario'>): Scenario {
  const scenario = findScenario(name);
  if (scenario === undefined) throw new Error(`There is no scenario ${name}.`);
  return scenario;
}

/** Everything that a run of this plan is judged by: what is allowed beyond it, a scenario's own criteria say by name. */
export function criteriaOf(plan: Plan): readonly Criterion[] {
  const duringFaults = plan.faults.length > 0 ? [steadyState, othersUntouched] : [];
  // Swarm replaces what has ended, and starts nothing again.
  const back = scenarioOf(plan).engine === 'swarm' ? backInNumbers : backInRotation;
  return [tested, ...duringFaults, ...ownCriteria(plan), ...INVARIANTS, back];
}

/** Those of them that its scenario has of its own. */
export function ownCriteria(plan: Plan): readonly Criterion[] {
  const { mayRefuse, criteria } = scenarioOf(plan);
  return [mayRefuse ? noServerOnly : noErrors, ...(criteria?.(plan) ?? [])];
}
