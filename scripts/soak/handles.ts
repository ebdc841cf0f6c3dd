// shell · the open files of a process, as Linux lists them under /proc/PID/fd. Only looks.
// Must never count what the look itself opens: it reads another process.
import { readdirSync, readlinkSync } from 'node:fs';
import type { Handles } from './journal.ts';

/** The open files of a process by kind, at this moment; all 0 when it has ended. */
export function readHandles(pid: number): Handles {
  const handles: Handles = { total: 0, sockets: 0, pipes: 0, files: 0, others: 0 };
  for (const target of targetsOf(pid)) {
    handles.total += 1;
    handles[kindOf(target)] += 1;
  }
  return handles;
}

function kindOf(target: string): Exclude<keyof Handles, 'total'> {
  if (target.startsWith('socket:')) return 'sockets';
  if (target.startsWith('pipe:')) return 'pipes';
  return target.startsWith('/') ? 'files' : 'others';
}

function targetsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => targetOf(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

// One that was closed since it was listed is open no more.
function targetOf(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return [];
  }
}
