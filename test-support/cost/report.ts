// pure · the guard's findings → what a person reads.
// Must never name a bound without what was measured, or the other way round.
import { count, decimal } from '../../scripts/kit/words.ts';
import { type Bounds, type Finding, isLoose, MEASURE_WORDS } from './bounds.ts';

/** A table with a row for each bound. */
export function formatTable(findings: readonly Finding[]): string {
  const rows = findings.map(({ scenario, measure, bound, value, verdict, note }) => {
    const cells = [
      scenario.padEnd(10),
      MEASURE_WORDS[measure].padEnd(25),
      (value === null ? '–' : amount(value)).padStart(9),
      amount(bound).padStart(9),
      (value === null ? '' : `${Math.round((100 * value) / bound)} %`).padStart(7),
    ];
    const words = { within: note, over: `OVER ${note}`, 'not measured': `not measured here: ${note}` };
    return `${cells.join(' ')}  ${words[verdict]}`.trimEnd();
  });
  return [`${'per request'.padEnd(37)} measured     bound   of it`, ...rows].join('\n');
}

/**
 * What is to be said of a finding that is over its bound.
 * @param node the version of Node that has measured
 */
export function explain(
  { scenario, measure, value, bound, note }: Finding,
  bounds: Bounds,
  node: string,
): string {
  const measured = value ?? Number.NaN;
  const parts = note === '' ? '' : ` (${note})`;
  const percents = Math.ceil((100 * measured) / bound) - 100;
  const mode = scenario === 'oneshot' ? 'oneshot' : 'keep';
  const otherNode =
    node === bounds.node ? [] : [`The bound is from Node ${bounds.node}, this is ${node}: that may be why.`];
  return [
    `${scenario}: a request costs the proxy ${amount(measured)} ${MEASURE_WORDS[measure]}${parts}, and the bound is ${amount(bound)}: ${percents} % over it.`,
    ...otherNode,
    `Where it goes: npm run profile -- --mode ${mode}.`,
    'If the cost is wanted, renew the bounds in the same commit (npm run guard -- --write) and say why.',
  ].join(' ');
}

/** What may be done about bounds that have become loose; '' when there are none. */
export function adviceOn(findings: readonly Finding[]): string {
  const loose = findings
    .filter(isLoose)
    .map(({ scenario, measure }) => `${scenario} (${MEASURE_WORDS[measure]})`);
  if (loose.length === 0) return '';
  return `Far below its bound: ${loose.join(', ')}. npm run guard -- --write makes the bounds hold what was won.`;
}

function amount(value: number): string {
  return value >= 100 ? count(value) : value >= 1 ? decimal(value) : value.toFixed(3);
}
