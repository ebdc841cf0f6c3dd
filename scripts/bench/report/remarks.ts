// pure · what a reader has to know before believing the figures.
import { percent, shortList } from '../../kit/words.ts';
import { type BenchResult, type CellFigures, errorsOf } from '../result.ts';

const NEARLY_ALL = 0.9;
const MUCH = 0.15;
const MAX_NAMED = 4;

/** How sure the difference to the baseline is: one pair that says the opposite may be chance, none among several is hardly any. */
export function certaintyOf(figures: readonly CellFigures[]): string[] {
  const spreads = figures
    .flatMap(({ targets }) => targets.filter(({ target }) => target === 'baseline'))
    .map(({ ratios }) => ratios.cpu)
    .filter((spread) => spread !== null);
  if (spreads.length === 0) return [];
  const more = spreads.filter(({ min }) => min > 1).length;
  const less = spreads.filter(({ max }) => max < 1).length;
  const cells = spreads.length === 1 ? 'one cell' : `${spreads.length} cells`;
  const outcomes = `more in ${more}, less in ${less}, undecided in ${spreads.length - more - less}`;
  return [
    `CPU per request beside the baseline, in ${cells}: ${outcomes}; undecided where not all pairs of runs say the same (more of them: --repeat).`,
  ];
}

/** What disturbed the figures or is missing; none when nothing did. */
export function remarksOf({ runs, problems, missing, wasInterrupted, machine }: BenchResult): string[] {
  const { baseline = null, 'policy-proxy': own = '' } = machine;
  const proxied = runs.filter(({ cores }) => cores.proxy !== null);
  const about = (what: string, some: BenchResult['runs'], of: BenchResult['runs'] = runs) =>
    some.length === 0 ? [] : [`${what} in ${some.length} of ${of.length} runs: ${named(some)}.`];
  return [
    ...(wasInterrupted ? ['Ended early: the figures are of the runs until then.'] : []),
    ...problems.map((problem) => `Failed, and left out from then on: ${problem}`),
    ...(missing.length > 0 ? [`Not measured: ${shortList(missing, MAX_NAMED)}.`] : []),
    ...about(
      `Something else, or this machine's host, took over ${percent(MUCH, 1)} of it`,
      runs.filter(({ othersShare }) => (othersShare ?? 0) >= MUCH),
    ),
    ...(baseline !== null && own.endsWith(`, ${baseline}`)
      ? [`Both versions are ${baseline}: there is no difference to find.`]
      : []),
    ...about(
      'Requests failed',
      runs.filter((run) => run.requests === 0 || errorsOf(run) > 0),
    ),
    ...about(
      'The generator or a server kept a processor busy, and the proxy could have served more,',
      proxied.filter(({ cores }) => Math.max(cores.generator, cores.busiestServer) >= NEARLY_ALL),
      proxied,
    ),
  ];
}

function named(runs: BenchResult['runs']): string {
  return shortList([...new Set(runs.map(({ target, cell }) => `${target} in ${cell}`))], MAX_NAMED);
}
