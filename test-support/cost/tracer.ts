// shell · strace: finds it, fetches it from the machine's own Debian where it is missing, and asks whether it may trace.
// Must never let a measure that can't be made here look like one that was made: it says why.
import { join } from 'node:path';
import { attempt } from '../../scripts/kit/command.ts';
import { Failure } from '../../scripts/kit/failure.ts';
import { fetchPackages } from '../../scripts/kit/fetch-packages.ts';
import { libraryFolders } from '../../scripts/kit/program-places.ts';
import type { Progress } from '../../scripts/kit/progress.ts';
import { CACHE } from '../../scripts/kit/project.ts';
import { TRACED } from './calls.ts';

const FETCHED = join(CACHE, 'strace');
const TIMEOUT_MS = 10_000;
const NOT_INSTALLED = 'strace is not installed';

/** A way to count system calls: what a program is started by, its output's file being the last word. Or why there is none. */
export type Tracer = { command: readonly string[] } | { why: string };

// A fetched one needs libraries of its own, and the program that it traces must not get them.
const COMMANDS = [
  ['strace'],
  [
    'env',
    `LD_LIBRARY_PATH=${libraryFolders(FETCHED, process.arch).join(':')}`,
    join(FETCHED, 'usr', 'bin', 'strace'),
    '-E',
    'LD_LIBRARY_PATH',
  ],
];

/** Looks whether there is a strace, and whether it may trace here. */
export async function findTracer(signal: AbortSignal): Promise<Tracer> {
  for (const [program = '', ...args] of COMMANDS) {
    const version = await attempt(program, [...args, '--version'], { timeoutMs: TIMEOUT_MS, signal });
    if (!version.isOk) continue;
    const tried = [...args, '-o', '/dev/null', 'true'];
    const { isOk, outcome, tail } = await attempt(program, tried, { timeoutMs: TIMEOUT_MS, signal });
    // Node runs JavaScript on the first thread, and without `-f` no other is traced.
    const options = ['-qq', '-e', `trace=${TRACED}`, '-e', 'signal=none', '-o'];
    if (isOk) return { command: [program, ...args, ...options] };
    return { why: `strace may not trace here: ${tail.split('\n')[0] || outcome}` };
  }
  return { why: NOT_INSTALLED };
}

/** As `findTracer`, and fetches strace into .cache where there is none; that needs no root and installs nothing. */
export async function prepareTracer(progress: Progress): Promise<Tracer> {
  const found = await findTracer(progress.signal);
  if ('command' in found || found.why !== NOT_INSTALLED) return found;
  try {
    await fetchPackages(['strace'], FETCHED, progress);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { why: `${NOT_INSTALLED}: ${error.message.replace(/\.$/, '')}` };
  }
  return await findTracer(progress.signal);
}
