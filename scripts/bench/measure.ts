// All runs, one after the other: the generator against one target, and what everything spent meanwhile.
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { familyOf, idleBetween, residentBytes, sampleMachine } from '../kit/process-cost.ts';
import type { Progress } from '../kit/steps.ts';
import { type NativePrograms, runLoad } from './native.ts';
import { type PlannedRun, warmUps } from './plan.ts';
import type { RunRecord } from './result.ts';
import { type RunningTarget, startTargets } from './targets/index.ts';
import type { TargetContext } from './targets/target.ts';

/** No longer than a run. */
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
  context: Omit<TargetContext, 'port' | 'startServers' | 'signal'>,
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
        const span = isCounted ? seconds : Math.min(WARM_UP_SECONDS, seconds);
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
  let before = sampleMachine();
  const onStart = (): void => {
    before = sampleMachine();
  };
  const measured = { ...cell, port, seconds, policies, pids: [...pids, ...serverPids] };
  const load = await runLoad(programs, measured, onStart, signal);
  const idleShare = idleBetween(before, sampleMachine());
  const [generatorUs = 0, ...cpuUs] = load.cpuUs;
  const proxyUs = pids.length === 0 ? null : sum(cpuUs.slice(0, pids.length));
  const serversUs = cpuUs.slice(pids.length);
  const share = (us: number): number => us / (load.seconds * 1e6);
  const cores = {
    proxy: proxyUs === null ? null : share(proxyUs),
    servers: share(sum(serversUs)),
    busiestServer: share(Math.max(0, ...serversUs)),
    generator: share(generatorUs),
  };
  const busy = (cores.proxy ?? 0) + cores.servers + cores.generator;
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

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
