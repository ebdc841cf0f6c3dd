// pure · figures → what they come to, in a sentence for each target, and what speaks against believing them.
// Must never leave out a run that failed, or a bottleneck that was not the proxy.
import { decimal, percent } from '../../kit/words.ts';
import { type Cell, MODES, type TargetName } from '../plan.ts';
import { type BenchResult, errorsOf } from '../result.ts';
import { type CellFigures, type Spread, spreadOf, type TargetFigures } from '../statistics.ts';

/** Whom it is compared with, and how each is called. */
const OTHERS: readonly [TargetName, string][] = [
  ['baseline', 'baseline'],
  ['haproxy', 'haproxy'],
  ['haproxy-1', 'haproxy-1'],
  ['nginx', 'nginx'],
  ['thread-per-request', 'thread-per-request'],
  ['direct', 'straight to a server'],
  ['bare-node', 'a Node process that forwards nothing'],
];
const ALL_MODES: readonly Cell['mode'][] = [...MODES, 'open', 'pipeline'];
const NEARLY_ALL = 0.9;
const MUCH = 0.15;
const MAX_NAMED = 4;

/** For each mode, a line for each that was measured beside the proxy; then how sure the difference to the baseline is. */
export function glanceOf(figures: readonly CellFigures[]): string[] {
  const lines = ALL_MODES.flatMap((mode) =>
    OTHERS.flatMap(([target, name]) => {
      const own = figuresFor(figures, target, mode);
      const line = [
        // An open loop has the rate that it was told to have.
        mode === 'open' ? '' : across('throughput', own, ({ ratios }) => ratios.throughput),
        across('CPU per request', own, ({ ratios }) => ratios.cpu),
        across('memory', own, ({ ratios }) => ratios.memory),
      ].filter(Boolean);
      return line.length === 0 ? [] : [`policy-proxy ÷ ${name}, ${mode}: ${line.join(' · ')}`];
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
  const undecided = spreads.length - more - less;
  const outcomes = [`more in ${more}`, `less in ${less}`, `undecided in ${undecided}`].join(', ');
  const cells = spreads.length === 1 ? 'one cell' : `${spreads.length} cells`;
  return [
    `CPU per request beside the baseline, in ${cells}: ${outcomes}; undecided where not all pairs of runs say the same (more of them: --repeat).`,
  ];
}

/** What is said of a machine that was not idle before the benchmark began; null of one that was. */
export function busyBefore(idleBefore: number): string | null {
  if (idleBefore >= NEARLY_ALL) return null;
  return `something else kept ${percent(1 - idleBefore, 1)} of the machine busy: end that, and measure again`;
}

/** What a reader has to know before believing the figures; none when nothing disturbed them. */
export function remarksOf(
  result: Pick<BenchResult, 'runs' | 'problem' | 'wasInterrupted' | 'idleBefore' | 'machine'>,
): string[] {
  const { runs, problem, wasInterrupted, idleBefore, machine } = result;
  const failed = runs.filter((run) => run.requests === 0 || errorsOf(run) > 0);
  const proxied = runs.filter(({ cores }) => cores.proxy !== null);
  const busy = proxied.filter(({ cores }) => Math.max(cores.generator, cores.busiestServer) >= NEARLY_ALL);
  const tracked = runs.filter(({ trackedShare }) => trackedShare >= NEARLY_ALL);
  const shared = runs.filter(({ othersShare }) => (othersShare ?? 0) >= MUCH);
  const before = idleBefore === null ? null : busyBefore(idleBefore);
  const { baseline = null, 'policy-proxy': own = '' } = machine;
  const remarks: [boolean, string][] = [
    [wasInterrupted, 'Ended early: the figures are of the runs until then.'],
    [problem !== null, `Not everything could be measured: ${problem}`],
    [before !== null, `Before it began, ${before}.`],
    [
      shared.length > 0,
      `Something else, or this machine's host, took over ${percent(MUCH, 1)} of it in ${shared.length} of ${runs.length} runs: ${named(shared)}.`,
    ],
    [
      baseline !== null && own.endsWith(`, ${baseline}`),
      `Both versions are ${baseline}: there is no difference to find.`,
    ],
    [failed.length > 0, `Requests failed in ${failed.length} of ${runs.length} runs: ${named(failed)}.`],
    [
      tracked.length > 0,
      `The kernel's table of tracked connections was full in ${tracked.length} of ${runs.length} runs, and then connections fail: wait two minutes, or allow namespaces (unshare, ip).`,
    ],
    [
      busy.length > 0,
      `The generator or a server kept a processor busy in ${busy.length} of ${proxied.length} runs through a proxy, which could have served more there: ${named(busy)}.`,
    ],
  ];
  return remarks.filter(([isSo]) => isSo).map(([, remark]) => remark);
}

function figuresFor(
  figures: readonly CellFigures[],
  target: TargetName,
  mode: Cell['mode'],
): TargetFigures[] {
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
  const names = [...new Set(runs.map(({ target, cell }) => `${target} in ${cell}`))];
  const rest = names.length - MAX_NAMED;
  return `${names.slice(0, MAX_NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
