// All planted bugs. One of them with other seeds than the usual 200:
// PLANTED_SEEDS=2000 PLANTED='slow is dead' npm test -- scripts/simulate/planted.long.test.ts
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLANTED_BUGS } from '../../test-support/simulate/planted-bugs.ts';
import { SEEDS, searchFor } from '../../test-support/simulate/search.ts';

const { PLANTED } = process.env;
const bugs = PLANTED_BUGS.filter(({ name }) => PLANTED === undefined || name === PLANTED);
assert.ok(bugs.length > 0, `there is no planted bug "${PLANTED}"`);

for (const bug of bugs) {
  test(`a planted bug is found: ${bug.name}`, async (context) => {
    const found = await searchFor(bug);
    assert.ok(found !== undefined, `not found in ${SEEDS} seeds`);
    context.diagnostic(`${bug.name}: seed ${found.seed}, ${found.violation?.invariant}`);
  });
}
