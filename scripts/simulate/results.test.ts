import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addResult,
  formatFailure,
  formatReached,
  gapsIn,
  newTally,
  type Reached,
  tableOf,
  verdictOf,
} from './results.ts';
import type { SeedResult } from './run.ts';
import type { Violation } from './world.ts';

/** All of the table, each once. */
function wholeTable(): Reached {
  const rows = Object.entries(tableOf()).map(([group, names]) => [
    group,
    Object.fromEntries(names.map((name) => [name, 1])),
  ]);
  return Object.fromEntries(rows);
}

function result(seed: number, reached: Reached = {}, violation: Violation | null = null): SeedResult {
  return { seed, violation, steps: 10, requests: 5, simulatedMs: 1000, reached, log: [] };
}

const BROKEN: Violation = { invariant: 'round robin', detail: 'from 1 to 3', atMs: 1500 };
const WHOLE_RUN = { only: null, isInterrupted: false };

test('what was never reached is named with its group, and comes first in the table', () => {
  const reached = wholeTable();
  assert.deepEqual(gapsIn(reached), []);
  assert.doesNotMatch(formatReached(reached, null), /never/);
  delete reached.states?.ejected;
  assert.deepEqual(gapsIn(reached), ['states: ejected']);
  assert.match(formatReached(reached, null), /^Reached:\n {2}never: states: ejected\n/);
  assert.doesNotMatch(formatReached(reached, 'poison'), /never/);
});

test('a transition that is not listed is a gap, a rare one is not', () => {
  const reached = wholeTable();
  Object.assign(reached.transitions ?? {}, { 'forgotten → ready': 1, 'trial → suspect': 1 });
  assert.deepEqual(gapsIn(reached), ['transitions: forgotten → ready (not listed)']);
});

test('seeds add up, and failures come in the order of their seeds', () => {
  const tally = newTally();
  addResult(tally, result(7, { states: { ready: 2 }, errors: { NO_SERVER: 1 } }, BROKEN));
  addResult(tally, result(3, { states: { ready: 3, trial: 1 } }, BROKEN));
  addResult(tally, result(5));
  assert.deepEqual(tally.reached, { states: { ready: 5, trial: 1 }, errors: { NO_SERVER: 1 } });
  assert.deepEqual([tally.seeds, tally.steps, tally.requests, tally.simulatedMs], [3, 30, 15, 3000]);
  assert.deepEqual(
    tally.failures.map(({ seed }) => seed),
    [3, 7],
  );
});

test('a run that was interrupted after a finding has failed, and one without a finding has not passed', () => {
  const tally = newTally();
  addResult(tally, result(1));
  assert.equal(verdictOf(tally, { only: null, isInterrupted: true }), 'interrupted');
  addResult(tally, result(2, {}, BROKEN));
  assert.equal(verdictOf(tally, { only: null, isInterrupted: true }), 'fail');
});

test('a thousand seeds fail when they have not reached the whole table, fewer or those of one cause do not', () => {
  const tally = newTally();
  for (let seed = 1; seed < 1000; seed += 1) addResult(tally, result(seed));
  assert.equal(verdictOf(tally, WHOLE_RUN), 'pass');
  addResult(tally, result(1000));
  assert.equal(verdictOf(tally, WHOLE_RUN), 'fail');
  assert.equal(verdictOf(tally, { only: 'poison', isInterrupted: false }), 'pass');
  addResult(tally, result(1001, wholeTable()));
  assert.equal(verdictOf(tally, WHOLE_RUN), 'pass');
});

test('a failure is printed with the end of its log, and with how to see it again', () => {
  const log = Array.from({ length: 50 }, (_, at) => `line ${at}`);
  const text = formatFailure(result(2, {}, BROKEN), log, 'twin');
  assert.match(text, /^Seed 2, after 1\.500 simulated seconds: round robin\n {2}from 1 to 3\n/);
  assert.match(text, /The last 40 of 50 lines of its log:\nline 10\n/);
  assert.match(text, /npm run simulate -- --seed 2 --cause twin --trace$/);
  const endless = { ...BROKEN, invariant: 'it ends', atMs: null };
  assert.match(
    formatFailure(result(2, {}, endless), [], null),
    /^Seed 2: it ends\n {2}from 1 to 3\n\nAll of it/,
  );
});
