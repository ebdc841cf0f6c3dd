// shell · one run: the generator against one target, with what everybody spent meanwhile.
// Must never count CPU time outside the time in which requests are counted.
import { cpus } from 'node:os';
import {
  type CpuSample,
  cpuBetween,
  familyOf,
  idleBetween,
  residentBytes,
  sampleCpu,
  sampleMachine,
} from '../kit/process-cost.ts';
import { trackedShare } from '../kit/tracked.ts';
import { type LoadResult, type LoadRun, type NativePrograms, runLoad } from './native.ts';
import type { Cell, PlannedRun } from './plan.ts';
import type { RunRecord } from './result.ts';
import type { Arena } from './targets/index.ts';

const WARM_UP_CONNECTIONS = 64;
const WARM_UP_SECONDS = 1;

type Readings = {
  proxy: CpuSample;
  servers: readonly CpuSample[];
  machine: ReturnType<typeof sampleMachine>;
};

/**
 * @param seconds how long requests are counted, after the generator's own warm-up
 * @throws Failure when the generator itself fails, or the signal's reason
 */
export async function measureRun(
  planned: PlannedRun,
  seconds: number,
  programs: NativePrograms,
  arena: Arena,
  signal: AbortSignal,
): Promise<RunRecord> {
  const target = arena.targets.get(planned.target);
  if (target === undefined) throw new Error(`${planned.target} was not started.`);
  const pids = target.pid === null ? [] : familyOf(target.pid);
  const readings: Readings[] = [];
  const read = (): void => {
    const servers = arena.serverPids.map((pid) => sampleCpu([pid]));
    readings.push({ proxy: sampleCpu(pids), servers, machine: sampleMachine() });
  };
  const load = await runLoad(
    programs,
    loadRun(planned.cell, target.port, seconds, arena.policies),
    read,
    signal,
  );
  read();
  const [before, after] = readings;
  if (before === undefined || after === undefined)
    throw new Error('The generator never said that it counts.');
  const idleShare = idleBetween(before.machine, after.machine);
  const proxyUs = pids.length === 0 ? null : cpuBetween(before.proxy, after.proxy, pids.length);
  const cores = coresOf(before, after, proxyUs, load);
  return {
    cell: planned.cell.id,
    target: planned.target,
    repetition: planned.repetition,
    requests: load.requests,
    seconds: load.seconds,
    errors: load.errors,
    latencyUs: load.latencyUs,
    cpuUs: proxyUs === null || load.requests === 0 ? null : proxyUs / load.requests,
    residentBytes: pids.length === 0 ? null : residentBytes(pids),
    cores,
    idleShare,
    othersShare: idleShare === null ? null : othersOf(cores, idleShare),
    trackedShare: trackedShare(),
  };
}

/** Lets a target serve for a moment without being counted, so that it is not measured cold. */
export async function warmUp(
  { cell, target }: PlannedRun,
  programs: NativePrograms,
  arena: Arena,
  signal: AbortSignal,
): Promise<void> {
  const port = arena.targets.get(target)?.port;
  if (port === undefined) throw new Error(`${target} was not started.`);
  const usual = { ...cell, connections: WARM_UP_CONNECTIONS };
  await runLoad(programs, loadRun(usual, port, WARM_UP_SECONDS, arena.policies), () => {}, signal);
}

function loadRun(cell: Cell, port: number, seconds: number, policies: readonly string[]): LoadRun {
  const { mode, connections, payloadBytes, rate, depth } = cell;
  return {
    port,
    mode,
    connections,
    seconds,
    payloadBytes,
    policies,
    rate: rate ?? undefined,
    depth: depth ?? undefined,
  };
}

function coresOf(
  before: Readings,
  after: Readings,
  proxyUs: number | null,
  load: LoadResult,
): RunRecord['cores'] {
  const share = (us: number): number => us / (load.seconds * 1e6);
  const servers = after.servers.map((sample, index) => {
    const earlier = before.servers[index];
    return earlier === undefined ? 0 : cpuBetween(earlier, sample, 1);
  });
  return {
    proxy: proxyUs === null ? null : share(proxyUs),
    servers: share(servers.reduce((sum, us) => sum + us, 0)),
    busiestServer: share(Math.max(...servers)),
    generator: share(load.cpuUs),
  };
}

// What the machine did beside the run: other programs, the kernel's own threads, and what a host takes away.
function othersOf({ proxy, servers, generator }: RunRecord['cores'], idleShare: number): number {
  const share = ((proxy ?? 0) + servers + generator) / cpus().length;
  return Math.max(0, 1 - idleShare - share);
}
