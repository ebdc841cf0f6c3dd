import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerInfo } from 'dockerode';
import { missingEndpoints, policyIn, type Replica, savedAliases, toReplicas } from './replicas.ts';

const ID = 'a4fd3782281efcac03366ef1bcc4b71820e3f000d393f7dda6475ccc270b8940';

function container(labels: Record<string, string>, address = '172.18.0.4', name = '/any'): ContainerInfo {
  return {
    Id: ID,
    Names: [name],
    Labels: Object.fromEntries(
      Object.entries(labels).map(([key, value]) => [`com.docker.compose.${key}`, value]),
    ),
    State: 'running',
    NetworkSettings: {
      Networks: {
        bridge: { IPAddress: '172.17.0.9' },
        [`${labels.project}_default`]: { IPAddress: address },
      },
    },
  } as unknown as ContainerInfo;
}

const SERVER = { project: 'ours', oneoff: 'False', service: 'server-p1', 'container-number': '2' };

test('a replica is named as Compose numbers it, and has the address of its own network', () => {
  assert.deepEqual(toReplicas('ours', [container(SERVER)]), [
    {
      name: 'server-p1-2',
      service: 'server-p1',
      containerId: ID,
      serverId: 'a4fd3782281e',
      state: 'running',
      address: '172.18.0.4',
    },
  ]);
  const [proxy] = toReplicas('ours', [container({ ...SERVER, service: 'proxy' }, '')]);
  assert.deepEqual([proxy?.name, proxy?.address], ['proxy-2', null]);
});

test('the policy of a server is in its environment, whatever its service is called', () => {
  assert.equal(policyIn(['PATH=/bin', 'SERVER_POLICY=gold']), 'gold');
  assert.equal(policyIn(['PROXY_PORT=10000']), null);
});

for (const [what, labels] of [
  ['another project', { ...SERVER, project: 'theirs' }],
  ['a project whose name begins the same', { ...SERVER, project: 'ours-too' }],
  ['no project at all', { service: 'server-p1', 'container-number': '2' }],
  ['nothing at all', {}],
  ['docker compose run', { ...SERVER, oneoff: 'True' }],
  ['no service', { project: 'ours', oneoff: 'False', 'container-number': '1' }],
  ['no number', { project: 'ours', oneoff: 'False', service: 'proxy' }],
] as const)
  test(`a container of ${what} is never a replica, whatever it is called`, () => {
    assert.deepEqual(toReplicas('ours', [container(labels, '172.18.0.4', '/ours-server-p1-2')]), []);
  });

test('replicas are in the order of their numbers', () => {
  const numbered = ['10', '9', '1'].map((number) => container({ ...SERVER, 'container-number': number }));
  assert.deepEqual(
    toReplicas('ours', numbered).map(({ name }) => name),
    ['server-p1-1', 'server-p1-9', 'server-p1-10'],
  );
});

const REPLICA = { ...toReplicas('ours', [container(SERVER)])[0], policy: '1' } as Replica;
const ALL = ['ours-server-p1-2', 'server-p1', 'a4fd3782281e'];

function inspected(
  networks: Record<string, { Aliases: string[] | null }>,
): Parameters<typeof savedAliases>[0] {
  return {
    Name: '/ours-server-p1-2',
    HostConfig: { NetworkMode: 'ours_default' },
    NetworkSettings: { Networks: networks },
  };
}

test('aliases are kept without the short id', () => {
  assert.deepEqual(savedAliases(inspected({ ours_default: { Aliases: ALL } }), REPLICA), {
    ours_default: ['ours-server-p1-2', 'server-p1'],
  });
  assert.deepEqual(savedAliases(inspected({ ours_default: { Aliases: null } }), REPLICA), {
    ours_default: [],
  });
});

const MISSING: [
  string,
  Record<string, { Aliases: string[] | null }>,
  Record<string, string[]> | undefined,
  unknown,
][] = [
  ['nothing, when it has all its names', { ours_default: { Aliases: ALL } }, undefined, []],
  [
    'its network with what Compose gives, when nothing was saved',
    {},
    undefined,
    [{ network: 'ours_default', aliases: ALL, isConnected: false }],
  ],
  [
    'its network, when what was saved is empty',
    {},
    {},
    [{ network: 'ours_default', aliases: ALL, isConnected: false }],
  ],
  [
    'its names, when somebody connected it without',
    { ours_default: { Aliases: null } },
    undefined,
    [{ network: 'ours_default', aliases: ALL, isConnected: true }],
  ],
  [
    'a saved name',
    { ours_default: { Aliases: ALL } },
    { ours_default: ['extra'] },
    [{ network: 'ours_default', aliases: ['extra', ...ALL], isConnected: true }],
  ],
  [
    'a second network that was saved',
    { ours_default: { Aliases: ALL } },
    { ours_default: ['server-p1'], ours_back: ['b'] },
    [{ network: 'ours_back', aliases: ['b', ...ALL], isConnected: false }],
  ],
];

for (const [what, networks, saved, missing] of MISSING)
  test(`a replica lacks ${what}`, () => {
    assert.deepEqual(missingEndpoints(inspected(networks), REPLICA, saved), missing);
  });
