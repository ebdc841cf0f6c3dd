import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Failure } from './failure.ts';
import { oneAtATime, requireInstalled } from './install.ts';
import { SILENT } from './steps.ts';

const NAME = `test-${process.pid}`;
const { signal } = new AbortController();

test('work of one name waits for the work before it, also when that fails', async () => {
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = oneAtATime(NAME, signal, async () => {
    log.push('first begins');
    await gate.promise;
    log.push('first ends');
    throw new Error('it failed');
  });
  const rejected = assert.rejects(first, /it failed/);
  while (log.length === 0) await new Promise(setImmediate);
  const second = oneAtATime(NAME, signal, async () => log.push('second'));
  const interrupted = AbortSignal.timeout(1);
  await assert.rejects(
    oneAtATime(NAME, interrupted, async () => log.push('third')),
    { name: 'TimeoutError' },
  );
  gate.resolve();
  await Promise.all([rejected, second]);
  assert.deepEqual(log, ['first begins', 'first ends', 'second']);
});

test('nothing is installed where it is there already', async () => {
  assert.equal(await requireInstalled('it', ['no-such-package'], async () => true, SILENT), false);
});

test('where it can not be installed, the failure says what to install', async (t) => {
  t.mock.method(process as { getuid(): number }, 'getuid', () => 1000);
  await assert.rejects(
    requireInstalled('A and B', ['a', 'b'], async () => false, SILENT),
    (error: Failure) => {
      assert.equal(error.exitCode, 2);
      assert.equal(error.message, 'This needs A and B, which is not installed.');
      assert.match(error.next, /apt-get install a b\)/);
      return true;
    },
  );
});
