// shell · CPU time and memory of processes, read from /proc at the two ends of a run.
// Must never wait between the readings of one moment: they are taken together, at once.
import { readdirSync, readFileSync } from 'node:fs';
import {
  type MachineTicks,
  parseChildren,
  parseCpuUs,
  parseMachineTicks,
  parseResidentBytes,
  parseRunUs,
  TICK_US,
} from './proc-text.ts';

/** CPU time so far: of the whole process in ticks of 10 ms, and of each thread that lives, exactly. */
export type CpuSample = { wholeUs: number; byThread: ReadonlyMap<string, number> };

/** CPU time of these processes together, in µs since each has begun. What has ended counts no more. */
export function sampleCpu(pids: readonly number[]): CpuSample {
  const byThread = new Map<string, number>();
  let wholeUs = 0;
  for (const pid of pids) {
    wholeUs += parseCpuUs(read(`/proc/${pid}/stat`) ?? ') 0 0 0 0 0 0 0 0 0 0 0 0 0');
    for (const thread of threadsOf(pid)) {
      const text = read(`/proc/${pid}/task/${thread}/schedstat`);
      if (text !== null) byThread.set(thread, parseRunUs(text));
    }
  }
  return { wholeUs, byThread };
}

/**
 * CPU time between two samples of the same processes, in µs: by the exact clocks of the threads, unless threads that have
 * ended in the meantime took a part of it with them.
 * @param processes how many processes were sampled: each rounds its ticks on its own
 */
export function cpuBetween(before: CpuSample, after: CpuSample, processes: number): number {
  const wholeUs = after.wholeUs - before.wholeUs;
  let exactUs = 0;
  for (const [thread, us] of after.byThread) exactUs += us - (before.byThread.get(thread) ?? 0);
  const roundingUs = 2 * TICK_US * processes;
  return after.byThread.size === 0 || wholeUs - exactUs > roundingUs ? wholeUs : exactUs;
}

/** Memory of these processes together, in bytes; pages that they share count for each. */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + parseResidentBytes(read(`/proc/${pid}/status`) ?? ''), 0);
}

/** The machine's ticks so far. */
export function sampleMachine(): MachineTicks {
  return parseMachineTicks(read('/proc/stat') ?? '');
}

/** Which part of the machine was idle between two samples, from 0 to 1; null when no tick has passed. */
export function idleBetween(before: MachineTicks, after: MachineTicks): number | null {
  const total = after.total - before.total;
  return total > 0 ? Math.min(Math.max((after.idle - before.idle) / total, 0), 1) : null;
}

/** The process and its children, as nginx has them. */
export function familyOf(pid: number): number[] {
  return [pid, ...parseChildren(read(`/proc/${pid}/task/${pid}/children`) ?? '')];
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

// A process or a thread may end at any moment, also between its listing and its reading.
function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
