// pure · the table of scenarios, in the order of `--scenario all`, and what every one of them has to hold.
import {
  backInRotation,
  type Criterion,
  falseEvictions,
  inTime,
  misrouted,
  noLost,
  noStray,
  noWrong,
  othersUntouched,
  steadyState,
  tested,
} from '../judge/criteria.ts';
import type { Plan } from '../plan.ts';
import { CRASHES } from './crashes.ts';
import { GRAY } from './gray.ts';
import type { Scenario } from './scenario.ts';
import { WHOLE } from './whole.ts';

/** What `npm run chaos` does without --scenario. */
export const DEFAULT_SCENARIO = 'tour';

/** Every scenario. Those with the same settings come one after the other: each change sets the cluster up anew. */
export const SCENARIOS: readonly Scenario[] = [...WHOLE, ...CRASHES, ...GRAY].toSorted(
  (a, b) => settingsOf(a) - settingsOf(b),
);

const INVARIANTS: readonly Criterion[] = [
  noWrong(),
  noStray(),
  noLost(),
  inTime(),
  misrouted(),
  falseEvictions(),
  backInRotation(),
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
  const duringFaults = plan.faults.length > 0 ? [steadyState(), othersUntouched()] : [];
  return [tested(), ...duringFaults, ...scenarioOf(plan).criteria(plan), ...INVARIANTS];
}

// The number of settings first, then that of servers.
function settingsOf({ settings = {}, minServers = 0 }: Scenario): number {
  return Object.keys(settings).length * 100 + minServers;
}
