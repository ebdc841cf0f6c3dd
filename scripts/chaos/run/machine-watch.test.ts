// The calibration beside a run: who waits is named, what is gone is looked for again, and lag is told once.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { within } from '../../../test-support/peers.ts';
import type { DockerCluster, Replica } from '../../cluster/docker.ts';
import type { MachineSample } from '../journal.ts';
import { watchMachine } from './machine-watch.ts';

/** The cluster's only replica is a process of this machine. */
function clusterOf(processOf: () => number): DockerCluster {
  return {
    replicas: async () => [{ name: 'proxy-1', state: 'running' } as Replica],
    inspect: async () => ({ State: { Pid: processOf() } }),
  } as unknown as DockerCluster;
}

function firstSample(cluster: DockerCluster, isWanted: (sample: MachineSample) => boolean, lagMs = 0) {
  const found = Promise.withResolvers<MachineSample>();
  const samples: MachineSample[] = [];
  const watch = watchMachine(cluster, (sample) => {
    samples.push(sample);
    if (isWanted(sample)) found.resolve(sample);
  });
  watch.loadLag(lagMs);
  return { found: within(found.promise, 20_000, 'such a sample').finally(() => watch.stop()), samples };
}

test('the lag of the generator is in one sample, and time goes on', async () => {
  const { found, samples } = firstSample(
    clusterOf(() => process.pid),
    () => samples.length === 3,
    7,
  );
  await found;
  assert.deepEqual(
    samples.map(({ loadLagMs }) => loadLagMs),
    [7, 0, 0],
  );
  assert.ok(samples.every(({ atMs }, index) => index === 0 || atMs > (samples[index - 1]?.atMs ?? 0)));
});

test('who competes for one processor is seen to wait, and a process that has ended is looked for again', {
  skip: process.platform !== 'linux',
}, async (t) => {
  // Two that spin on the same processor: one of them always waits.
  const spin = () => {
    const child = spawn('sh', ['-c', "exec taskset -c 0 sh -c 'while :; do :; done'"], { stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    return child;
  };
  const [one, rival] = [spin(), spin()];
  let current = one;
  const isWaiting = ({ waitMs }: MachineSample): boolean => (waitMs['proxy-1'] ?? 0) > 0;
  await firstSample(
    clusterOf(() => current.pid ?? 0),
    isWaiting,
  ).found;
  const asked: number[] = [];
  const cluster = clusterOf(() => {
    asked.push(current.pid ?? 0);
    return current.pid ?? 0;
  });
  const { found } = firstSample(cluster, (sample) => asked.includes(rival.pid ?? 0) && isWaiting(sample));
  current = rival;
  one.kill('SIGKILL');
  await once(one, 'close');
  spin();
  await found;
});
