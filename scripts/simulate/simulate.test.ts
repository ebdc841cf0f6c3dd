import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Job, runSeeds, type SeedResult } from './run.ts';
import { CAUSES, isAwaited } from './scenario.ts';

const SEEDS = 200;

async function resultsOf(job: Partial<Job>): Promise<SeedResult[]> {
  const results: SeedResult[] = [];
  const { signal } = new AbortController();
  const onResult = (result: SeedResult): boolean => results.push(result) > 0;
  await runSeeds({ firstSeed: 1, count: SEEDS, only: () => null, signal, onResult, ...job });
  return results.toSorted((a, b) => a.seed - b.seed);
}

test(`the proxy keeps its promises in ${SEEDS} worlds`, async () => {
  const results = await resultsOf({});
  assert.deepEqual(
    results.map(({ seed }) => seed),
    Array.from({ length: SEEDS }, (_, at) => at + 1),
  );
  const broken = results.filter(({ violation }) => violation !== null);
  assert.deepEqual(broken, []);
  assert.ok(results.reduce((sum, { requests }) => sum + requests, 0) > SEEDS * 50);
});

test('each cause that is not awaited keeps its promises alone', async () => {
  const causes = CAUSES.filter((one) => !isAwaited(one));
  const only = (seed: number) => causes[seed % causes.length] ?? null;
  for (const { seed, violation, reached } of await resultsOf({ count: 2 * causes.length, only })) {
    assert.equal(
      violation,
      null,
      `${only(seed)}, seed ${seed}: ${violation?.invariant}: ${violation?.detail}`,
    );
    assert.deepEqual(Object.keys(reached.causes ?? {}), [only(seed)]);
  }
});

test('the same seed is the same world, line by line', async () => {
  const job = { firstSeed: 7, count: 3, isTracing: true };
  const [first, second] = [await resultsOf(job), await resultsOf(job)];
  for (const [at, { log }] of first.entries()) {
    assert.ok(log.length > 50);
    assert.equal(log.join('\n'), second[at]?.log.join('\n'));
  }
});
