// How many workers are of use on this machine, or in this container.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** A worker for each core that the process may use, but for one: for the keeper, the kernel and what else runs. */
export function workersForAllCores(): number {
  return Math.max(1, Math.floor(Math.min(availableParallelism(), quotaCores(readText))) - 1);
}

/**
 * The CPU quota of the container, in cores; Infinity where there is none. Node 24 itself sees that of cgroup 2 alone.
 * @param read the text of a file; '' when it is not there
 */
export function quotaCores(read: (path: string) => string): number {
  // cgroups(7): microseconds of each period, `max` or -1 for any number.
  const [quota, period] = (
    read('/sys/fs/cgroup/cpu.max') ||
    `${read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us')} ${read('/sys/fs/cgroup/cpu/cpu.cfs_period_us')}`
  )
    .trim()
    .split(/\s+/)
    .map(Number);
  const cores = Number(quota) / Number(period);
  return cores > 0 ? cores : Number.POSITIVE_INFINITY;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // No Linux, or no such controller.
    return '';
  }
}
