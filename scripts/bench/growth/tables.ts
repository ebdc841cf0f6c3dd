// pure · the growth's results → text tables for a person.
// Must never show a ratio without the spread it was seen with, or a row without its notes.
import { count, decimal } from '../../kit/words.ts';
import type { Spread } from '../statistics.ts';
import { DEFAULT_HEALTH_INTERVAL_MS } from './cases.ts';
import { MISSING, median, percent, scaled, spread, table } from './cells.ts';
import {
  type CaseResult,
  type ClientsResult,
  COST_MODES,
  type GrowthResult,
  type SkippedCase,
} from './result.ts';

const KIB = 1024;
const MIB = KIB * KIB;
const BAR = 1.1;

type Row = CaseResult | SkippedCase;

/** Several tables with their explanations; no trailing line end. */
export function formatGrowth(result: GrowthResult): string {
  return [
    ...section('Growth by registered servers, under three policies', result.servers),
    ...section('Growth by policies, with two servers each', result.policies),
    ...clientSection(result.clients),
  ]
    .join('\n')
    .trimEnd();
}

function section(title: string, rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  const measured = rows.filter(isMeasured);
  return [
    title,
    '',
    '  A request: CPU µs of the proxy, 64 bytes, 64 connections; medians. "×" is against a proxy with six servers, pair by',
    '  pair: median (min–max). "net" is less what the proxy spends when no request comes.',
    '',
    ...table([COST_HEAD, ...measured.flatMap(costRows)]),
    '',
    '  Without requests: shares of one core; each probe less what heartbeats and sweeps take.',
    '',
    ...table([IDLE_HEAD, ...measured.map(idleRow)]),
    '',
    ...rows.flatMap(noteLines),
    '',
  ];
}

const COST_HEAD = [
  'servers',
  'policies',
  'probed every',
  'mode',
  'six servers µs',
  'here µs',
  '×',
  'net µs',
  'net ×',
  '',
  'requests/s',
  'servers CPU',
  'generator CPU',
];

function costRows(row: CaseResult): string[][] {
  return COST_MODES.map((mode) => {
    const cost = row.costs[mode];
    return [
      ...keyOf(row),
      mode,
      median(cost.sixServersUs),
      median(cost.costUs),
      spread(cost.ratio),
      median(cost.netCostUs),
      spread(cost.netRatio),
      verdict(cost.netRatio),
      median(cost.requestsPerSecond),
      percent(cost.serversCpuShare),
      percent(cost.generatorCpuShare),
    ];
  });
}

const IDLE_HEAD = [
  'servers',
  'policies',
  'probed every',
  'proxy CPU',
  'without probes',
  'probes/s',
  'µs/probe',
  'servers CPU',
  'registered in',
  'all ready in',
  'memory',
];

function idleRow(row: CaseResult): string[] {
  const { idle } = row;
  return [
    ...keyOf(row),
    percent(idle.cpuShare),
    `${decimal(idle.withoutProbesCpuShare * 100)} %`,
    median(idle.probesPerSecond),
    spread(idle.cpuUsPerProbe),
    percent(idle.serversCpuShare),
    `${decimal(row.registeredSeconds)} s`,
    `${decimal(row.readySeconds)} s`,
    `${decimal(row.residentBytes / MIB)} MiB`,
  ];
}

function keyOf({
  servers,
  policies,
  healthIntervalMs,
}: Pick<SkippedCase, 'servers' | 'policies' | 'healthIntervalMs'>): string[] {
  return [count(servers), count(policies), `${count(healthIntervalMs / 1000)} s`];
}

function noteLines(row: Row): string[] {
  const [servers, policies, probed] = keyOf(row);
  const isUsual = row.healthIntervalMs === DEFAULT_HEALTH_INTERVAL_MS;
  const name = `  ${servers} servers, ${policies} policies${isUsual ? '' : `, probed every ${probed}`}`;
  if (!isMeasured(row)) return [`${name}: left out: ${row.skipped}.`];
  return row.notes.map((note) => `${name}: ${note}.`);
}

function clientSection(rows: readonly ClientsResult[]): string[] {
  if (rows.length === 0) return [];
  const head = ['clients', 'connected', 'memory MiB', 'KiB per client'];
  const fewest = rows[0]?.clients ?? 0;
  return [
    `Growth by idle client connections: resident memory of the proxy, after as many requests in each row`,
    '',
    ...table([
      head,
      ...rows.map((row) => [
        count(row.clients),
        count(row.connected),
        spread(scaled(row.residentBytes, MIB)),
        row.clients === fewest ? '' : spread(scaled(row.bytesPerClient, KIB)),
      ]),
    ]),
    '',
    ...rows.flatMap(({ clients, notes }) => notes.map((note) => `  ${count(clients)} clients: ${note}.`)),
  ];
}

function isMeasured(row: Row): row is CaseResult {
  return !('skipped' in row);
}

// The goal: no more than a tenth above what it costs with six servers.
function verdict(ratio: Spread | null): string {
  if (ratio === null) return MISSING;
  return ratio.median <= BAR ? 'within 10 %' : `over by ${decimal((ratio.median - 1) * 100)} %`;
}
