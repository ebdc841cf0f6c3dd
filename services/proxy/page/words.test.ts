// What the page says of a server: since when, by whom and why, and by which name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterOf, helloOf, stateOf } from '../../../test-support/page/scenes.ts';
import type { Server } from './browser/model/contract.ts';
import { knownName, learnNames } from './browser/model/names.ts';
import { briefly, reasonOf, shownSinceMs } from './browser/model/rows.ts';
import { verdictOf } from './browser/model/verdict.ts';
import { nameFirst, timeLeft } from './browser/model/words.ts';

const NOW_MS = 1_800_000_000_000;

test('the latest that is out is the server drained last: since when, by whom and why', () => {
  const policies = clusterOf(NOW_MS);
  const server = policies[2]?.servers[0] as Server;
  const order = { orderedBy: 'root', orderedReason: 'new disk', orderedSinceMs: NOW_MS - 100 };
  Object.assign(server, { ordered: 'drained', ...order });
  const { detail } = verdictOf(stateOf(policies, NOW_MS), helloOf('one', 0), NOW_MS);
  assert.equal(detail, 'Latest: server-p3-1 drained 0.1 s ago by root: new disk.');
  assert.equal(shownSinceMs(server), NOW_MS - 100);
  assert.equal(reasonOf(server).why, 'Drained by root: new disk');
});

test('a server is called by its name, which is never capitalised, also after it has left', () => {
  const state = stateOf(clusterOf(NOW_MS), NOW_MS);
  const [first] = state.policies[0]?.servers ?? [];
  assert.ok(first !== undefined);
  learnNames(state);
  assert.equal(knownName({ policy: first.policy, id: first.id }), first.name);
  assert.equal(nameFirst({ id: 'c3a8ae9c1f9' }), 'c3a8ae9c1f9');
  assert.equal(nameFirst({ id: 'x', name: 'server-p1-1' }), 'server-p1-1');
  assert.equal(nameFirst({ id: 3 }), 'Server 3');
});

test('a row leaves out which request it was, not what came of it', () => {
  const why = 'A real request is not answered, of client load (137 bytes), then timeout';
  assert.equal(briefly(why), 'A real request is not answered, then timeout');
});

test('a time that has just passed is not told', () => {
  assert.equal(timeLeft('; next in ', 400), '; next in 0.4 s');
  assert.equal(timeLeft('; next in ', -900), '');
  assert.equal(timeLeft('; next in ', -5000), '; next now');
});
