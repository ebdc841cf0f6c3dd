// test · the keeper's table: what the workers hand over meanwhile is known before anybody hears of a change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newcomer, type State } from '../../health/health.ts';
import { Upstream } from '../../servers/upstream.ts';
import { KeeperTally, WorkerTally } from '../shared/tally.ts';
import { KeeperTable } from './keeper-table.ts';

const TOTALS = { waitingOf: () => 0, budgetLeftOf: () => 1 };
const REGISTRATION = { id: 1, policy: '1', host: '10.0.0.1', port: 1, keepsAlive: true, incarnation: null };

test('a server is closed to workers that have not heard of it, then they are waited for', () => {
  const seen: unknown[] = [];
  const tally = new KeeperTally(1);
  const worker = new WorkerTally(tally.buffer, 0);
  const table = new KeeperTable(
    () => {},
    () => TOTALS,
    { settle: () => seen.push([table.route('1')?.rotation.members.length, worker.isOut]) },
  );
  const upstream = new Upstream(REGISTRATION, 1, table.takeOrder(), newcomer(0, ''), 0, tally);
  const set = (state: State): void => {
    upstream.health = { ...upstream.health, state };
    table.place(upstream, 0);
  };
  table.add(upstream);
  set('ready');
  set('suspect');
  set('ready');
  table.setDrain(upstream, { by: '', reason: '', sinceWallMs: 0 }, 0);
  table.setDrain(upstream, null, 0);
  table.remove(upstream, 0);
  assert.deepEqual(seen, [
    [1, false],
    [0, true],
    [1, false],
    [0, true],
    [1, false],
    [0, true],
  ]);
});
