// shell · one reading of a subject: idle for a while, or under one run of the generator.
// Must never count another process's CPU as the proxy's.

import { type CpuSample, cpuBetween, sampleCpu } from '../../kit/process-cost.ts';
import { type NativePrograms, runLoad } from '../native.ts';
import type { IdleSample, Round, RunSample } from './arithmetic.ts';
import { policyNames } from './cases.ts';
import { COST_MODES, type CostMode } from './result.ts';
import type { ProbeCount, Subject } from './subject.ts';
import { pause } from './waiting.ts';

const CONNECTIONS = 64;
const PAYLOAD_BYTES = 64;
// So many servers get their first request, and with it their connection, in a second of warming up.
const WARM_SERVERS_PER_SECOND = 2500;

type Reading = { atMs: number; proxy: CpuSample; servers: CpuSample };
type Usage = { seconds: number; proxyCpuUs: number; serversCpuShare: number };
type Runs = Record<CostMode, RunSample>;

/** Load that is not counted: code gets compiled, and each server its connection. */
export async function warmUp(programs: NativePrograms, subject: Subject, signal: AbortSignal): Promise<void> {
  await sampleLoad(
    programs,
    subject,
    'keep',
    Math.max(1, subject.plan.servers / WARM_SERVERS_PER_SECOND),
    signal,
  );
  await sampleLoad(programs, subject, 'oneshot', 1, signal);
}

/**
 * One round over several subjects: all of them idle at the same time, then each in turn under each kind of load.
 * @returns a round for each subject, in their order
 */
export async function sampleRound(
  programs: NativePrograms,
  subjects: readonly Subject[],
  { seconds, isReversed }: { seconds: number; isReversed: boolean },
  signal: AbortSignal,
): Promise<Round[]> {
  const idle = await sampleIdle(subjects, seconds, signal);
  const rounds = idle.map((sample): Round => ({ idle: sample, runs: {} as Runs }));
  const order = isReversed ? [...subjects.keys()].reverse() : [...subjects.keys()];
  for (const mode of COST_MODES) {
    for (const at of order) {
      const { runs } = rounds[at] as Round;
      runs[mode] = await sampleLoad(programs, subjects[at] as Subject, mode, seconds, signal);
    }
  }
  return rounds;
}

/** What each subject takes while no request comes. */
export async function sampleIdle(
  subjects: readonly Subject[],
  seconds: number,
  signal: AbortSignal,
): Promise<IdleSample[]> {
  const countsBefore = await Promise.all(subjects.map((subject) => subject.probeCounts()));
  const before = subjects.map(read);
  await pause(seconds * 1000, signal);
  const after = subjects.map(read);
  const countsAfter = await Promise.all(subjects.map((subject) => subject.probeCounts()));
  return subjects.map((subject, at) => {
    const usage = usageBetween(before[at] as Reading, after[at] as Reading, subject);
    return {
      cpuShare: usage.proxyCpuUs / usage.seconds / 1e6,
      serversCpuShare: usage.serversCpuShare,
      probesPerSecond: probeRate(countsBefore[at] ?? [], countsAfter[at] ?? []),
    };
  });
}

async function sampleLoad(
  programs: NativePrograms,
  subject: Subject,
  mode: CostMode,
  seconds: number,
  signal: AbortSignal,
): Promise<RunSample> {
  const run = {
    port: subject.port,
    mode,
    connections: CONNECTIONS,
    seconds,
    payloadBytes: PAYLOAD_BYTES,
    policies: policyNames(subject.plan.policies),
  };
  let before = read(subject);
  let countsBefore: Promise<readonly ProbeCount[]> = Promise.resolve([]);
  const onStart = (): void => {
    before = read(subject);
    countsBefore = subject.probeCounts();
    // Whoever awaits it below hears of a failure.
    countsBefore.catch(() => {});
  };
  const result = await runLoad(programs, run, onStart, signal);
  const usage = usageBetween(before, read(subject), subject);
  return {
    requests: result.requests,
    failed: Object.values(result.errors).reduce((sum, count) => sum + count, 0),
    ...usage,
    generatorCpuShare: result.cpuUs / usage.seconds / 1e6,
    probesPerSecond: probeRate(await countsBefore, await subject.probeCounts()),
  };
}

function read({ proxyPid, serverPids }: Subject): Reading {
  return { atMs: performance.now(), proxy: sampleCpu([proxyPid]), servers: sampleCpu(serverPids) };
}

function usageBetween(before: Reading, after: Reading, { serverPids }: Subject): Usage {
  const seconds = (after.atMs - before.atMs) / 1000;
  return {
    seconds,
    proxyCpuUs: cpuBetween(before.proxy, after.proxy, 1),
    serversCpuShare: cpuBetween(before.servers, after.servers, serverPids.length) / seconds / 1e6,
  };
}

// Each process counts when it gets round to it, and says when that was.
function probeRate(before: readonly ProbeCount[], after: readonly ProbeCount[]): number {
  return after.reduce((sum, { atMs, probes }, at) => {
    const from = before[at];
    return from === undefined ? sum : sum + ((probes - from.probes) * 1000) / (atMs - from.atMs);
  }, 0);
}
