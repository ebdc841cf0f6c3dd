import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startProgram } from '../../test-support/programs.ts';

test('what a peer calls itself can not begin a line of its own in the log', async (t) => {
  const program = startProgram('test-support/log-one-line.ts', ['a\nb\u001b[2Jc']);
  t.after(() => program.stop());
  await program.exited();
  assert.match(program.stderr(), /info {2}test: hello id=a\\nb\\u001b\[2Jc\n$/);
  assert.equal(program.stderr().split('\n').length, 2);
});
