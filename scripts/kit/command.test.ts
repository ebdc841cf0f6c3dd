import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attempt, run } from './command.ts';
import { Failure } from './failure.ts';

const SOON = { timeoutMs: 10_000 };

test('command: standard output is returned whole, the tail has both streams', async () => {
  const seen: string[] = [];
  const result = await attempt('sh', ['-c', 'echo one; sleep 0.1; echo two >&2; printf three'], {
    ...SOON,
    onLine: (line) => seen.push(line),
  });
  assert.deepEqual(result, { isOk: true, outcome: 'exit code 0', stdout: 'one\nthree', tail: result.tail });
  assert.deepEqual(seen.toSorted(), ['one', 'three', 'two']);
  assert.equal(result.tail.split('\n').length, 3);
});

test('command: how it ended is told in words', async () => {
  assert.equal((await attempt('sh', ['-c', 'exit 3'], SOON)).outcome, 'exit code 3');
  assert.equal((await attempt('sh', ['-c', 'kill -9 $$'], SOON)).outcome, 'ended by SIGKILL');
  assert.equal((await attempt('no-such-program-here', [], SOON)).outcome, 'not found');
});

test('command: past its deadline it is ended with all that it has started', async () => {
  // The inner sleep keeps the pipe open: only ending the whole group lets the outer one close before the test's own end.
  const result = await attempt('sh', ['-c', 'sleep 600 & sleep 600'], { timeoutMs: 100 });
  assert.equal(result.isOk, false);
  assert.equal(result.outcome, 'not done after 0.1 s');
});

test('command: one that says nothing is ended early, one that speaks is not', async () => {
  const silent = await attempt('sleep', ['30'], { ...SOON, firstLineWithinMs: 100 });
  assert.equal(silent.outcome, 'no answer from the network');
  const speaking = await attempt('sh', ['-c', 'echo here; sleep 2.1'], { ...SOON, firstLineWithinMs: 2_000 });
  assert.equal(speaking.isOk, true);
});

test('command: a signal ends it and its reason is thrown', async () => {
  const controller = new AbortController();
  const running = attempt('sleep', ['30'], { ...SOON, signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(running, /enough/);
  await assert.rejects(attempt('true', [], { ...SOON, signal: controller.signal }), /enough/);
});

test('command: one that has to succeed fails with what failed, its last lines and what to do', async () => {
  const failure = { what: 'The thing could not be made', next: 'Make another.' };
  await assert.rejects(run('sh', ['-c', 'echo why >&2; exit 1'], { ...SOON, failure }), (error) => {
    assert.ok(error instanceof Failure);
    assert.equal(
      error.toText(),
      'The thing could not be made: sh -c: exit code 1.\n\n    why\n\nMake another.',
    );
    return true;
  });
});
