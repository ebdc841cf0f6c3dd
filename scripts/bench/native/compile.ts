// shell · makes programs of the C sources in this folder: finds or installs a compiler, and compiles what has changed.
// Must never install anything where a compiler and OpenSSL's headers are there.
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { attempt, run } from '../../kit/command.ts';
import { isSupportedDebian } from '../../kit/debian.ts';
import { Failure } from '../../kit/failure.ts';
import { oneAtATime } from '../../kit/one-at-a-time.ts';
import { installPackages, readOsRelease } from '../../kit/packages.ts';
import type { Progress } from '../../kit/progress.ts';
import { CACHE } from '../../kit/project.ts';

const SOURCES = import.meta.dirname;
// The first one names the program.
const PROGRAMS = {
  load: ['load.c', 'exchange.c', 'load-options.c', 'requests.c', 'tally.c'],
  server: ['server.c', 'session.c', 'packet.c'],
} as const;
const NAMES = Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[];
const OUTPUT = join(CACHE, 'bench');
// Without its recommendations gcc comes without the C library's headers.
const PACKAGES = ['gcc', 'libc6-dev', 'libssl-dev'];
const FLAGS = ['-std=c11', '-O2', '-Wall', '-Wextra'];
const LIBRARIES = ['-lcrypto', '-lm'];
const TIMEOUT_MS = 60_000;
const INSTALL_TIMEOUT_MS = 900_000;

/** Where the compiled programs lie: the load generator and the SHA-1 server. */
export type NativePrograms = Readonly<Record<keyof typeof PROGRAMS, string>>;

/**
 * Makes sure that the generator and the server are compiled from the sources as they are now.
 * @throws Failure, with exit code 2 where there is no compiler and none can be installed
 */
export async function prepareNative(progress: Progress): Promise<NativePrograms> {
  if (process.platform !== 'linux') {
    throw new Failure(`The benchmark needs Linux, and this is ${process.platform}.`, 'Run it on Linux.', {
      exitCode: 2,
    });
  }
  const newestMs = await newestSourceMs();
  const changes = await Promise.all(NAMES.map((name) => changedMs(outputOf(name))));
  if (changes.some((ms) => ms <= newestMs)) {
    await prepareCompiler(progress);
    await mkdir(OUTPUT, { recursive: true });
    progress.phase('compiling the generator and the server');
    await Promise.all(NAMES.map((name) => compile(PROGRAMS[name], outputOf(name), progress)));
  }
  return { load: outputOf('load'), server: outputOf('server') };
}

/** The compiler's complaints about all sources, '' when it has none. */
export async function compilerWarnings(progress: Progress): Promise<string> {
  await prepareCompiler(progress);
  const sources = NAMES.flatMap((name) => [...PROGRAMS[name]]);
  const options = { cwd: SOURCES, signal: progress.signal, timeoutMs: TIMEOUT_MS };
  const { isOk, outcome, tail } = await attempt('gcc', [...FLAGS, '-fsyntax-only', ...sources], options);
  return isOk ? tail : `${outcome}\n${tail}`;
}

async function prepareCompiler(progress: Progress): Promise<void> {
  if (await hasCompiler(progress.signal)) return;
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !isSupportedDebian(await readOsRelease())) {
    throw new Failure(
      'The benchmark needs a C compiler (gcc) and the headers of OpenSSL 3.',
      `Install them (on Debian: apt-get install ${PACKAGES.join(' ')}), then run the command again.`,
      { exitCode: 2 },
    );
  }
  await oneAtATime('packages', INSTALL_TIMEOUT_MS, progress.signal, async () => {
    if (await hasCompiler(progress.signal)) return;
    await installPackages(PACKAGES, progress, { isFromOwnSuite: true });
  });
}

async function hasCompiler(signal: AbortSignal): Promise<boolean> {
  const args = ['-fsyntax-only', '-include', 'openssl/evp.h', '-x', 'c', '/dev/null'];
  return (await attempt('gcc', args, { signal, timeoutMs: TIMEOUT_MS })).isOk;
}

// Under another name first: a program that runs must not be overwritten, nor one be run that is half written.
async function compile(sources: readonly string[], output: string, progress: Progress): Promise<void> {
  const unfinished = `${output}.${process.pid}`;
  await run('gcc', [...FLAGS, '-o', unfinished, ...sources, ...LIBRARIES], {
    cwd: SOURCES,
    signal: progress.signal,
    timeoutMs: TIMEOUT_MS,
    onLine: progress.line,
    failure: {
      what: `${sources[0]} could not be compiled`,
      next: 'It needs gcc and OpenSSL 3: see the lines above.',
    },
  });
  await rename(unfinished, output);
}

function outputOf(name: keyof typeof PROGRAMS): string {
  return join(OUTPUT, basename(PROGRAMS[name][0], '.c'));
}

async function newestSourceMs(): Promise<number> {
  const names = (await readdir(SOURCES)).filter((name) => /\.[ch]$/.test(name));
  return Math.max(...(await Promise.all(names.map((name) => changedMs(join(SOURCES, name))))));
}

async function changedMs(path: string): Promise<number> {
  const found = await stat(path).catch(() => null);
  return found?.mtimeMs ?? 0;
}
