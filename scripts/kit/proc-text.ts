// pure · what Linux says about processes under /proc (proc(5)), as numbers.
// Must never trust a field's place before the end of the process's name: a name may hold blanks and parentheses.

/** Linux counts in hundredths of a second here, whatever the kernel's own clock is (USER_HZ in time(7)). */
export const TICK_US = 10_000;

export type MachineTicks = { idle: number; total: number };

/** User and system time of a process with all its threads, those that have ended too, in µs: /proc/PID/stat. */
export function parseCpuUs(stat: string): number {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  // utime and stime are the fields 14 and 15, and the state after the name is the third.
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

/** Time a thread has run, in µs, exact to less than one: /proc/PID/task/TID/schedstat. */
export function parseRunUs(schedstat: string): number {
  return Number(schedstat.split(' ')[0]) / 1000;
}

/** Memory that is resident, in bytes: /proc/PID/status. 0 when the process has none any more. */
export function parseResidentBytes(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** The machine's time on all its processors: /proc/stat. What another virtual machine took is not idle. */
export function parseMachineTicks(stat: string): MachineTicks {
  const ticks = (stat.split('\n', 1)[0] ?? '').trim().split(/\s+/).slice(1).map(Number);
  const [, , , idle = 0, waiting = 0] = ticks;
  // The eight of them are all: what guests used is contained in the first two.
  const total = ticks.slice(0, 8).reduce((sum, each) => sum + each, 0);
  return { idle: idle + waiting, total };
}

/** Process ids from /proc/PID/task/TID/children. */
export function parseChildren(text: string): number[] {
  return text.split(' ').filter(Boolean).map(Number);
}
