// What becomes of a script whose output can't be written, in a process of its own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const MODULE = join(import.meta.dirname, 'script.ts');

// Prints for ever, until it is stopped.
function scriptText(mustCleanUp: boolean): string {
  return `
    import { setTimeout as sleep } from 'node:timers/promises';
    import { runScript } from ${JSON.stringify(MODULE)};
    await runScript('x', 'All is cleaned up.', async (signal) => {
      while (!signal.aborted) {
        console.log('a line');
        await sleep(5);
      }
      signal.throwIfAborted();
    }, { mustCleanUp: ${mustCleanUp} });`;
}

test('a full disk is told, with an exit code', async (t) => {
  const full = await open('/dev/full', 'w');
  t.after(() => full.close());
  for (const mustCleanUp of [false, true]) {
    const args = ['--input-type=module-typescript', '--eval', scriptText(mustCleanUp)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', full.fd, 'pipe'] });
    const [said, [code]] = await Promise.all([text(child.stderr as Readable), once(child, 'close')]);
    assert.equal(code, 3, said);
    assert.match(said, /Standard output can't be written: ENOSPC/);
    assert.equal(said.includes('All is cleaned up.'), mustCleanUp, said);
  }
});

test('a reader that has seen enough is no failure, but what is not done is', async () => {
  for (const mustCleanUp of [false, true]) {
    const args = ['--input-type=module-typescript', '--eval', scriptText(mustCleanUp)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.once('data', () => child.stdout.destroy());
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    assert.equal(code, mustCleanUp ? 3 : 0, said);
    assert.doesNotMatch(said, /can't be written/);
  }
});
