// What Linux says under /proc (proc(5)): the memory of processes, and the idle time of the machine.
import { readFileSync } from 'node:fs';

/** The machine's time on all its processors, in ticks. */
export type MachineTicks = { idle: number; total: number };

/** Memory of these processes together, in bytes; pages that they share count for each, and ended processes have none. */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + parseResidentBytes(readProc(`/proc/${pid}/status`)), 0);
}

/** The machine's ticks so far. */
export function sampleMachine(): MachineTicks {
  return parseMachineTicks(readProc('/proc/stat'));
}

/** Which part of the machine was idle between two samples, from 0 to 1; null when no tick has passed. */
export function idleBetween(before: MachineTicks, after: MachineTicks): number | null {
  const total = after.total - before.total;
  return total > 0 ? Math.min(Math.max((after.idle - before.idle) / total, 0), 1) : null;
}

/** The process and its children, such as nginx's workers. */
export function familyOf(pid: number): number[] {
  const children = readProc(`/proc/${pid}/task/${pid}/children`);
  return [pid, ...children.split(' ').filter(Boolean).map(Number)];
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

/** A file of /proc; empty where there is none: a process may end at any moment, and not every kernel has every file. */
export function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
