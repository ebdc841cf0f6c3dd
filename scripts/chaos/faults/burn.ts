// shell · each request costs the server CPU time, of which it has little: it answers, later and later.
// Must never count as proven by the quota alone: without load the quota holds nobody back.
import { setTimeout as sleep } from 'node:timers/promises';
import { setFaults } from '../control.ts';
import type { ChaosCluster, Replica } from '../docker.ts';
import type { Proof } from './fault.ts';
import { mendFaults } from './in-server.ts';
import { paramOf, targetFault } from './targets.ts';

const PROVE_WITHIN_MS = 2_000;
const POLL_MS = 50;
// A single probe may be held back too.
const PERIODS_THAT_PROVE = 3;

export const burn = targetFault<string>({
  kind: 'burn',
  title: 'CPU burnt for each request, under a CPU quota',
  like: 'gray failure',
  needsControl: true,
  remember: (cluster, replica) => cluster.startedAt(replica),
  async strike({ cluster, replica, fault }) {
    // First this one: under the quota the control port answers late.
    await setFaults(replica, { burnMs: paramOf(fault, 'burnMs', 5) });
    await cluster.limitCpu(replica, paramOf(fault, 'cpuPercent', 5));
  },
  prove: ({ cluster, replica }) => proveThrottled(cluster, replica),
  async mend({ cluster, replica, memory: since }) {
    await cluster.unlimitCpu(replica);
    await mendFaults(cluster, replica, since, { burnMs: 0 });
  },
});

/** Whether the quota holds it back now: looks for up to 2 s. */
export async function proveThrottled(cluster: ChaosCluster, replica: Replica): Promise<Proof> {
  const deadlineMs = performance.now() + PROVE_WITHIN_MS;
  // Not from before: setting the quota may itself have held it back.
  const before = await cluster.throttledPeriods(replica);
  let periods = 0;
  while (periods < PERIODS_THAT_PROVE && performance.now() < deadlineMs) {
    await sleep(POLL_MS);
    periods = (await cluster.throttledPeriods(replica)) - before;
  }
  return {
    isProven: periods >= PERIODS_THAT_PROVE,
    evidence: `${replica.name} was held back in ${periods} periods of 100 ms`,
  };
}
