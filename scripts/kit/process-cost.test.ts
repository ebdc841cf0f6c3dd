// What /proc says, and what two samples of it come to.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  type CpuSample,
  cpuBetween,
  familyOf,
  idleBetween,
  parseCpuUs,
  parseMachineTicks,
  parseResidentBytes,
  parseRunUs,
  residentBytes,
  sampleCpu,
  sampleMachine,
} from './process-cost.ts';

test('CPU time of a process, whatever its name', () => {
  const rest = 'S 1 10 10 0 -1 4194304 100 0 0 0 123 77 0 0 20 0 11 0 5000 1 2 3';
  assert.equal(parseCpuUs(`10 (node) ${rest}`), 2_000_000);
  assert.equal(parseCpuUs(`10 (a b) S 7 (c)) ${rest}\n`), 2_000_000);
});

test('the other files of /proc', () => {
  assert.equal(parseRunUs('7147481 514511 3\n'), 7147.481);
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

const sample = (wholeUs: number, threads: Record<string, number>): CpuSample => ({
  wholeUs,
  byThread: new Map(Object.entries(threads)),
});

const windows: [string, CpuSample, CpuSample, number][] = [
  [
    'the exact clocks',
    sample(100_000, { 1: 90_000, 2: 9_000 }),
    sample(200_000, { 1: 180_000, 2: 14_321 }),
    95_321,
  ],
  ['a thread that is new', sample(0, { 1: 1_000 }), sample(10_000, { 1: 2_000, 5: 7_500 }), 8_500],
  ['threads that have ended', sample(0, { 1: 1_000, 7: 9 }), sample(500_000, { 1: 60_000 }), 500_000],
  ['no exact clocks', sample(100_000, {}), sample(150_000, {}), 50_000],
];
for (const [name, before, after, expected] of windows) {
  test(`CPU time between two samples: ${name}`, () => assert.equal(cpuBetween(before, after, 1), expected));
}

test('how idle the machine was', () => {
  assert.equal(idleBetween({ idle: 100, total: 1000 }, { idle: 150, total: 1200 }), 0.25);
  assert.equal(idleBetween({ idle: 100, total: 1000 }, { idle: 100, total: 1000 }), null);
});

test('this very process', () => {
  const before = sampleCpu([process.pid]);
  const untilMs = performance.now() + 60;
  while (performance.now() < untilMs);
  const usedUs = cpuBetween(before, sampleCpu([process.pid]), 1);
  assert.ok(usedUs > 5_000 && usedUs < 10_000_000, String(usedUs));
  assert.ok(residentBytes([process.pid]) > 10_000_000);
  const child = spawn('sleep', ['60']);
  assert.deepEqual(familyOf(process.pid).slice(0, 1), [process.pid]);
  assert.ok(familyOf(process.pid).includes(child.pid ?? 0));
  child.kill();
  assert.ok(sampleMachine().total > 0);
});

test('CPU time of a process that has ended is an error and not 0', async () => {
  const ended = spawn('true');
  await once(ended, 'close');
  const pid = ended.pid ?? 0;
  assert.throws(() => sampleCpu([process.pid, pid]), new RegExp(`Process ${pid} has ended`));
  assert.equal(residentBytes([pid]), 0);
  assert.deepEqual(familyOf(pid), [pid]);
});
