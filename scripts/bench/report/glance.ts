// pure · figures → what they come to, in a sentence for each peer, and what speaks against believing them.
// Must never leave out a run that failed, or a bottleneck that was not the proxy.
import { decimal, percent } from '../../chaos/report/format.ts';
import { MODES, type Mode, type TargetName } from '../plan.ts';
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
const NEARLY_ALL = 0.9;
const MAX_NAMED = 4;

/** For each mode, a line for each that was measured beside the proxy. */
export function glanceOf(figures: readonly CellFigures[]): string[] {
  return MODES.flatMap((mode) =>
    OTHERS.flatMap(([target, name]) => {
      const own = figuresFor(figures, target, mode);
      const line = [
        across('throughput', own, ({ ratios }) => ratios.throughput),
        across('CPU per request', own, ({ ratios }) => ratios.cpu),
        across('memory', own, ({ ratios }) => ratios.memory),
      ].filter(Boolean);
      return line.length === 0 ? [] : [`policy-proxy ÷ ${name}, ${mode}: ${line.join(' · ')}`];
    }),
  );
}

/** What a reader has to know before believing the figures; none when nothing disturbed them. */
export function remarksOf(
  result: Pick<BenchResult, 'runs' | 'problem' | 'wasInterrupted' | 'idleBefore'>,
): string[] {
  const { runs, problem, wasInterrupted, idleBefore } = result;
  const failed = runs.filter((run) => run.requests === 0 || errorsOf(run) > 0);
  const proxied = runs.filter(({ cores }) => cores.proxy !== null);
  const busy = proxied.filter(({ cores }) => Math.max(cores.generator, cores.busiestServer) >= NEARLY_ALL);
  const tracked = runs.filter(({ trackedShare }) => trackedShare >= NEARLY_ALL);
  return [
    ...(wasInterrupted ? ['Ended early: the figures are of the runs until then.'] : []),
    ...(problem === null ? [] : [`Not everything could be measured: ${problem}`]),
    ...(idleBefore === null || idleBefore >= NEARLY_ALL
      ? []
      : [
          `Something else kept ${percent(1 - idleBefore, 1)} of the machine busy before it began: end that, and measure again.`,
        ]),
    ...(failed.length === 0
      ? []
      : [`Requests failed in ${failed.length} of ${runs.length} runs: ${named(failed)}.`]),
    ...(tracked.length === 0
      ? []
      : [
          `The kernel's table of tracked connections was full in ${tracked.length} of ${runs.length} runs, and then connections fail: wait two minutes, or allow namespaces (unshare, ip).`,
        ]),
    ...(busy.length === 0
      ? []
      : [
          `The generator or a server kept a processor busy in ${busy.length} of ${proxied.length} runs through a proxy, which could have served more there: ${named(busy)}.`,
        ]),
  ];
}

function figuresFor(figures: readonly CellFigures[], target: TargetName, mode: Mode): TargetFigures[] {
  return figures
    .filter(({ cell }) => cell.part === 'throughput' && cell.mode === mode)
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
