// shell · the limit of open files: raised where the machine allows that, and read from a process that runs.
// Must never lower it.
import { readFileSync } from 'node:fs';

const WANTED_FILES = 65_536;

// The soft limit is raised by Node itself, up to the hard one. The hard one takes root, and is worth a try.
const RAISE = `case $(ulimit -Hn) in unlimited) ;; *) [ "$(ulimit -Hn)" -ge ${WANTED_FILES} ] || ulimit -n ${WANTED_FILES} ;; esac 2>/dev/null
exec "$0" "$@"`;

/** The same program with as many open files as this machine allows it. Its process id is that of what is started. */
export function withManyFiles({ command, args }: { command: string; args: readonly string[] }): {
  command: string;
  args: string[];
} {
  return { command: 'sh', args: ['-c', RAISE, command, ...args] };
}

/** How many files a process may have open. */
export function openFilesOf(pid: number): number {
  return parseOpenFiles(readFileSync(`/proc/${pid}/limits`, 'utf8'));
}

/** @param limits the text of /proc/PID/limits */
export function parseOpenFiles(limits: string): number {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}
