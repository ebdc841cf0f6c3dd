import assert from 'node:assert/strict';
import { isIPv4 } from 'node:net';
import { test } from 'node:test';
import { parsePacket } from '../../../services/shared/packet.ts';
import { type StubServer, shareOf, stubServers, stubSetup } from './stub-plan.ts';

test('a hundred thousand servers have an id and a loopback address each', () => {
  const servers = stubServers(0, 100_000, 3);
  assert.equal(new Set(servers.map(({ id }) => id)).size, servers.length);
  assert.equal(new Set(servers.map(({ host }) => host)).size, servers.length);
  assert.ok(servers.every(({ host }) => isIPv4(host) && host.startsWith('127.')));
});

test('policies are dealt out in turn', () => {
  const policies = stubServers(0, 7, 3).map(({ policy }) => policy);
  assert.deepEqual(policies, ['1', '2', '3', '1', '2', '3', '1']);
});

test('parts of a whole follow each other without a gap', () => {
  for (const parts of [1, 2, 3, 7]) {
    const shares = Array.from({ length: parts }, (_, at) => shareOf(10, at, parts));
    const together = shares.flatMap(({ first, count }) => stubServers(first, count, 3));
    assert.deepEqual(together, stubServers(0, 10, 3));
  }
});

test('setup packets are what the proxy reads, with and without a session', () => {
  const [server] = stubServers(41, 1, 3) as [StubServer];
  for (const hasSession of [true, false]) {
    assert.deepEqual(parsePacket(stubSetup(server, 9000, 'boot', hasSession)), {
      kind: 'setup',
      id: 'stub-42',
      policy: '3',
      policyAsWritten: '3',
      listenPort: 9000,
      hasSession,
      keepsAlive: true,
      incarnation: 'boot',
      canProve: false,
      proof: null,
    });
  }
});
