// pure · the result → text: tables, for the terminal and for the page alike, and what they come to.
import { count, decimal, textTable } from '../../kit/words.ts';
import type { Cell } from '../plan.ts';
import type { BenchResult, CellFigures, Spread, TargetFigures } from '../result.ts';
import { remarksOf, summaryOf } from './remarks.ts';

const MISSING = '–';
const MIB = 2 ** 20;

type Column = [name: string, of: (figures: TargetFigures) => string];

const AROUND: readonly Column[] = [
  ['servers', ({ cores }) => median(cores.servers)],
  ['load', ({ cores }) => median(cores.generator)],
  ['idle', ({ idleShare }) => whole(idleShare, 100, ' %')],
];
const CLOSED_LOOP: readonly Column[] = [
  ['target', ({ target }) => target],
  ['req/s', ({ perSecond }) => whole(perSecond)],
  ['×', ({ ratios }) => range(ratios.throughput)],
  ['CPU µs', ({ cpuUs }) => median(cpuUs)],
  ['×', ({ ratios }) => range(ratios.cpu)],
  ['p50', ({ p50Us }) => whole(p50Us)],
  ['p99', ({ p99Us }) => whole(p99Us)],
  ['MiB', ({ residentBytes }) => whole(residentBytes, 1 / MIB)],
  ...AROUND,
];
const OPEN_LOOP: readonly Column[] = [
  ['target', ({ target }) => target],
  ['CPU µs', ({ cpuUs }) => median(cpuUs)],
  ['p50', ({ p50Us }) => whole(p50Us)],
  ['+', ({ addedUs }) => range(addedUs.p50, rounded)],
  ['p99', ({ p99Us }) => whole(p99Us)],
  ['+', ({ addedUs }) => range(addedUs.p99, rounded)],
  ['p99.9', ({ p999Us }) => whole(p999Us)],
  ...AROUND,
];
const ERRORS: Column = ['errors', ({ errors }) => count(errors)];

const LEGEND = [
  '×  policy-proxy divided by this target, each pair of runs of one repetition: median and (min–max).',
  '+  more than straight to a server, the same way. p50, p99, p99.9: µs from the request to its answer.',
  "CPU µs: the proxy's user and system time for each request. MiB: what is resident of it.",
  'servers, load: processors that the servers and the generator kept busy. idle: part of the machine.',
] as const;

/** A table for each cell, and what the columns mean, in lines short enough for a terminal. */
export function formatTables(figures: readonly CellFigures[]): string[] {
  const tables = figures.flatMap(({ cell, targets }) => {
    const columns = cell.mode === 'open' ? OPEN_LOOP : CLOSED_LOOP;
    const all = targets.some(({ errors }) => errors > 0) ? [...columns, ERRORS] : columns;
    const rows = targets.map((target) => all.map(([, of]) => of(target)));
    return [titleOf(cell), ...textTable([all.map(([name]) => name), ...rows], 'lr', '  '), ''];
  });
  return [...tables, ...LEGEND];
}

/** Several lines; no trailing line end. */
export function formatResult(result: BenchResult): string {
  const { machine, figures } = result;
  const parts = [
    [
      Object.entries(machine)
        .map((each) => each.join(' '))
        .join(' · '),
      methodOf(result),
    ],
    formatTables(figures),
    summaryOf(figures),
    remarksOf(result),
  ];
  return parts
    .filter(({ length }) => length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

/** How it was measured: `5 repetitions, interleaved, 2 s each; 6 servers, 3 policies`. */
export function methodOf({
  repetitions,
  seconds,
  size,
}: Pick<BenchResult, 'repetitions' | 'seconds' | 'size'>): string {
  const order = repetitions === 1 ? 'one repetition' : `${repetitions} repetitions, interleaved`;
  return `${order}, ${seconds} s each; ${count(size.servers)} servers, ${count(size.policies)} policies`;
}

function titleOf({ mode, payloadBytes, connections, rate, depth }: Cell): string {
  const payload = `${count(payloadBytes)} bytes`;
  const many = connections === 1 ? 'one connection' : `${count(connections)} connections`;
  switch (mode) {
    case 'oneshot':
      return `oneshot, ${payload}, ${many} at a time, one request each`;
    case 'keep':
      return `keep, ${payload}, ${many}, one request after another on each`;
    case 'open':
      return `open loop, ${payload}, ${count(rate ?? 0)} requests a second, a connection each`;
    case 'pipeline':
      return `pipeline, ${payload}, ${many}, ${depth} requests in flight`;
    default:
      return mode satisfies never;
  }
}

/** `1.31 (1.18–1.40)`; of a single run, which has no spread, `1.31`. */
export function range(spread: Spread | null, format: (value: number) => string = decimal): string {
  if (spread === null) return MISSING;
  const { median: middle, min, max, count: runs } = spread;
  return runs === 1 ? format(middle) : `${format(middle)} (${format(min)}–${format(max)})`;
}

function rounded(value: number): string {
  return value < 0 ? `-${count(-value)}` : count(value);
}

function median(spread: Spread | null): string {
  return spread === null ? MISSING : decimal(spread.median);
}

function whole(spread: Spread | null, factor = 1, unit = ''): string {
  return spread === null ? MISSING : `${count(spread.median * factor)}${unit}`;
}
