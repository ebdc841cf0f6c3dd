// pure · what every scenario has to hold, whatever it does; the scenario's own criteria come on top.
// Must never be weaker for one scenario than for another: allowances are made where they are needed, by name.
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
import { findScenario } from './index.ts';

const INVARIANTS: readonly Criterion[] = [
  noWrong(),
  noStray(),
  noLost(),
  inTime(),
  misrouted(),
  falseEvictions(),
  backInRotation(),
];

/**
 * Everything that a run of this plan is judged by.
 * @throws Error when nobody knows its scenario
 */
export function criteriaOf(plan: Plan): readonly Criterion[] {
  const scenario = findScenario(plan.scenario);
  if (scenario === undefined) throw new Error(`There is no scenario ${plan.scenario}.`);
  const duringFaults = plan.faults.length > 0 ? [steadyState(), othersUntouched()] : [];
  return [tested(), ...duringFaults, ...scenario.criteria(plan), ...INVARIANTS];
}
