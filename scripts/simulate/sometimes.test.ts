import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addReached, formatReached, neverReached, type Reached, tableOf, unlisted } from './sometimes.ts';

test('what was never reached is named with its group, and comes first in the table', () => {
  const reached: Reached = {};
  for (const [group, names] of Object.entries(tableOf())) {
    reached[group as keyof Reached] = Object.fromEntries(names.map((name) => [name, 1]));
  }
  assert.deepEqual(neverReached(reached), []);
  assert.doesNotMatch(formatReached(reached), /never/);
  delete reached.states?.ejected;
  assert.deepEqual(neverReached(reached), ['states: ejected']);
  assert.match(formatReached(reached), /^Reached:\n {2}never: states: ejected\n/);
});

test('counts of seeds add up, by group and name', () => {
  const sum: Reached = {};
  addReached(sum, { states: { ready: 2 }, errors: { NO_SERVER: 1 } });
  addReached(sum, { states: { ready: 3, trial: 1 } });
  assert.deepEqual(sum, { states: { ready: 5, trial: 1 }, errors: { NO_SERVER: 1 } });
});

test('a transition that nobody has listed is told, a rare one is not', () => {
  const reached: Reached = {
    transitions: { 'forgotten → ready': 1, 'trial → suspect': 1, 'suspect → evicted': 1 },
  };
  assert.deepEqual(unlisted(reached), ['transitions: forgotten → ready']);
});

test('what only one cause can reach is asked for where the cause is drawn', () => {
  assert.ok(tableOf(() => true).limits.includes('a full accept queue'));
  assert.ok(!tableOf((cause) => cause !== 'accept-queue').limits.includes('a full accept queue'));
});
