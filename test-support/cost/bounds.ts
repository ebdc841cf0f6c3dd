// pure · what a request may cost the proxy: measured values against bounds, and new bounds from measured values.
import { count, decimal } from '../../scripts/kit/words.ts';

/** How requests are sent; `measure.ts` says how many. */
export const SCENARIOS = ['oneshot', 'keep', 'pipelined'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export const MEASURES = ['heapBytes', 'systemCalls', 'readsAndWrites'] as const;
export type Measure = (typeof MEASURES)[number];

export const MEASURE_WORDS: Readonly<Record<Measure, string>> = {
  heapBytes: 'bytes of JavaScript heap',
  systemCalls: 'system calls',
  readsAndWrites: 'reads and writes',
};

/** What `bounds.json` holds. */
export type Bounds = {
  /** The version of Node that they were measured with: it allocates as well. */
  node: string;
  perRequest: Record<Scenario, Record<Measure, number>>;
};

/** Per request; the note says what a value is made of, or why it can't be measured here. */
export type Value = { value: number | null; note: string };
export type Measured = Record<Scenario, Record<Measure, Value>>;

// Calls are counted exactly: one more of the dozen or so that a request takes has to be seen. Bytes vary by less than one
// percent from run to run, and somewhat more from one version of Node to the next.
const MARGINS: Readonly<Record<Measure, number>> = {
  heapBytes: 1.08,
  systemCalls: 1.05,
  readsAndWrites: 1.08,
};

/** Why a measured value is over its bound and what to do about it; null when it is not over. */
export function objectionTo(
  scenario: Scenario,
  measure: Measure,
  { value, note }: Value,
  { perRequest, node }: Bounds,
): string | null {
  const bound = perRequest[scenario][measure];
  if (value === null || value <= bound) return null;
  const parts = note === '' ? '' : ` (${note})`;
  const percents = Math.ceil((100 * value) / bound) - 100;
  const own = process.versions.node;
  return [
    `${scenario}: a request costs the proxy ${amount(value)} ${MEASURE_WORDS[measure]}${parts}, and the bound is ${amount(bound)}: ${percents} % over it.`,
    ...(own === node ? [] : [`The bound is from Node ${node}, this is ${own}: that may be why.`]),
    `Where it goes: npm run profile -- --mode ${scenario === 'oneshot' ? 'oneshot' : 'keep'}.`,
    'If the cost is wanted, renew the bounds in the same commit and say why: RENEW_BOUNDS=1 node --test test-support/cost/cost.test.ts',
  ].join(' ');
}

/**
 * Bounds with a margin above the highest of several runs.
 * @param runs   at least one
 * @param before where nothing was measured, these stay
 */
export function makeBounds(runs: readonly Measured[], before: Bounds): Bounds {
  const boundOf = (scenario: Scenario, measure: Measure): number => {
    const values = runs.map((run) => run[scenario][measure].value).filter((value) => value !== null);
    if (values.length === 0) return before.perRequest[scenario][measure];
    return roundUp(Math.max(...values) * MARGINS[measure]);
  };
  const costs = SCENARIOS.map((scenario) => {
    return [scenario, Object.fromEntries(MEASURES.map((measure) => [measure, boundOf(scenario, measure)]))];
  });
  return { node: process.versions.node, perRequest: Object.fromEntries(costs) as Bounds['perRequest'] };
}

// What binary fractions leave behind the last decimal is no reason to go up.
function roundUp(value: number): number {
  if (value >= 100) return Math.ceil(value / 10) * 10;
  return Math.ceil(value * 1000 - 1e-6) / 1000;
}

function amount(value: number): string {
  return value >= 100 ? count(value) : value >= 1 ? decimal(value) : value.toFixed(3);
}
