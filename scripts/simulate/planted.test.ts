import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PLANTED_BUGS, type PlantedBug, plant } from '../../test-support/simulate/planted-bugs.ts';
import { brokenSeeds, SEEDS, searchFor } from '../../test-support/simulate/search.ts';

const SERVICES = join(import.meta.dirname, '../../services');

// The others are in planted.long.test.ts.
for (const bug of PLANTED_BUGS.filter(({ isSlow }) => isSlow !== true)) {
  test(`a planted bug is found: ${bug.name}`, async () => {
    const found = await searchFor(bug);
    assert.ok(found !== undefined, `not found in ${SEEDS} seeds`);
  });
}

test('each bug can be planted in the code as it is, and only where its text is there exactly once', () => {
  for (const bug of PLANTED_BUGS) {
    const source = readFileSync(join(SERVICES, bug.file), 'utf8');
    assert.notEqual(plant(source, bug), source);
    assert.throws(() => plant(source + source, bug), /can't be planted/);
    assert.throws(() => plant('', bug), /can't be planted/);
  }
});

test('a step that never ends is a finding of its seed, and the other seeds are run all the same', async () => {
  const endless: PlantedBug = {
    name: 'an endless loop',
    file: 'proxy/routing/rotation/round-robin.ts',
    from: '  add(member: Member): void {\n',
    to: '  add(member: Member): void {\n    for (;;);\n',
  };
  const results = await brokenSeeds(endless, { firstSeed: 1, count: 3, limitMs: 500 }, false);
  assert.deepEqual(
    results.map(({ seed, violation }) => `${seed}: ${violation?.invariant}`),
    ['1: it ends', '2: it ends', '3: it ends'],
  );
});
