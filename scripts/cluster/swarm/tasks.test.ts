import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Task, toTaskReplicas } from './tasks.ts';

const ID = 'a4fd3782281efcac03366ef1bcc4b71820e3f000d393f7dda6475ccc270b8940';
const SERVICES = new Map([
  ['s1', 'server-p1'],
  ['s2', 'proxy'],
]);

function task(slot: number, change: Partial<Task> = {}): Task {
  return {
    ServiceID: 's1',
    NodeID: 'n1',
    Slot: slot,
    DesiredState: 'running',
    CreatedAt: '2026-11-30T10:00:00Z',
    Status: { State: 'running', ContainerStatus: { ContainerID: ID } },
    NetworksAttachments: [{ Addresses: ['10.0.1.7/24'] }],
    Spec: { ContainerSpec: { Env: ['SERVER_POLICY=1'] } },
    ...change,
  };
}

test('a task is a replica that is named by its service and slot', () => {
  const Ports = [{ TargetPort: 10_000, PublishedPort: 12_000 }];
  const proxy = task(1, {
    ServiceID: 's2',
    Spec: { ContainerSpec: {} },
    Status: { State: 'starting', ContainerStatus: { ContainerID: ID }, PortStatus: { Ports } },
  });
  assert.deepEqual(toTaskReplicas([task(2), proxy], SERVICES), [
    {
      name: 'proxy-1',
      service: 'proxy',
      containerId: ID,
      serverId: 'a4fd3782281e',
      policy: null,
      state: 'starting',
      address: '10.0.1.7',
      node: 'n1',
      ports: { 10000: 12_000 },
    },
    {
      name: 'server-p1-2',
      service: 'server-p1',
      containerId: ID,
      serverId: 'a4fd3782281e',
      policy: '1',
      state: 'running',
      address: '10.0.1.7',
      node: 'n1',
      ports: {},
    },
  ]);
});

test('what is meant to end, has no container, or is not of the stack is none', () => {
  const { NodeID: _, ...waiting } = task(1);
  const none = [
    task(1, { DesiredState: 'shutdown' }),
    task(1, { Status: { State: 'preparing' } }),
    task(1, { ServiceID: 's9' }),
    waiting,
  ];
  assert.deepEqual(toTaskReplicas(none, SERVICES), []);
});

test('while a task is being replaced, the older one comes first', () => {
  const newer = task(1, { NodeID: 'new', CreatedAt: '2026-11-30T10:00:05Z' });
  const found = toTaskReplicas([newer, task(10), task(1)], SERVICES);
  assert.deepEqual(
    found.map(({ name, node }) => [name, node]),
    [
      ['server-p1-1', 'n1'],
      ['server-p1-1', 'new'],
      ['server-p1-10', 'n1'],
    ],
  );
});
