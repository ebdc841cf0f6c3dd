// `npm test` with files by name, in a process of its own.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startProgram } from './programs.ts';

test('npm test: files by name, the slowest tests at the end, and 1 when one fails', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'policy-proxy-test-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = async (name: string, body: string): Promise<string> => {
    await writeFile(
      join(folder, name),
      `import { test } from 'node:test';\ntest('an example', () => {${body}});`,
    );
    return join(folder, name);
  };
  const good = await file('good.test.ts', '');
  const bad = await file('bad.long.test.ts', "throw new Error('on purpose');");

  const one = startProgram('scripts/test.ts', [good]);
  assert.equal(await one.exited(), 0, one.stdout() + one.stderr());
  assert.match(
    one.stdout(),
    /1 file\n(.|\n)*The slowest of 1 tests:\n.* s {2}.*good\.test\.ts: an example\n/,
  );

  const both = startProgram('scripts/test.ts', [good, bad]);
  assert.equal(await both.exited(), 1, both.stdout() + both.stderr());
  assert.match(both.stdout(), /tests without Docker: 1 file\n(.|\n)*long tests: 1 file\n(.|\n)*on purpose/);

  const some = startProgram('scripts/test.ts', [good, '--test-name-pattern', '^an ex']);
  assert.equal(await some.exited(), 0, some.stdout() + some.stderr());
  const none = startProgram('scripts/test.ts', [good, '--test-name-pattern', 'misspelt']);
  assert.equal(await none.exited(), 2, none.stdout() + none.stderr());
  assert.match(none.stderr(), /No test has a name that matches "misspelt": nothing was tested\./);

  for (const args of [['none.test.ts'], ['package.json'], [good, '--only', 'unit'], ['--only', 'some']]) {
    const refused = startProgram('scripts/test.ts', args);
    assert.equal(await refused.exited(), 2, args.join(' '));
  }
});
