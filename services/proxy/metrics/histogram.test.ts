import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUCKET_BOUNDS_MS, Histogram } from './histogram.ts';

test('a duration is counted in the first bucket whose bound it does not exceed', () => {
  const cases = [0, -1e-9, ...BUCKET_BOUNDS_MS.flatMap((ms) => [ms * 0.999, ms, ms * 1.001]), 600_000];
  for (const ms of cases) {
    const histogram = new Histogram();
    histogram.observe(ms);
    const { cumulative, count, sumMs } = histogram.read();
    assert.deepEqual(
      cumulative,
      BUCKET_BOUNDS_MS.map((boundMs) => (ms <= boundMs ? 1 : 0)),
      `${ms} ms`,
    );
    assert.deepEqual([count, sumMs], [1, ms]);
  }
});
