import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from './failure.ts';
import { startProcess, within } from './process.ts';

const sh = (script: string): [string, string[]] => ['sh', ['-c', script]];

// A zombie has ended.
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

async function untilEnded(pid: number): Promise<void> {
  for (const endMs = performance.now() + 10_000; isRunning(pid); await sleep(5)) {
    assert.ok(performance.now() < endMs, `${pid} still runs`);
  }
}

for (const [name, script] of [
  ['on standard output', 'echo starting; echo it is ready; exec sleep 60'],
  ['on standard error', 'echo it is ready >&2; exec sleep 60'],
] as const) {
  test(`is ready with a line ${name}, and gone when it is stopped`, async () => {
    const started = await startProcess(...sh(script), { readyLine: /ready$/ });
    assert.ok(isRunning(started.pid));
    await started.stop();
    assert.ok(!isRunning(started.pid));
    await started.stop();
  });
}

test('without a line to wait for it is ready once it runs', async () => {
  const started = await startProcess('sleep', ['60']);
  assert.ok(isRunning(started.pid));
  await started.stop();
});

test('one that ends before it is ready is a failure with its last lines', async () => {
  const script = 'for line in $(seq 30); do echo "line $line" >&2; done; exit 7';
  await assert.rejects(startProcess(...sh(script), { readyLine: /ready/ }), (error: Failure) => {
    assert.match(error.message, /^sh has ended: exit code 7\.$/);
    const lines = error.tail.split('\n');
    assert.deepEqual([lines.length, lines[0], lines[19]], [20, 'line 11', 'line 30']);
    return true;
  });
});

test('one that is not ready in time is stopped', async () => {
  const starting = startProcess(...sh('exec sleep 60'), { readyLine: /ready/, deadlineMs: 50 });
  await assert.rejects(starting, /sh was not ready within 0.05 s/);
});

test('a program that is not there is a failure', async () => {
  await assert.rejects(startProcess('no-such-program', []), (error) => {
    assert.ok(error instanceof Failure);
    assert.match(error.message, /no-such-program could not be started: not found/);
    return true;
  });
});

test('one that ignores SIGTERM is killed, and with it what it has started', async () => {
  const script = 'trap "" TERM; sleep 60 & echo "child $!"; wait; while :; do sleep 0.1; done';
  const printed = Promise.withResolvers<number>();
  const onLine = (line: string): void => printed.resolve(Number(line.split(' ')[1]));
  const started = await startProcess(...sh(script), { onLine });
  const child = await within(printed.promise, 20_000);
  assert.ok(child !== null);
  await started.stop();
  assert.equal(await started.ended, 'ended by SIGKILL');
  await untilEnded(child);
});

test('the signal stops it, whether it is ready or not', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const ready = await startProcess('sleep', ['60'], { signal });
  const starting = startProcess('sleep', ['60'], { readyLine: /never/, signal });
  const rejected = assert.rejects(starting, /enough/);
  controller.abort(new Error('enough'));
  await rejected;
  assert.equal(await ready.ended, 'ended by SIGTERM');
  await assert.rejects(startProcess('sleep', ['60'], { signal }), /enough/);
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`programs and what they have started end with the process that has started them: ${signal}`, async () => {
    const script = `
      import { startProcess } from '${import.meta.resolve('./process.ts')}';
      await (await startProcess('true', [])).ended;
      await startProcess('sh', ['-c', 'sleep 60 & echo "$$ $!"; wait'], { onLine: console.log });`;
    const owner = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script]);
    const [text] = (await once(owner.stdout, 'data')) as [Buffer];
    const pids = String(text).trim().split(' ').map(Number);
    assert.equal(pids.filter(isRunning).length, 2);
    owner.kill(signal);
    for (const pid of pids) await untilEnded(pid);
  });
}
