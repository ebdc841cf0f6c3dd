// All runs, one after the other: the generator against one target, and what everything spent meanwhile.
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  cpuBetween,
  familyOf,
  idleBetween,
  residentBytes,
  sampleCpu,
  sampleMachine,
} from '../kit/process-cost.ts';
import type { Progress } from '../kit/steps.ts';
import { type NativePrograms, runLoad } from './native.ts';
import { type PlannedRun, warmUps } from './plan.ts';
import type { RunRecord } from './result.ts';
import { type RunningTarget, startTargets } from './targets/index.ts';
import type { TargetContext } from './targets/target.ts';

const WARM_UP_SECONDS = 1;
// In which the connections of the run before come to their end.
const SETTLE_MS = 100;

/** What is known so far; it grows with each run. */
export type Measured = { runs: RunRecord[]; problems: string[] };

/**
 * Starts everything that takes part, makes the runs of the plan, and stops everything. A target that fails is left out
 * from then on.
 * @param seconds  counted time of each run
 * @param measured is added to after each run
 * @throws Failure when something does not start, or the signal's reason
 */
export async function measureAll(
  plan: readonly PlannedRun[],
  seconds: number,
  programs: NativePrograms,
  context: Omit<TargetContext, 'startServers' | 'signal'>,
  measured: Measured,
  progress: Progress,
): Promise<void> {
  const { signal } = progress;
  progress.phase('starting the servers and what is measured');
  const names = [...new Set(plan.map(({ target }) => target))];
  const { byName, stop } = await startTargets(names, programs, { ...context, signal });
  const failed = new Set<string>();
  try {
    progress.phase('warming up');
    const coldRuns = warmUps(plan);
    for (const [index, run] of [...coldRuns, ...plan].entries()) {
      const target = byName.get(run.target);
      if (target === undefined || failed.has(run.target)) continue;
      const isCounted = index >= coldRuns.length;
      const number = index - coldRuns.length + 1;
      if (isCounted) progress.phase(`run ${number} of ${plan.length}: ${run.cell.id}, ${run.target}`);
      await sleep(SETTLE_MS);
      try {
        const span = isCounted ? seconds : WARM_UP_SECONDS;
        const record = await measureRun(run, span, programs, target, signal);
        if (isCounted) measured.runs.push(record);
      } catch (error) {
        signal.throwIfAborted();
        failed.add(run.target);
        measured.problems.push(`${run.target} in ${run.cell.id}: ${(error as Error).message}`);
      }
    }
  } finally {
    await stop();
  }
}

async function measureRun(
  { cell, target, repetition }: PlannedRun,
  seconds: number,
  programs: NativePrograms,
  { port, pid, policies, serverPids }: RunningTarget,
  signal: AbortSignal,
): Promise<RunRecord> {
  const pids = pid === null ? [] : familyOf(pid);
  const read = () => ({
    proxy: sampleCpu(pids),
    servers: serverPids.map((each) => sampleCpu([each])),
    machine: sampleMachine(),
  });
  let before = read();
  const onStart = (): void => {
    before = read();
  };
  const load = await runLoad(programs, { ...cell, port, seconds, policies }, onStart, signal);
  const after = read();
  const proxyUs = pids.length === 0 ? null : cpuBetween(before.proxy, after.proxy, pids.length);
  const serversUs = after.servers.map((sample, at) => cpuBetween(before.servers[at] ?? sample, sample, 1));
  const share = (us: number): number => us / (load.seconds * 1e6);
  const cores = {
    proxy: proxyUs === null ? null : share(proxyUs),
    servers: share(serversUs.reduce((sum, us) => sum + us, 0)),
    busiestServer: share(Math.max(0, ...serversUs)),
    generator: share(load.cpuUs),
  };
  const busy = (cores.proxy ?? 0) + cores.servers + cores.generator;
  const idleShare = idleBetween(before.machine, after.machine);
  return {
    cell: cell.id,
    target,
    repetition,
    requests: load.requests,
    seconds: load.seconds,
    errors: load.errors,
    latencyUs: load.latencyUs,
    cpuUs: proxyUs === null || load.requests === 0 ? null : proxyUs / load.requests,
    residentBytes: pids.length === 0 ? null : residentBytes(pids),
    cores,
    idleShare,
    // Other programs, the kernel's own threads, and what a host takes away.
    othersShare: idleShare === null ? null : Math.max(0, 1 - idleShare - busy / cpus().length),
  };
}
