import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DockerCluster, Replica } from '../../cluster/docker.ts';
import { proveThrottled } from './index.ts';

const REPLICA = { name: 'server-p1-1' } as Replica;

function clusterOf(periods: () => number): DockerCluster {
  return { throttledPeriods: async () => periods() } as unknown as DockerCluster;
}

test('a quota that holds nothing back proves nothing, whatever was before', async () => {
  const proof = await proveThrottled(
    clusterOf(() => 40),
    REPLICA,
  );
  assert.deepEqual(proof, { isProven: false, evidence: 'server-p1-1 was held back in 0 periods of 100 ms' });
});

test('being held back again and again is a proof', async () => {
  let periods = 40;
  const proof = await proveThrottled(
    clusterOf(() => periods++),
    REPLICA,
  );
  assert.deepEqual(proof, { isProven: true, evidence: 'server-p1-1 was held back in 3 periods of 100 ms' });
});
