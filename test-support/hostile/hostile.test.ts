// Hostile peers against a real proxy: the cases that counts decide, in their small form, and how a case becomes a test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CannotTell } from '../../scripts/kit/verdict.ts';
import { type Check, formatChecks, runCase, testCase } from './case.ts';
import { CASES } from './cases/index.ts';

const SMALL = { isSmall: true, seconds: 2 };

for (const one of CASES.filter(({ isMeasured }) => !isMeasured)) {
  test(`${one.name}: ${one.about}`, (t) => testCase(t, one, SMALL));
}

const QUIET = { name: 'made up', about: '', toleratesMs: Number.POSITIVE_INFINITY };
const BROKEN: Check = { seen: '1 of 2 answered', bar: '2', holds: false };

test('what does not hold is seen, what cannot be told is no failure, and a case that breaks is one', async (t) => {
  const bad = await runCase({ ...QUIET, run: async () => [BROKEN] }, SMALL, t.signal);
  assert.deepEqual(bad, { checks: [BROKEN], unknown: '' });
  assert.equal(formatChecks(bad.checks), '1 of 2 answered (bar: 2), which does not hold');
  const run = () => Promise.reject(new CannotTell('no network of its own'));
  const untold = await runCase({ ...QUIET, run }, SMALL, t.signal);
  assert.deepEqual(untold, { checks: [], unknown: 'no network of its own' });
  const broken = { ...QUIET, run: () => Promise.reject(new Error('no servers')) };
  await assert.rejects(runCase(broken, SMALL, t.signal), /no servers/);
});

test('on a machine that stood still, a failure is unknown and what holds still passes', async (t) => {
  const standStill = (holds: boolean) => async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    await new Promise((resolve) => setTimeout(resolve, 100));
    return [{ ...BROKEN, holds }];
  };
  const slow = { ...QUIET, toleratesMs: 200 };
  const failed = await runCase({ ...slow, run: standStill(false) }, SMALL, t.signal);
  assert.match(failed.unknown, /held up for \d+ ms/);
  const passed = await runCase({ ...slow, run: standStill(true) }, SMALL, t.signal);
  assert.equal(passed.unknown, '');
});
