import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { costOf, evennessOf, formatMany, measureMany } from './many.ts';

const PAGE = join(import.meta.dirname, '../../docs/scaling.md');

test('docs/scaling.md shows what npm run simulate -- --many prints', async () => {
  const page = await readFile(PAGE, 'utf8');
  const shown = [...page.matchAll(/^ {4}.*$/gm)].map(([line]) => line.trim());
  for (const line of formatMany(measureMany()).split('\n')) {
    if (line !== '') assert.ok(shown.includes(line.trim()), `not on the page: ${line}`);
  }
});

test('each proxy probes each server once a second, or those of its subset', () => {
  const fleet = { proxies: 10, servers: 10_000, policies: 10, subset: 0 };
  assert.partialDeepStrictEqual(costOf(fleet), { probesPerS: 100_000, heartbeatsPerS: 100_000 });
  assert.partialDeepStrictEqual(costOf({ ...fleet, subset: 20 }), {
    probesPerS: 2000,
    heartbeatsPerS: 100_000,
  });
  assert.equal(costOf({ ...fleet, servers: 100, subset: 20 }).probesPerS, 1000);
});

test('a subset that is all of the servers is even, and a smaller one the more so the more proxies there are', () => {
  assert.deepEqual(evennessOf({ proxies: 3, servers: 20, subset: 20 }), {
    mean: 3,
    least: 1,
    most: 1,
    unused: 0,
  });
  const [few, many] = [10, 100].map((proxies) => evennessOf({ proxies, servers: 40, subset: 20 }));
  assert.ok((few?.most ?? 0) > (many?.most ?? 0));
  assert.ok((few?.least ?? 0) < (many?.least ?? 0));
});
