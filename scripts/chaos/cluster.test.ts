// Putting a cluster back: what was paused is paused again, but never while Docker checks its health for the first time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DockerCluster, Replica } from '../cluster/docker.ts';
import { putBackStates } from './cluster.ts';

test('a replica is paused again only after Docker has checked it', async () => {
  const log: string[] = [];
  const note = (what: string) => async (replica: Replica) => {
    await new Promise((resolve) => setImmediate(resolve));
    log.push(`${replica.name} ${what}`);
  };
  const cluster = { waitUntilChecked: note('checked'), pause: note('paused'), stop: note('stopped') };
  const replicas = ['server-p1-1', 'server-p1-2', 'server-p2-1'].map((name) => ({ name }) as Replica);
  const states = { 'server-p1-1': 'paused', 'server-p1-2': 'running', 'server-p2-1': 'exited' };
  await putBackStates(cluster as unknown as DockerCluster, replicas, states);
  const of = (name: string): string[] => log.filter((line) => line.startsWith(name));
  assert.deepEqual(of('server-p1-1'), ['server-p1-1 checked', 'server-p1-1 paused']);
  assert.deepEqual(of('server-p1-2'), []);
  assert.deepEqual(of('server-p2-1'), ['server-p2-1 stopped']);
});
