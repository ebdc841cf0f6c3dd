// pure · the figures in a sentence for each target, and what a reader has to know before believing them.
import { decimal, percent } from '../../kit/words.ts';
import { type Cell, MODES } from '../plan.ts';
import {
  type BenchResult,
  type CellFigures,
  errorsOf,
  type Spread,
  spreadOf,
  type TargetFigures,
} from '../result.ts';
import { TARGETS } from '../targets/index.ts';

const ALL_MODES: readonly Cell['mode'][] = [...MODES, 'open', 'pipeline'];
const NEARLY_ALL = 0.9;
const MUCH = 0.15;
const MAX_NAMED = 4;

/** For each mode, a line for each target that was measured beside the proxy; then how sure the difference to the baseline is. */
export function summaryOf(figures: readonly CellFigures[]): string[] {
  const lines = ALL_MODES.flatMap((mode) =>
    TARGETS.flatMap(({ name, inWords = name }) => {
      const own = figuresFor(figures, name, mode);
      const ratios = [
        // An open loop has the rate that it was given.
        mode === 'open' ? '' : across('throughput', own, ({ ratios }) => ratios.throughput),
        across('CPU per request', own, ({ ratios }) => ratios.cpu),
        across('memory', own, ({ ratios }) => ratios.memory),
      ].filter(Boolean);
      return ratios.length === 0 ? [] : [`policy-proxy ÷ ${inWords}, ${mode}: ${ratios.join(' · ')}`];
    }),
  );
  return [...lines, ...certainty(figures)];
}

// One pair that says the opposite may be chance; none among several is hardly any.
function certainty(figures: readonly CellFigures[]): string[] {
  const spreads = ALL_MODES.flatMap((mode) => figuresFor(figures, 'baseline', mode))
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
export function remarksOf(
  result: Pick<BenchResult, 'runs' | 'problems' | 'missing' | 'wasInterrupted' | 'machine'>,
): string[] {
  const { runs, problems, missing, wasInterrupted, machine } = result;
  const { baseline = null, 'policy-proxy': own = '' } = machine;
  const proxied = runs.filter(({ cores }) => cores.proxy !== null);
  const about = (
    what: string,
    of: BenchResult['runs'],
    isSo: (run: BenchResult['runs'][number]) => boolean,
  ) => {
    const some = of.filter(isSo);
    return some.length === 0 ? [] : [`${what} in ${some.length} of ${of.length} runs: ${named(some)}.`];
  };
  return [
    ...(wasInterrupted ? ['Ended early: the figures are of the runs until then.'] : []),
    ...problems.map((problem) => `Failed, and left out from then on: ${problem}`),
    ...(missing.length > 0 ? [`Not measured: ${shortened(missing)}.`] : []),
    ...about(
      `Something else, or this machine's host, took over ${percent(MUCH, 1)} of it`,
      runs,
      ({ othersShare }) => (othersShare ?? 0) >= MUCH,
    ),
    ...(baseline !== null && own.endsWith(`, ${baseline}`)
      ? [`Both versions are ${baseline}: there is no difference to find.`]
      : []),
    ...about('Requests failed', runs, (run) => run.requests === 0 || errorsOf(run) > 0),
    ...about(
      'The generator or a server kept a processor busy, and the proxy could have served more,',
      proxied,
      ({ cores }) => Math.max(cores.generator, cores.busiestServer) >= NEARLY_ALL,
    ),
  ];
}

function figuresFor(figures: readonly CellFigures[], target: string, mode: Cell['mode']): TargetFigures[] {
  return figures
    .filter(({ cell }) => cell.mode === mode)
    .flatMap(({ targets }) => targets.filter((each) => each.target === target));
}

// Of the cells' medians: what the cells have in common, and how far they lie apart.
function across(
  name: string,
  figures: readonly TargetFigures[],
  value: (figures: TargetFigures) => Spread | null,
): string {
  const medians = spreadOf(figures.map((each) => value(each)?.median ?? null));
  if (medians === null) return '';
  const middle = `${name} × ${decimal(medians.median)}`;
  if (medians.count === 1) return middle;
  return `${middle} (${decimal(medians.min)} to ${decimal(medians.max)} in ${medians.count} cells)`;
}

function named(runs: BenchResult['runs']): string {
  return shortened([...new Set(runs.map(({ target, cell }) => `${target} in ${cell}`))]);
}

function shortened(names: readonly string[]): string {
  const rest = names.length - MAX_NAMED;
  return `${names.slice(0, MAX_NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
