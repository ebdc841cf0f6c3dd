// pure · the table of scenarios, in the order of `--scenario all`; CONTRIBUTING says how to add one.
import { CRASHES } from './crashes.ts';
import { GRAY } from './gray.ts';
import { HANGS } from './hangs.ts';
import type { Scenario } from './scenario.ts';
import { WHOLE } from './whole.ts';

/** What `npm run chaos` does when it is not told. */
export const DEFAULT_SCENARIO = 'tour';

// What needs the same settings comes one after the other: the cluster is set up anew for each change.
const ORDER = [
  'control',
  'kill',
  'kill-all',
  'stop',
  'rolling-restart',
  'restart',
  'pause',
  'pause-short',
  'flap',
  'partition',
  'swap',
  'scale',
  'proxy-stop',
  'proxy-kill',
  'tour',
  'kill-all-but-one',
  'swizzle',
  'slow',
  'throttle',
  'mute',
  'garble',
  'crash-loop',
  'lie',
  'soak',
];

const ALL = [...WHOLE, ...CRASHES, ...HANGS, ...GRAY];

/** Every scenario. */
export const SCENARIOS: readonly Scenario[] = ALL.toSorted((a, b) => placeOf(a) - placeOf(b));

/** The scenario of that name; undefined when there is none. */
export function findScenario(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}

function placeOf({ name }: Scenario): number {
  const at = ORDER.indexOf(name);
  return at === -1 ? ORDER.length : at;
}
