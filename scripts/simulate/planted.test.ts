// Each planted bug has to be found. One of them with more seeds:
// PLANTED_SEEDS=2000 npm test -- scripts/simulate/planted.test.ts --test-name-pattern 'slow is dead'
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PLANTED_BUGS, type PlantedBug, plant } from '../../test-support/simulate/planted-bugs.ts';
import { type Job, runSeeds, type SeedResult } from './run.ts';

const SEEDS = Number(process.env.PLANTED_SEEDS ?? 200);
const SERVICES = join(import.meta.dirname, '../../services');
const THREAD = join(import.meta.dirname, '../../test-support/simulate/planted-thread.ts');

/** Runs seeds with the bug until one breaks a promise. @returns those that did */
async function search(bug: PlantedBug, job: Partial<Job> = {}): Promise<SeedResult[]> {
  const broken: SeedResult[] = [];
  const onResult = (result: SeedResult): boolean => {
    if (result.violation !== null) broken.push(result);
    return broken.length === 0 || job.onResult !== undefined;
  };
  await runSeeds({
    firstSeed: 1,
    count: SEEDS,
    only: bug.only ?? null,
    signal: new AbortController().signal,
    worker: { file: THREAD, data: { bug } },
    ...job,
    onResult,
  });
  return broken.toSorted((a, b) => a.seed - b.seed);
}

for (const bug of PLANTED_BUGS) {
  test(`a planted bug is found: ${bug.name}`, async () => {
    const [found] = await search(bug);
    assert.ok(found !== undefined, `not found in ${SEEDS} seeds`);
  });
}

test('a bug can only be planted where its text is there exactly once', () => {
  const [bug] = PLANTED_BUGS as [PlantedBug];
  const source = readFileSync(join(SERVICES, bug.file), 'utf8');
  assert.throws(() => plant(source + source, bug), /can't be planted/);
  assert.throws(() => plant('', bug), /can't be planted/);
});

test('a step that never ends is a finding of its seed, and the other seeds are run all the same', async () => {
  const endless: PlantedBug = {
    name: 'an endless loop',
    file: 'proxy/routing/round-robin.ts',
    from: '  add(member: Member): void {\n',
    to: '  add(member: Member): void {\n    for (;;);\n',
  };
  const results = await search(endless, { count: 3, limitMs: 500, onResult: () => true });
  assert.deepEqual(
    results.map(({ seed, violation }) => `${seed}: ${violation?.invariant}`),
    ['1: it ends', '2: it ends', '3: it ends'],
  );
});
