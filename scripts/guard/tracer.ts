// shell · strace: finds it, fetches it from the machine's own Debian where it is missing, and asks whether it may trace.
// Must never let a measure that can't be made here look like one that was made: it says why.
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { libraryFolders } from '../bench/program-places.ts';
import { attempt, run } from '../bootstrap/command.ts';
import { isSupportedDebian } from '../bootstrap/debian.ts';
import { Failure } from '../bootstrap/failure.ts';
import { downloadPackages, readOsRelease } from '../bootstrap/packages.ts';
import type { Progress } from '../bootstrap/progress.ts';
import { CACHE } from '../bootstrap/project.ts';
import { TRACED } from './calls.ts';

const FETCHED = join(CACHE, 'strace');
const TIMEOUT_MS = 10_000;

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
  return { why: 'strace is not installed' };
}

/** As `findTracer`, and fetches strace into .cache where there is none; that needs no root and installs nothing. */
export async function prepareTracer(progress: Progress): Promise<Tracer> {
  const found = await findTracer(progress.signal);
  if ('command' in found || found.why !== 'strace is not installed') return found;
  if (!isSupportedDebian(await readOsRelease())) return found;
  try {
    await fetchStrace(progress);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { why: `${found.why}, and ${error.message.replace(/\.$/, '')}` };
  }
  return await findTracer(progress.signal);
}

async function fetchStrace(progress: Progress): Promise<void> {
  progress.phase('fetching strace');
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(CACHE, '.strace-'));
  const root = join(work, 'root');
  try {
    for (const path of await downloadPackages(['strace'], join(work, 'downloads'), progress)) {
      // The C library has to be the one that the machine's own loader belongs to.
      if (/^lib(c6|gcc-s1)_/.test(basename(path))) continue;
      await run('dpkg-deb', ['--extract', path, root], {
        timeoutMs: TIMEOUT_MS,
        signal: progress.signal,
        failure: { what: `${basename(path)} could not be unpacked`, next: 'Install strace yourself.' },
      });
    }
    await rm(FETCHED, { recursive: true, force: true });
    await rename(root, FETCHED);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
