// pure · what a person reads of simulated worlds. Must never leave out how to see a failure again.
import { addReached, type Reached } from './sometimes.ts';
import type { SeedOutcome } from './threads.ts';

const LOG_LINES = 40;

export type Tally = {
  seeds: number;
  steps: number;
  requests: number;
  simulatedMs: number;
  failures: SeedOutcome[];
  /** What the worlds have reached, and how often. */
  reached: Reached;
};

export function newTally(): Tally {
  return { seeds: 0, steps: 0, requests: 0, simulatedMs: 0, failures: [], reached: {} };
}

/** Counts one more seed in. */
export function addOutcome(tally: Tally, outcome: SeedOutcome): void {
  tally.seeds += 1;
  tally.steps += outcome.steps;
  tally.requests += outcome.requests;
  tally.simulatedMs += outcome.simulatedMs;
  addReached(tally.reached, outcome.reached);
  if (outcome.violation !== null) tally.failures.push(outcome);
}

/** Of those with a promise broken, the one with the lowest seed. */
export function firstFailure({ failures }: Tally): SeedOutcome | undefined {
  return failures.toSorted((a, b) => a.seed - b.seed)[0];
}

/** "1,000 seeds: 512,000 requests in 5.1 simulated hours". */
export function formatTally({ seeds, requests, simulatedMs }: Tally): string {
  const hours = (simulatedMs / 3_600_000).toFixed(1);
  return `${seeds.toLocaleString('en')} seeds: ${requests.toLocaleString('en')} requests in ${hours} simulated hours`;
}

/** What was violated in a seed, the end of its log, and how to see it again. */
export function formatFailure(
  { seed, violation }: SeedOutcome,
  trace: readonly string[],
  cause: string | null,
): string {
  if (violation === null) return '';
  const { invariant, detail, atMs } = violation;
  return [
    `Seed ${seed}, after ${(atMs / 1000).toFixed(3)} simulated seconds: ${invariant}`,
    `  ${detail}`,
    '',
    `The last ${Math.min(LOG_LINES, trace.length)} of ${trace.length} lines of its log:`,
    ...trace.slice(-LOG_LINES).map((line) => `  ${line}`),
    '',
    `All of it, the same each time: npm run simulate -- --seed ${seed}${cause === null ? '' : ` --cause ${cause}`} --trace`,
  ].join('\n');
}
