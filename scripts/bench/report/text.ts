// pure · the result → text: tables, for the terminal and for the page alike, and what they come to.
import { count, decimal, textTable } from '../../kit/words.ts';
import type { BenchResult, CellFigures, Spread, TargetFigures } from '../result.ts';
import { certaintyOf, remarksOf } from './remarks.ts';

const MIB = 2 ** 20;

type Column = { name: string; of: (figures: TargetFigures) => string };

/** The columns of a closed loop, an open loop, or both. */
const COLUMNS: readonly (Column & { only?: 'closed' | 'open' })[] = [
  { name: 'target', of: ({ target }) => target },
  { name: 'req/s', of: ({ perSecond }) => whole(perSecond), only: 'closed' },
  { name: '×', of: ({ ratios }) => range(ratios.throughput), only: 'closed' },
  { name: 'CPU µs', of: ({ cpuUs }) => median(cpuUs) },
  { name: '×', of: ({ ratios }) => range(ratios.cpu), only: 'closed' },
  { name: 'p50', of: ({ p50Us }) => whole(p50Us) },
  { name: '+', of: ({ addedUs }) => range(addedUs.p50, count), only: 'open' },
  { name: 'p99', of: ({ p99Us }) => whole(p99Us) },
  { name: '+', of: ({ addedUs }) => range(addedUs.p99, count), only: 'open' },
  { name: 'p99.9', of: ({ p999Us }) => whole(p999Us), only: 'open' },
  { name: 'MiB', of: ({ residentBytes }) => whole(residentBytes, 1 / MIB), only: 'closed' },
  { name: 'servers', of: ({ serverCores }) => median(serverCores) },
  { name: 'load', of: ({ generatorCores }) => median(generatorCores) },
  { name: 'idle', of: ({ idleShare }) => whole(idleShare, 100, ' %') },
];
const ERRORS: Column = { name: 'errors', of: ({ errors }) => count(errors) };

const LEGEND = [
  'oneshot: a connection per request × connections at a time. keep: one request after another on each connection.',
  'open: requests a second, on a connection each. pipeline: one connection × requests in flight.',
  '×  policy-proxy divided by this target, each pair of runs of one repetition: median and (min–max).',
  '+  more than straight to a server, the same way. p50, p99, p99.9: µs from the request to its answer.',
  "CPU µs: the proxy's user and system time for each request. MiB: what is resident of it.",
  'servers, load: processors that the servers and the generator kept busy. idle: part of the machine.',
] as const;

/** A table for each cell, and what the columns mean, in lines short enough for a terminal. */
export function formatTables(figures: readonly CellFigures[]): string[] {
  const tables = figures.flatMap(({ cell, targets }) => {
    const other = cell.mode === 'open' ? 'closed' : 'open';
    const columns: Column[] = COLUMNS.filter(({ only }) => only !== other);
    const all = targets.some(({ errors }) => errors > 0) ? [...columns, ERRORS] : columns;
    const rows = targets.map((target) => all.map(({ of }) => of(target)));
    return [cell.id, ...textTable([all.map(({ name }) => name), ...rows], 'lr', '  '), ''];
  });
  return [...tables, ...LEGEND];
}

/** Several lines; no trailing line end. */
export function formatResult(result: BenchResult): string {
  const { machine, figures } = result;
  const facts = Object.entries(machine).map((each) => each.join(' '));
  const remarks = [...certaintyOf(figures), ...remarksOf(result)];
  const lines = [facts.join(' · '), methodOf(result), '', ...formatTables(figures), '', ...remarks];
  return lines.join('\n').trimEnd();
}

/** How it was measured: `5 repetitions, interleaved, 2 s each; 6 servers, 3 policies`. */
export function methodOf({ repetitions, seconds, size }: BenchResult): string {
  const order = repetitions === 1 ? 'one repetition' : `${repetitions} repetitions, interleaved`;
  return `${order}, ${seconds} s each; ${count(size.servers)} servers, ${count(size.policies)} policies`;
}

/** `1.31 (1.18–1.40)`; of a single run, which has no spread, `1.31`. */
export function range(spread: Spread | null, format: (value: number) => string = decimal): string {
  if (spread === null) return format(Number.NaN);
  const { median: middle, min, max, count: runs } = spread;
  return runs === 1 ? format(middle) : `${format(middle)} (${format(min)}–${format(max)})`;
}

function median(spread: Spread | null): string {
  return decimal(spread?.median ?? Number.NaN);
}

function whole(spread: Spread | null, factor = 1, unit = ''): string {
  return `${count((spread?.median ?? Number.NaN) * factor)}${spread === null ? '' : unit}`;
}
