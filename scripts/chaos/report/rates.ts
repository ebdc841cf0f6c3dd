// pure · how much of what happened in each second, and how long it took.
// Must never be the only place to look for bad ones: among thousands a few can't be seen; trouble.ts shows them.

import { drawSeries, type TimeSeries } from '../../kit/report/echart.ts';
import { type TimeAxis, timeChart } from '../../kit/report/frame.ts';
import { nothingHere } from '../../kit/report/symbols.ts';
import type { Recording } from '../journal.ts';
import { type Bucket, bucketsOf, steps } from './buckets.ts';
import { KIND_WORDS, KINDS } from './figures.ts';
import { decadesAround } from './log-scale.ts';

const RATES_HEIGHT = 120;
const LATENCY_HEIGHT = 170;
const LEGEND_ROW = 18;

/** All requests by outcome, stacked. */
export function ratesChart(recording: Recording, axis: TimeAxis): string {
  const buckets = bucketsOf(recording);
  const sumTo = (bucket: Bucket, last: number) =>
    KINDS.slice(0, last + 1).reduce((sum, kind) => sum + bucket.rates[kind], 0);
  const isEmpty = buckets.every((bucket) => sumTo(bucket, KINDS.length - 1) === 0);
  // Areas from the axis up, the whole sum first: each covers the lower part of the one before.
  const series = KINDS.map(
    (kind, index): TimeSeries => ({
      color: `k-${kind}`,
      kind: 'area',
      points: steps(buckets, axis.endMs / 1000, (bucket) => sumTo(bucket, index)),
    }),
  );
  return timeChart(axis, {
    label: 'Requests a second by outcome, stacked',
    height: RATES_HEIGHT,
    draw: (top) =>
      legend(KINDS.map((kind) => [`k-${kind}`, KIND_WORDS[kind]] as const).reverse(), top, true) +
      (isEmpty
        ? nothingHere(top + RATES_HEIGHT / 2, 'No request was sent.')
        : drawSeries(axis, top, RATES_HEIGHT, { id: 'rates', splits: 3 }, series.reverse())),
  });
}

/** Median, 99th percentile and maximum of the right answers. */
export function latencyChart(recording: Recording, axis: TimeAxis): string {
  const buckets = bucketsOf(recording);
  const range = decadesAround(buckets.flatMap(({ p50, max }) => [p50 ?? 0, max ?? 0]));
  const endS = axis.endMs / 1000;
  const series: TimeSeries[] = [
    { color: 'l-max', kind: 'line', width: 1, points: steps(buckets, endS, ({ max }) => max) },
    { color: 'l-p99', kind: 'line', width: 1.6, points: steps(buckets, endS, ({ p99 }) => p99) },
    { color: 'l-p50', kind: 'line', width: 2.4, points: steps(buckets, endS, ({ p50 }) => p50) },
  ];
  const isEmpty = buckets.every(({ p50 }) => p50 === null);
  const names = [
    ['l-max', 'max'],
    ['l-p99', 'p99'],
    ['l-p50', 'p50'],
  ] as const;
  return timeChart(axis, {
    label: 'Median, 99th percentile and maximum latency per second',
    height: LATENCY_HEIGHT,
    draw: (top) =>
      legend(names, top, false) +
      (isEmpty
        ? nothingHere(top + LATENCY_HEIGHT / 2, 'No request was answered right.')
        : drawSeries(
            axis,
            top,
            LATENCY_HEIGHT,
            { id: 'percentiles', logarithmic: range, splits: 5 },
            series,
          )),
  });
}

function legend(entries: readonly (readonly [string, string])[], top: number, isArea: boolean): string {
  return entries
    .map(([color, text], index) => {
      const y = top + 14 + index * LEGEND_ROW;
      const width = color === 'l-p50' ? 2.4 : color === 'l-p99' ? 1.6 : 1;
      const sample = isArea
        ? `<rect class="fill-${color}" x="2" y="${y - 5}" width="12" height="10"/>`
        : `<path class="stroke-${color}" style="stroke-width:${width}" d="M0 ${y}H16"/>`;
      return `${sample}<text class="name" x="22" y="${y}" dy=".35em">${text}</text>`;
    })
    .join('');
}
