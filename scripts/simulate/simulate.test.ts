import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AWAITED, CAUSES } from './causes.ts';
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.ts';
import { runSeed } from './run-seed.ts';
import { runSeeds, type SeedOutcome } from './threads.ts';

const SEEDS = 200;
const SEEDS_FOR_A_BUG = 200;

async function outcomesOf(count: number, bug: PlantedBug | null): Promise<SeedOutcome[]> {
  const outcomes: SeedOutcome[] = [];
  const { signal } = new AbortController();
  const onOutcome = (outcome: SeedOutcome): boolean => {
    outcomes.push(outcome);
    return bug === null || outcome.violation === null;
  };
  await runSeeds({ firstSeed: 1, count, bug, only: null, signal, onOutcome });
  return outcomes;
}

test(`the proxy keeps its promises in ${SEEDS} worlds`, async () => {
  const outcomes = await outcomesOf(SEEDS, null);
  assert.equal(outcomes.length, SEEDS);
  const broken = outcomes.filter(({ violation }) => violation !== null);
  assert.deepEqual(broken, []);
  assert.ok(outcomes.reduce((sum, { requests }) => sum + requests, 0) > SEEDS * 50);
});

test('each cause that is not awaited keeps its promises alone', async () => {
  for (const cause of CAUSES.filter((one) => !AWAITED.has(one))) {
    for (const seed of [1, 2]) {
      const { violation, reached } = await runSeed(seed, false, cause);
      assert.equal(violation, null, `${cause}, seed ${seed}: ${violation?.invariant}: ${violation?.detail}`);
      assert.deepEqual(Object.keys(reached.causes ?? {}), [cause]);
    }
  }
});

test('the same seed is the same world, line by line', async () => {
  for (const seed of [7, 8, 9]) {
    const first = await runSeed(seed, true);
    const second = await runSeed(seed, true);
    assert.ok(first.trace.length > 50);
    assert.equal(first.trace.join('\n'), second.trace.join('\n'));
  }
});

for (const bug of PLANTED_BUGS) {
  test(`a planted bug is found: ${bug.name}`, async () => {
    const outcomes = await outcomesOf(SEEDS_FOR_A_BUG, bug);
    const found = outcomes.find(({ violation }) => violation !== null);
    assert.ok(found !== undefined, `not found in ${SEEDS_FOR_A_BUG} seeds`);
  });
}
