// test · a server's numbers in two workers: one on trial gets one request at a time over both of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newcomer, type State } from '../../health/health.ts';
import { RoundRobin } from '../../routing/rotation/round-robin.ts';
import { Upstream } from '../../servers/upstream.ts';
import { KeeperTally, WorkerTally } from './tally.ts';
import { SharedTurn } from './turn.ts';

const WORKERS = [0, 1] as const;

// What each of two workers knows of a policy whose only server is in this state.
function workersWith(state: State) {
  const keeper = new KeeperTally(WORKERS.length);
  const turn = new SharedTurn();
  const workers = WORKERS.map((worker) => {
    const registration = { id: 1, policy: '1', host: '10.0.0.1', port: 9000, keepsAlive: true };
    const tally = new WorkerTally(keeper.buffer, worker);
    const health = { ...newcomer(0, ''), state };
    const upstream = new Upstream({ ...registration, incarnation: null }, 64, 1, health, 0, tally);
    const rotation = new RoundRobin<Upstream>();
    rotation.follow(new SharedTurn(turn.buffer), 0);
    rotation.add(upstream);
    return { upstream, rotation, tally };
  });
  return { keeper, workers: workers as [(typeof workers)[0], (typeof workers)[0]] };
}

test('a worker that has picked a server on trial keeps others from it before its request is counted, and after', () => {
  const { workers } = workersWith('trial');
  const [one, other] = workers;
  assert.equal(one.rotation.pick(), one.upstream);
  assert.equal(other.rotation.pick(), null);
  one.tally.inFlight += 1;
  one.upstream.release();
  assert.equal(other.rotation.pick(), null);
  assert.equal(one.rotation.pick(), null);
  one.tally.inFlight -= 1;
  assert.equal(other.rotation.pick(), other.upstream);
});

test('one that does not hand it over after all lets others have it', () => {
  const [one, other] = workersWith('trial').workers;
  assert.equal(one.rotation.pick(), one.upstream);
  one.upstream.release();
  assert.equal(other.rotation.pick(), other.upstream);
});

test('so does the end of a worker that was about to hand it over', () => {
  const { keeper, workers } = workersWith('trial');
  const [one, other] = workers;
  assert.equal(one.rotation.pick(), one.upstream);
  keeper.giveBack(1);
  assert.equal(other.rotation.pick(), null);
  keeper.giveBack(0);
  assert.equal(other.rotation.pick(), other.upstream);
});

test('a server that is ready is picked by all at the same time', () => {
  const [one, other] = workersWith('ready').workers;
  assert.equal(one.rotation.pick(), one.upstream);
  assert.equal(other.rotation.pick(), other.upstream);
});
