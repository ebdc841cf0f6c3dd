// pure · what strace has written (one line per system call) → how many calls lie between two marks.
// Must never count what the clock causes: a loop that wakes up more often on a slow machine costs no request more.
import { traceMark } from './reading.ts';

// Waiting comes with the clock's ticks too, and memory is V8's own business.
const NOT_COUNTED = new Set([
  'epoll_wait',
  'epoll_pwait',
  'epoll_pwait2',
  'mmap',
  'mmap2',
  'munmap',
  'mprotect',
  'madvise',
]);

/** Which calls strace has to trace: those of the network and those on file descriptors. */
export const TRACED = '%network,%desc';

/**
 * @param trace strace's output of the one thread that works, without `-f`
 * @param name  the measure whose marks the proxy has written
 * @returns the number of calls by their name, the marks' own left out
 * @throws RangeError when a mark is missing
 */
export function countCalls(trace: string, name: string): Map<string, number> {
  const lines = trace.split('\n');
  const from = lines.findIndex((line) => line.includes(`"${traceMark(name, 'begin')}"`));
  const to = lines.findIndex((line) => line.includes(`"${traceMark(name, 'end')}"`));
  if (from === -1 || to < from) throw new RangeError(`The trace has no beginning or no end of "${name}".`);
  const counts = new Map<string, number>();
  for (const line of lines.slice(from + 1, to)) {
    const call = /^(\w+)\(/.exec(line)?.[1];
    if (call === undefined || NOT_COUNTED.has(call)) continue;
    counts.set(call, (counts.get(call) ?? 0) + 1);
  }
  return counts;
}

/** All of them together. */
export function totalCalls(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, each) => sum + each, 0);
}

/** Which they are, per request, the most frequent first: `read 3.00, write 2.00`. */
export function describeCalls(counts: ReadonlyMap<string, number>, requests: number): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => [name, (count / requests).toFixed(requests > 1000 ? 3 : 2)] as const)
    .filter(([, share]) => Number(share) > 0)
    .map(([name, share]) => `${name} ${share}`)
    .join(', ');
}
