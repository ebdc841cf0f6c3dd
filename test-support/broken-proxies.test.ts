import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../scripts/kit/project.ts';
import { BREAKAGES } from './broken-proxies.ts';

// Otherwise only the tests in containers would tell, minutes later.
for (const { name, changes } of BREAKAGES) {
  test(`what "${name}" changes is there exactly once`, () => {
    for (const { file, from } of changes)
      assert.equal(readFileSync(join(ROOT, file), 'utf8').split(from).length, 2, `${file}: ${from}`);
  });
}
