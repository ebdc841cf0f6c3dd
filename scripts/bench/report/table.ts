// pure · figures → rows of words, for the terminal and for the page alike.
// Must never show a ratio without how far its runs lie apart.
import { count, decimal } from '../../kit/words.ts';
import type { Cell } from '../plan.ts';
import type { CellFigures, Spread, TargetFigures } from '../statistics.ts';

const MISSING = '–';
const MIB = 2 ** 20;

/** What a cell comes to. Every row has as many words as the head; the first column is a name, the others are numbers. */
export type Table = { title: string; head: readonly string[]; rows: readonly (readonly string[])[] };

type Column = { name: string; of: (figures: TargetFigures) => string };

const who: Column = { name: 'target', of: ({ target }) => target };
const rate: Column = { name: 'req/s', of: ({ perSecond }) => countOf(perSecond) };
const cpu: Column = { name: 'CPU µs', of: ({ cpuUs }) => median(cpuUs) };
const p50: Column = { name: 'p50', of: ({ p50Us }) => countOf(p50Us) };
const p99: Column = { name: 'p99', of: ({ p99Us }) => countOf(p99Us) };
const around: Column[] = [
  { name: 'servers', of: ({ cores }) => median(cores.servers) },
  { name: 'load', of: ({ cores }) => median(cores.generator) },
  { name: 'idle', of: ({ idleShare }) => percent(idleShare) },
];

const COLUMNS: Record<Cell['part'], readonly Column[]> = {
  throughput: [
    who,
    rate,
    { name: '×', of: ({ ratios }) => range(ratios.throughput) },
    cpu,
    { name: '×', of: ({ ratios }) => range(ratios.cpu) },
    p50,
    p99,
    { name: 'MiB', of: ({ residentBytes }) => memory(residentBytes) },
    ...around,
  ],
  latency: [
    who,
    cpu,
    p50,
    { name: '+', of: ({ addedUs }) => range(addedUs.p50, rounded) },
    p99,
    { name: '+', of: ({ addedUs }) => range(addedUs.p99, rounded) },
    { name: 'p99.9', of: ({ p999Us }) => countOf(p999Us) },
    ...around,
  ],
  pipeline: [],
};

/** One table for each cell. */
export function tablesOf(figures: readonly CellFigures[]): Table[] {
  return figures.map(({ cell, targets }) => {
    const columns = COLUMNS[cell.part === 'pipeline' ? 'throughput' : cell.part];
    const hasErrors = targets.some(({ errors }) => errors > 0);
    const all = hasErrors ? [...columns, { name: 'errors', of: failed }] : columns;
    return {
      title: titleOf(cell),
      head: all.map(({ name }) => name),
      rows: targets.map((target) => all.map(({ of }) => of(target))),
    };
  });
}

/** What the columns mean, in lines short enough for a terminal. */
export const LEGEND = [
  '×  policy-proxy divided by this target, each pair of runs of one repetition: median and (min–max).',
  '+  more than straight to a server, the same way. p50, p99, p99.9: µs from the request to its answer.',
  "CPU µs: the proxy's user and system time for each request. MiB: what is resident of it.",
  'servers, load: processors that the six servers and the generator kept busy. idle: part of the machine.',
] as const;

/** A cell in words. */
function titleOf({ mode, payloadBytes, connections, rate, depth }: Cell): string {
  const payload = `${count(payloadBytes)} bytes`;
  switch (mode) {
    case 'oneshot':
      return `oneshot, ${payload}, ${many(connections)} at a time, one request each`;
    case 'keep':
      return `keep, ${payload}, ${many(connections)}, one request after another on each`;
    case 'open':
      return `open loop, ${payload}, ${count(rate ?? 0)} requests a second, a connection each`;
    case 'pipeline':
      return `pipeline, ${payload}, ${many(connections)}, ${depth} requests in flight`;
    default:
      return mode satisfies never;
  }
}

/** `1.31 (1.18–1.40)`; of a single run, which has no spread, `1.31`. */
export function range(spread: Spread | null, format: (value: number) => string = decimal): string {
  if (spread === null) return MISSING;
  const { median: middle, min, max, count } = spread;
  if (count === 1) return format(middle);
  return `${format(middle)} (${format(min)}–${format(max)})`;
}

function many(connections: number): string {
  return connections === 1 ? 'one connection' : `${count(connections)} connections`;
}

function rounded(value: number): string {
  return value < 0 ? `-${count(-value)}` : count(value);
}

function countOf(spread: Spread | null): string {
  return spread === null ? MISSING : count(spread.median);
}

function median(spread: Spread | null): string {
  return spread === null ? MISSING : decimal(spread.median);
}

function memory(spread: Spread | null): string {
  return spread === null ? MISSING : count(spread.median / MIB);
}

function percent(spread: Spread | null): string {
  return spread === null ? MISSING : `${count(spread.median * 100)} %`;
}

function failed({ errors }: TargetFigures): string {
  return count(errors);
}
