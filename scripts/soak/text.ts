// pure · how a soak stands right now, in one line for somebody who watches.
import { clock, count } from '../kit/words.ts';
import type { Counts, DoneDeed, Sample } from './journal.ts';
import { describeDeed } from './plan.ts';

/** `3:20 of 10:00 · ok 99,870 · wrong 0 · errors 0 · lost 0 · 92.1 MB · 61 files · 6 of 7 in rotation · kill server 3`. */
export function describeNow(
  sample: Sample,
  counts: Counts,
  plannedMs: number,
  latest: DoneDeed | undefined,
): string {
  const { atMs, residentBytes, handles, ready, servers } = sample;
  return [
    `${clock(atMs)} of ${clock(plannedMs)}`,
    `ok ${count(counts.ok)}`,
    `wrong ${counts.wrong}`,
    `errors ${counts.error}`,
    `lost ${counts.lost}`,
    `${(residentBytes / 1e6).toFixed(1)} MB`,
    `${handles.total} files`,
    `${ready ?? '?'} of ${servers ?? '?'} in rotation`,
    ...(latest === undefined ? [] : [describeDeed(latest.deed)]),
  ].join(' · ');
}
