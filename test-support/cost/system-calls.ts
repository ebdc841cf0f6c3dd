// strace: which system calls a program makes between two marks that it writes.
import { attempt } from '../../scripts/kit/command.ts';
import { Failure } from '../../scripts/kit/failure.ts';
import { requireInstalled } from '../../scripts/kit/install.ts';
import { SILENT } from '../../scripts/kit/steps.ts';
import { traceMark } from './marks.ts';

const TIMEOUT_MS = 10_000;
// Node runs JavaScript on the first thread, and without `-f` no other is traced. Calls of the network and on descriptors.
const OPTIONS = ['-qq', '-e', 'trace=%network,%desc', '-e', 'signal=none', '-o'];
// Waiting comes with the clock's ticks: a loop that wakes up more often on a slow machine costs no request more. Memory is
// V8's own business.
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

/**
 * What a program is started by so that its system calls are written into a file, whose path is the last word; or why
 * that is not possible here. strace is installed where it is missing and root runs this.
 */
export async function prepareTracer(): Promise<{ command: readonly string[] } | { why: string }> {
  const isThere = async () => (await attempt('strace', ['--version'], { timeoutMs: TIMEOUT_MS })).isOk;
  try {
    await requireInstalled('strace', ['strace'], isThere, SILENT);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { why: `${error.message} ${error.next}` };
  }
  const tried = await attempt('strace', ['-o', '/dev/null', 'true'], { timeoutMs: TIMEOUT_MS });
  if (tried.isOk) return { command: ['strace', ...OPTIONS] };
  return { why: `strace may not trace here: ${tried.tail.split('\n')[0] || tried.outcome}` };
}

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
    .map(([name, calls]) => [name, (calls / requests).toFixed(requests > 1000 ? 3 : 2)] as const)
    .filter(([, share]) => Number(share) > 0)
    .map(([name, share]) => `${name} ${share}`)
    .join(', ');
}
