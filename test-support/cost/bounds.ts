// pure · what a request may cost: measured values against bounds, and new bounds from measured values.
// Must never pass a value that was not measured off as one that is within its bound.

/** How requests are sent; `scenarios.ts` says how many. */
export const SCENARIOS = ['oneshot', 'keep', 'pipelined'] as const;
export type Scenario = (typeof SCENARIOS)[number];

const MEASURES = ['heapBytes', 'systemCalls', 'readsAndWrites'] as const;
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

/** Per request; the note says what a value is made of, or why there is none. */
export type Value = { value: number | null; note: string };
export type Measured = Record<Scenario, Record<Measure, Value>>;

export type Finding = Value & {
  scenario: Scenario;
  measure: Measure;
  bound: number;
  verdict: 'within' | 'over' | 'not measured';
};

// Calls are counted exactly: one more of the dozen or so that a request takes has to be seen. Bytes vary by less than one
// percent from run to run, and somewhat more from one version of Node to the next.
const MARGINS: Readonly<Record<Measure, number>> = {
  heapBytes: 1.08,
  systemCalls: 1.05,
  readsAndWrites: 1.08,
};
const LOOSE_BELOW = 0.8;

/** One finding for each bound. */
export function judge(measured: Measured, { perRequest }: Bounds): Finding[] {
  return SCENARIOS.flatMap((scenario) =>
    MEASURES.map((measure): Finding => {
      const bound = perRequest[scenario][measure];
      const { value, note } = measured[scenario][measure];
      const verdict = value === null ? 'not measured' : value <= bound ? 'within' : 'over';
      return { scenario, measure, bound, value, note, verdict };
    }),
  );
}

/** Whether so little is used of a bound that it would not notice a slow-down. */
export function isLoose({ value, bound }: Finding): boolean {
  return value !== null && value < bound * LOOSE_BELOW;
}

/**
 * Bounds with a margin above the highest of several runs.
 * @param runs   at least one
 * @param before where nothing was measured, these stay
 * @param node   the version of Node that has measured
 */
export function makeBounds(runs: readonly Measured[], before: Bounds, node: string): Bounds {
  const boundOf = (scenario: Scenario, measure: Measure): number => {
    const values = runs.map((run) => run[scenario][measure].value).filter((value) => value !== null);
    if (values.length === 0) return before.perRequest[scenario][measure];
    return roundUp(Math.max(...values) * MARGINS[measure]);
  };
  const costs = SCENARIOS.map((scenario) => {
    return [scenario, Object.fromEntries(MEASURES.map((measure) => [measure, boundOf(scenario, measure)]))];
  });
  return { node, perRequest: Object.fromEntries(costs) as Bounds['perRequest'] };
}

// What binary fractions leave behind the last decimal is no reason to go up.
function roundUp(value: number): number {
  if (value >= 100) return Math.ceil(value / 10) * 10;
  return Math.ceil(value * 1000 - 1e-6) / 1000;
}
