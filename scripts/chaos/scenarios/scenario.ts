// seam · what a scenario is: which faults when, under which settings, and what passes.
// Must never decide by itself whether a run was good: its criteria do, and they are the judge's.

import type { Draft } from '../draft.ts';
import type { Criterion } from '../judge/criterion.ts';
import type { PhaseLengths, Plan } from '../plan.ts';

export type Scenario = {
  /** As it is given on the command line. */
  name: string;
  /** One line for people: what is done. */
  title: string;
  /** One line for people: when it passes, beyond what every scenario has to hold. */
  passes: string;
  /** Lengths that differ from the usual ones; `faultsMs` is what --duration changes. */
  phases: Partial<PhaseLengths> & { faultsMs: number };
  /** For Compose, for example `{ FAULTS: '1' }`. */
  settings?: Readonly<Record<string, string>>;
  /** How many servers each policy has at least. */
  minServers?: number;
  /** The clients try again for so long, in ms: for faults of the proxy itself, during which nobody could answer. */
  retryForMs?: number;
  /** Puts the faults into the draft; with the same draft always the same ones. */
  draft(draft: Draft): void;
  /** What has to hold besides the criteria of every scenario. */
  criteria(plan: Plan): readonly Criterion[];
};

/** The servers' control port is open, for faults inside them. */
export const WITH_FAULTS = { FAULTS: '1' } as const;
