// pure · requests → what happened in each second.
// Must never show a second that was seen only in part like a whole one.

import { nearestRank } from '../../kit/percentile.ts';
import type { Recording } from '../journal.ts';
import { countKinds, type Kind } from './figures.ts';

export type Bucket = {
  fromS: number;
  /** Requests a second that were due in it. */
  rates: Record<Kind, number>;
  /** Of the right answers, in ms; null when there were none. */
  p50: number | null;
  p99: number | null;
  max: number | null;
};

/** A last part of a second shorter than this says too little about a rate. */
const MIN_PART_S = 0.25;

/** One bucket per second from the start to the end. */
export function bucketsOf({ requests, endedMs }: Recording): Bucket[] {
  const bySecond = Map.groupBy(requests, ({ dueMs }) => Math.floor(dueMs / 1000));
  const endS = Number.isFinite(endedMs) ? Math.max(endedMs, 0) / 1000 : 0;
  const length = endS % 1 >= MIN_PART_S ? Math.ceil(endS) : Math.floor(endS);
  return Array.from({ length }, (_, second) => {
    const rows = bySecond.get(second) ?? [];
    const part = Math.min(endS - second, 1);
    const counts = countKinds(rows);
    const rates = Object.fromEntries(Object.entries(counts).map(([kind, n]) => [kind, n / part]));
    const sorted = Float64Array.from(
      rows.filter(({ outcome, latencyMs }) => outcome === 'ok' && Number.isFinite(latencyMs)),
      ({ latencyMs }) => latencyMs,
    ).sort();
    const at = (p: number) => (sorted.length === 0 ? null : nearestRank(sorted, p));
    return { fromS: second, rates: rates as Record<Kind, number>, p50: at(50), p99: at(99), max: at(100) };
  });
}

/** The values as steps: each holds to the end of its second, the last one too. */
export function steps(buckets: readonly Bucket[], endS: number, value: (bucket: Bucket) => number | null) {
  const points = buckets.map((bucket) => [bucket.fromS, value(bucket)] as const);
  const last = buckets.at(-1);
  if (last !== undefined) points.push([Math.min(last.fromS + 1, endS), value(last)]);
  return points;
}
