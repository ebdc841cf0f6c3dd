import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../services/shared/config.ts';
import { formatResult, runCase } from './case.ts';
import { CASES } from './cases/index.ts';
import { parseHostileCommand } from './options.ts';

const SMALL = { isSmall: true, seconds: 2 };

describe('what counts decide', () => {
  for (const one of CASES.filter(({ isMeasured }) => !isMeasured)) {
    test(`${one.name}: ${one.about}`, async (t) => {
      const result = await runCase(one, SMALL, t.signal);
      // Where the machine was too slow to tell; nothing else may keep a case from passing.
      if (result.verdict === 'unknown') assert.match(result.note, /held up/);
      else assert.equal(result.verdict, 'pass', formatResult(result));
      t.diagnostic(formatResult(result));
    });
  }
});

const QUIET = { toleratesMs: Number.POSITIVE_INFINITY, about: '' };

test('what does not hold is a failure, and what could not be run is unknown', async (t) => {
  const checks = [{ seen: '1 of 2 answered', bar: '2', holds: false }];
  const bad = await runCase({ ...QUIET, name: 'bad', run: async () => checks }, SMALL, t.signal);
  assert.equal(bad.verdict, 'fail');
  assert.match(formatResult(bad), /bad +1 of 2 answered {2}\(bar: 2\) {2}fail$/);
  const run = () => Promise.reject(new Error('no servers'));
  const not = await runCase({ ...QUIET, name: 'not', run }, SMALL, t.signal);
  assert.equal(not.verdict, 'unknown');
  assert.match(formatResult(not), /unknown: it could not be run: no servers$/);
});

test('on a machine that stood still, a failure is unknown and what holds still passes', async (t) => {
  const standStill = (holds: boolean) => async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    await new Promise((resolve) => setTimeout(resolve, 100));
    return [{ seen: '1', bar: '2', holds }];
  };
  const slow = { ...QUIET, name: 'slow', toleratesMs: 200 };
  const failed = await runCase({ ...slow, run: standStill(false) }, SMALL, t.signal);
  assert.equal(failed.verdict, 'unknown', formatResult(failed));
  assert.match(failed.note, /held up for \d+ ms/);
  const passed = await runCase({ ...slow, run: standStill(true) }, SMALL, t.signal);
  assert.equal(passed.verdict, 'pass');
});

test('the command line: cases by the beginnings of their names, and what is not understood', () => {
  const names = (text: string) => parseHostileCommand(['--only', text], {}).cases.map(({ name }) => name);
  assert.deepEqual(names('D7'), ['d7-burst', 'd7-one-write']);
  assert.deepEqual(names('e9-one-slow,a2'), ['a2-slipped', 'e9-one-slow']);
  assert.equal(parseHostileCommand(['--quick'], {}).size.seconds, 10);
  for (const args of [['--only', 'z9'], ['--only', ''], ['--seconds', '0'], ['more']])
    assert.throws(() => parseHostileCommand(args, {}), UsageError, args.join(' '));
});
