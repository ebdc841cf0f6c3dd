// pure · what became of the requests of each second, and how long they took.
import { nearestRank } from '../../kit/percentile.ts';
import {
  curvesChart,
  LEFT,
  label,
  logScale,
  path,
  RIGHT,
  type TimeAxis,
  tickOf,
  timeChart,
} from '../../kit/report/charts.ts';
import { count } from '../../kit/words.ts';
import type { Recording } from '../journal.ts';
import { countKinds, KINDS, type Kind, kindLabel, okLatencies, wordsOf } from './figures.ts';

const TROUBLE_ROW = 26;
const MIN_BAR = 3;
/** A last part of a second shorter than this says too little about a rate. */
const MIN_PART_S = 0.25;

export type Second = {
  fromMs: number;
  /** Requests a second that were due in it. */
  rates: Record<Kind, number>;
  /** Latencies of the right answers in ms, in ascending order. */
  latencies: Float64Array;
};

/** Every second from the start to the end; rates in a last one that was seen only in part are those of the whole. */
export function secondsOf({ requests, endedMs }: Recording): Second[] {
  const bySecond = Map.groupBy(requests, ({ dueMs }) => Math.floor(dueMs / 1000));
  const endS = Number.isFinite(endedMs) ? Math.max(endedMs, 0) / 1000 : 0;
  const length = endS % 1 >= MIN_PART_S ? Math.ceil(endS) : Math.floor(endS);
  return Array.from({ length }, (_, second) => {
    const rows = bySecond.get(second) ?? [];
    const part = Math.min(endS - second, 1);
    const rates = countKinds(rows);
    for (const kind of KINDS) rates[kind] /= part;
    return { fromMs: second * 1000, rates, latencies: okLatencies(rows) };
  });
}

/** A row with a scale of its own for each kind of outcome that is not simply good: one request among thousands is seen. */
export function troubleChart(recording: Recording, all: readonly Second[], axis: TimeAxis): string {
  const kinds = KINDS.filter((kind) => kind !== 'ok');
  const totals = countKinds(recording.requests);
  return timeChart(axis, {
    title: 'Not ok at once, per second',
    note: 'Each row has its own scale; one request is enough to be seen.',
    height: kinds.length * TROUBLE_ROW,
    draw: (top) =>
      kinds
        .map((kind, index) => {
          const base = top + (index + 1) * TROUBLE_ROW;
          const middle = base - TROUBLE_ROW / 2 + 3;
          const max = Math.max(0, ...all.map(({ rates }) => rates[kind]));
          const scale = max > 0 ? label('tick end', LEFT - 7, middle, `max ${count(Math.ceil(max))}/s`) : '';
          const bars = all
            .filter(({ rates }) => rates[kind] > 0)
            .map(({ fromMs, rates }) => {
              const [from, to] = [axis.x(fromMs), axis.x(fromMs + 1000)];
              const height = Math.max((rates[kind] / max) * (TROUBLE_ROW - 7), MIN_BAR);
              return `M${from} ${base}v${-height}h${Math.max(to - from, 1.5)}v${height}z`;
            });
          return [
            kindLabel(kind, middle, totals[kind], scale),
            path('rule', `M${LEFT} ${base}H${RIGHT}`),
            path(`fill-k-${kind}`, bars.join('')),
          ].join('');
        })
        .join('\n'),
  });
}

/** All requests by outcome, stacked. */
export function ratesChart(all: readonly Second[], axis: TimeAxis): string {
  const sumTo = ({ rates }: Second, last: number) =>
    KINDS.slice(0, last + 1).reduce((sum, kind) => sum + rates[kind], 0);
  // Areas from the axis up, the whole sum first: each covers the lower part of the one before.
  const areas = KINDS.map((kind, index) => ({
    name: wordsOf(kind),
    color: `k-${kind}`,
    width: 0,
    points: all.map((second) => [second.fromMs, sumTo(second, index)] as const),
  }));
  return curvesChart(axis, {
    title: 'All requests, per second',
    note: 'By outcome, stacked.',
    height: 120,
    empty: 'No request was sent.',
    curves: areas.reverse(),
    values: { minInterval: 1 },
    isStepped: true,
  });
}

/** Median, 99th percentile and maximum of the right answers. */
export function percentilesChart(all: readonly Second[], axis: TimeAxis): string {
  const curve = (name: string, p: number, width: number) => ({
    name,
    color: `l-${name}`,
    width,
    points: all.map(({ fromMs, latencies }) => {
      return [fromMs, latencies.length === 0 ? null : nearestRank(latencies, p)] as const;
    }),
  });
  const curves = [curve('max', 100, 1), curve('p99', 99, 1.6), curve('p50', 50, 2.4)];
  const { decades } = logScale(
    curves.flatMap(({ points }) => points.map(([, ms]) => ms ?? 0)),
    0,
    1,
  );
  return curvesChart(axis, {
    title: 'Latency percentiles, per second',
    note: 'Of right answers, logarithmic.',
    height: 170,
    empty: 'No request was answered right.',
    curves,
    values: { type: 'log', min: decades[0], max: decades.at(-1), splitNumber: 5 },
    tick: tickOf,
    isStepped: true,
  });
}
