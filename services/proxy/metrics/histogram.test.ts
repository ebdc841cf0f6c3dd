import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUCKET_BOUNDS_MS, Histogram } from './histogram.ts';

test('a duration is counted in the first bucket whose bound it does not exceed', () => {
  const cases = [
    0,
    -1e-9,
    ...BUCKET_BOUNDS_MS.flatMap((ms) => [ms - 0.0015, ms, ms + 0.0015, ms * 1.02]),
    600_000,
    1_073_000,
  ];
  for (const ms of cases) {
    const histogram = new Histogram();
    histogram.observe(ms);
    const { cumulative, count, sumMs } = histogram.read();
    assert.deepEqual(
      cumulative,
      BUCKET_BOUNDS_MS.map((boundMs) => (ms <= boundMs ? 1 : 0)),
      `${ms} ms`,
    );
    assert.equal(count, 1);
    assert.ok(Math.abs(sumMs - ms) < 0.0011, `${ms} ms: ${sumMs}`);
  }
});

test('neither counts nor their sum have an end that a busy proxy would reach', () => {
  const histogram = new Histogram();
  for (let count = 0; count < 5000; count += 1) histogram.observe(1_000_000);
  assert.deepEqual([histogram.read().count, histogram.read().sumMs], [5000, 5_000_000_000]);
});
