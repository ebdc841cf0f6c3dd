// CPU time and memory of processes and of the machine, as Linux has them under /proc (proc(5)).
import { readdirSync, readFileSync } from 'node:fs';
import { Failure } from './failure.ts';

// Linux counts in hundredths of a second here, whatever the kernel's own clock is (USER_HZ in time(7)).
const TICK_US = 10_000;

/** CPU time so far, in µs: of the whole processes in ticks of 10 ms, and of each thread that lives, exactly. */
export type CpuSample = { wholeUs: number; byThread: ReadonlyMap<string, number> };

/** The machine's time on all its processors, in ticks. */
export type MachineTicks = { idle: number; total: number };

/**
 * CPU time of these processes together since each has begun.
 * @throws Failure when one of them has ended: its time is not known any more
 */
export function sampleCpu(pids: readonly number[]): CpuSample {
  const byThread = new Map<string, number>();
  let wholeUs = 0;
  for (const pid of pids) {
    const stat = read(`/proc/${pid}/stat`);
    if (stat === null) throw new Failure(`Process ${pid} has ended while it was measured.`, 'Run it again.');
    wholeUs += parseCpuUs(stat);
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

/** Memory of these processes together, in bytes; pages that they share count for each, and ended processes have none. */
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

/** The process and its children, such as nginx's workers. */
export function familyOf(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`) ?? '';
  return [pid, ...children.split(' ').filter(Boolean).map(Number)];
}

/** User and system time of a process with all its threads, those that have ended too, in µs, from /proc/PID/stat. */
export function parseCpuUs(stat: string): number {
  // The name may hold blanks and parentheses. The state after it is the third field, utime and stime are 14 and 15.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

/** How long a thread has run, in µs, exact to less than one, from /proc/PID/task/TID/schedstat. */
export function parseRunUs(schedstat: string): number {
  return Number(schedstat.split(' ')[0]) / 1000;
}

/** Resident memory in bytes, from /proc/PID/status; 0 when the process has none any more. */
export function parseResidentBytes(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** From /proc/stat. What another virtual machine took is not idle. */
export function parseMachineTicks(stat: string): MachineTicks {
  const ticks = (stat.split('\n', 1)[0] ?? '').trim().split(/\s+/).slice(1).map(Number);
  const [, , , idle = 0, waiting = 0] = ticks;
  // The first eight are all: what guests used is contained in the first two.
  const total = ticks.slice(0, 8).reduce((sum, each) => sum + each, 0);
  return { idle: idle + waiting, total };
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
