import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LimitedLog } from '../../shared/log.ts';
import { newcomer } from '../health/health.ts';
import { type LeaseConnection, Upstream } from '../servers/upstream.ts';
import { Sessions } from './sessions.ts';

// A server with sessions, whose `did` notes what becomes of them.
function sceneOf(nowMs: number) {
  const did: string[] = [];
  const checker = { onLeaseLost: (_upstream: Upstream, why: string) => did.push(why), onLeave: () => {} };
  const sessions = new Sessions(nowMs, checker, new LimitedLog(() => {}));
  const registration = { id: 1, policy: '1', host: '10.0.0.1', port: 1, keepsAlive: true, incarnation: null };
  const upstream = new Upstream(registration, 1, 1, newcomer(nowMs, ''), 0);
  const connection = (name: string, lastHeardMs: number): LeaseConnection => ({
    remoteHost: '10.0.0.1',
    lastHeardMs,
    send: () => {},
    closeWhenIdle: () => did.push(`${name} closed`),
    destroy: () => did.push(`${name} destroyed`),
  });
  return { did, sessions, upstream, connection };
}

test('the next session of a server ends the one before, without blame', () => {
  const { did, sessions, upstream, connection } = sceneOf(0);
  const [first, second] = [connection('first', 0), connection('second', 0)];
  sessions.open(first, upstream);
  sessions.open(second, upstream);
  assert.deepEqual([did, sessions.has(first), upstream.lease === second], [['first closed'], false, true]);
});

test('a session ends after three missed heartbeats; late ones of ours are not held against it', () => {
  const { did, sessions, upstream, connection } = sceneOf(3000);
  sessions.open(connection('it', 4000), upstream);
  sessions.beat(4000);
  // This process has stood still for four seconds.
  sessions.beat(9000);
  assert.deepEqual([did, upstream.hasSession], [[], true]);
  sessions.beat(10_000);
  assert.deepEqual([did, upstream.hasSession], [['it destroyed', 'its session missed 3 heartbeats'], false]);
});
