// Putting a cluster back: what was paused is paused again, but never while Docker checks its health for the first time.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { useFakeDocker } from '../../test-support/containers.ts';
import type { DockerCluster, Replica } from '../cluster/docker.ts';
import { SILENT } from '../kit/steps.ts';
import { putBackStates, waitUntilBack } from './cluster.ts';

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

test('a cluster that was put back is whole only when every server that runs is in rotation again', async (t) => {
  // One is on trial in the end; the one that was found paused stays out of it.
  const states = [
    ['ready', 'evicted', 'evicted'],
    ['ready', 'joining', 'evicted'],
    ['ready', 'trial', 'evicted'],
  ];
  let looks = 0;
  const proxy = createServer((_, response) => {
    const servers = states[Math.min(looks, 2)]?.map((state) => ({ state }));
    looks += 1;
    response.end(JSON.stringify({ policies: [{ policy: '1', servers }] }));
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  t.after(() => proxy.close());
  const { port } = proxy.address() as AddressInfo;
  const ports = `127.0.0.1:1->10000/tcp, 127.0.0.1:${port}->10081/tcp`;
  const down = '127.0.0.1:1->10000/tcp, 127.0.0.1:1->10081/tcp';
  const line = (name: string, state: string, at: string) =>
    `id\\tx-${name}\\t${state}\\tproxy\\thash\\tUp\\t${at}\\n`;
  await useFakeDocker(t, `printf '${line('proxy-1', 'running', ports)}${line('proxy-2', 'paused', down)}'`);
  const replicas = [
    { name: 'proxy-1', policy: null, state: 'running' },
    { name: 'proxy-2', policy: null, state: 'paused' },
    { name: 'server-p1-1', policy: '1', state: 'running' },
    { name: 'server-p1-2', policy: '1', state: 'running' },
    { name: 'server-p1-3', policy: '1', state: 'paused' },
  ];
  const cluster = { project: 'x', replicas: async () => replicas } as unknown as DockerCluster;
  assert.equal(await waitUntilBack(cluster, SILENT), '2 servers are ready');
  assert.equal(looks, 3);
});
