// pure · what `--list` prints. Must never name a scenario or a fault that is not in the tables.
import { FAULTS } from './faults/index.ts';
import { FAULT_KINDS } from './plan.ts';
import { DEFAULT_SCENARIO, SCENARIOS } from './scenarios/index.ts';
import type { Scenario } from './scenarios/scenario.ts';

/** Scenarios and faults, for people. */
export function formatList(): string {
  const width = Math.max(
    ...SCENARIOS.map(({ name }) => name.length),
    ...FAULT_KINDS.map((kind) => kind.length),
  );
  const row = (name: string, text: string): string => `  ${name.padEnd(width)}  ${text}`;
  return [
    `Scenarios (--scenario NAME; without it: ${DEFAULT_SCENARIO})`,
    ...SCENARIOS.flatMap((scenario) => [
      row(scenario.name, `${scenario.title} (${lengthOf(scenario)})`),
      row('', `passes: ${scenario.passes}`),
    ]),
    '',
    'Faults',
    ...FAULT_KINDS.map((kind) => row(kind, `${FAULTS[kind].title}: ${FAULTS[kind].like}`)),
  ].join('\n');
}

function lengthOf({ phases, settings }: Scenario): string {
  const seconds = (phases.faultsMs || (phases.controlMs ?? 0)) / 1000;
  return settings?.FAULTS === '1' ? `${seconds} s, with the servers' control port` : `${seconds} s`;
}
