// What /proc says, and what two samples of it come to.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  familyOf,
  idleBetween,
  parseMachineTicks,
  parseResidentBytes,
  residentBytes,
  sampleMachine,
} from './process-cost.ts';

test('the files of /proc', () => {
  assert.equal(
    parseResidentBytes('Name:\tnode\nVmHWM:\t  999 kB\nVmRSS:\t  2048 kB\nThreads:\t11\n'),
    2_097_152,
  );
  assert.equal(parseResidentBytes('Name:\tzombie\n'), 0);
  assert.deepEqual(parseMachineTicks('cpu  100 5 50 800 20 3 2 20 90 0\ncpu0 1 2 3\n'), {
    idle: 820,
    total: 1000,
  });
});

test('how idle the machine was', () => {
  assert.equal(idleBetween({ idle: 100, total: 1000 }, { idle: 150, total: 1200 }), 0.25);
  assert.equal(idleBetween({ idle: 100, total: 1000 }, { idle: 100, total: 1000 }), null);
});

test('this very process', () => {
  assert.ok(residentBytes([process.pid]) > 10_000_000);
  const child = spawn('sleep', ['60']);
  assert.deepEqual(familyOf(process.pid).slice(0, 1), [process.pid]);
  assert.ok(familyOf(process.pid).includes(child.pid ?? 0));
  child.kill();
  assert.ok(sampleMachine().total > 0);
});

test('a process that has ended has no memory and no children', async () => {
  const ended = spawn('true');
  await once(ended, 'close');
  const pid = ended.pid ?? 0;
  assert.equal(residentBytes([pid]), 0);
  assert.deepEqual(familyOf(pid), [pid]);
});
