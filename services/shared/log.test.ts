import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startProgram } from '../../test-support/programs.ts';
import { LimitedLog, type Line } from './log.ts';

test('what a peer calls itself can not begin a line of its own in the log', async (t) => {
  const program = startProgram('test-support/log-one-line.ts', ['a\nb\u001b[2Jc']);
  t.after(() => program.stop());
  await program.exited();
  assert.match(program.stderr(), /info {2}test: hello id="a\\nb\\u001b\[2Jc"\n$/);
  assert.equal(program.stderr().split('\n').length, 2);
});

for (const format of ['text', 'json']) {
  test(`what a peer calls itself can not steer the terminal that shows the log: ${format}`, async (t) => {
    const id = 'a\u001b[2J\u007f\u009b\u202eb\u2066\u2028\u200e';
    const program = startProgram('test-support/log-one-line.ts', [id, format]);
    t.after(() => program.stop());
    await program.exited();
    const text = program.stderr().trimEnd();
    assert.ok(!/[\p{Cc}\p{Zl}\p{Bidi_Control}]/u.test(text), JSON.stringify(text));
    assert.ok(text.includes(String.raw`a\u001b[2J\u007f\u009b\u202eb\u2066\u2028\u200e`), text);
    if (format === 'json') assert.equal(JSON.parse(text).id, id);
  });
}

test('a flood is ten lines a second, and how many were left out', () => {
  const lines: Line[] = [];
  const log = new LimitedLog((line) => lines.push(line));
  for (let told = 0; told < 500; told += 1) log.write({ level: 'warn', message: 'refused' });
  assert.equal(lines.length, 10);
  log.nextSecond();
  assert.deepEqual(lines[10], { level: 'warn', message: 'more of the like were left out', leftOut: 490 });
  log.write({ level: 'warn', message: 'refused' });
  log.nextSecond();
  assert.deepEqual([lines.length, lines[11]?.message], [12, 'refused']);
});
