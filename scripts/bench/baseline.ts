// shell · another version of this project's proxy, to compare the one that is here with: a folder, or a commit.
// Must never touch the working tree: a commit is unpacked beside it.
import { mkdtemp, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { callerPath } from '../../services/shared/config.ts';
import { attempt, run } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { isThere } from '../kit/is-there.ts';
import { makeFolder } from '../kit/make-folder.ts';
import { oneAtATime } from '../kit/one-at-a-time.ts';
import type { Progress } from '../kit/progress.ts';
import { CACHE, ROOT } from '../kit/project.ts';
import { PROXY_MAIN } from '../kit/proxy-process.ts';

/** Whose commits they are, and where they are unpacked to. */
type Places = { root: string; unpacked: string };

const PLACES: Places = { root: ROOT, unpacked: join(CACHE, 'bench', 'baseline') };
// What the proxy is made of; its packages are those of the project around it.
const PARTS = ['services', 'package.json'];
const TIMEOUT_MS = 60_000;
// A hook of another repository's git would have all commands look there.
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')),
);
const NEXT =
  'Give --baseline a commit of this repository (a tag, a branch, HEAD~3), or the folder of another checkout.';
// One that every version has needed.
const ANY_PACKAGE = join('node_modules', 'yargs');

/** Another version of the proxy. */
export type Baseline = {
  /** Where it lies. */
  root: string;
  /** Which it is, in words. */
  version: string;
  /** What names it for good, for `--baseline`. */
  name: string;
};

/**
 * Finds the version to compare with. A folder is taken as it is; a commit is unpacked into .cache/bench, once.
 * @param wanted the folder of a checkout, counted from where npm was called, or what git takes for a commit
 * @throws Failure when it is neither, has no proxy, or can't be unpacked
 */
export async function prepareBaseline(
  wanted: string,
  progress: Progress,
  places: Places = PLACES,
): Promise<Baseline> {
  const folder = callerPath(wanted);
  if (await isThere(join(folder, PROXY_MAIN))) {
    const root = await realpath(folder);
    await requirePackages(root);
    return { root, version: await describeFolder(root, progress.signal), name: root };
  }
  const commit = await commitOf(wanted, places, progress.signal);
  if (commit === null) {
    const what = `"${wanted}" is no folder with a proxy (${join(folder, PROXY_MAIN)}), and no commit of this repository.`;
    throw new Failure(what, NEXT, { exitCode: 2 });
  }
  if ((await git(['-C', places.root, 'ls-tree', commit, PROXY_MAIN], progress.signal)) === '') {
    throw new Failure(`There was no proxy yet in ${wanted}: it has no ${PROXY_MAIN}.`, NEXT, { exitCode: 2 });
  }
  const root = join(places.unpacked, commit);
  // Two runs may want the same.
  await oneAtATime('baseline', TIMEOUT_MS, progress.signal, async () => {
    if (!(await isThere(join(root, PROXY_MAIN)))) await unpack(commit, places, progress);
  });
  return { root, version: `commit ${commit.slice(0, 7)}`, name: commit };
}

// Node looks for them in the folder and in all above it.
async function requirePackages(root: string): Promise<void> {
  for (let folder = root; !(await isThere(join(folder, ANY_PACKAGE))); folder = dirname(folder)) {
    if (folder !== dirname(folder)) continue;
    const next = `Run "npm ci" in it, or give --baseline its commit: that needs no packages of its own.`;
    throw new Failure(`The checkout in ${root} has no packages installed.`, next, { exitCode: 2 });
  }
}

async function describeFolder(folder: string, signal: AbortSignal): Promise<string> {
  // Below the top of a repository, its commit says nothing of the folder.
  const top = await git(['-C', folder, 'rev-parse', '--show-toplevel'], signal);
  if (top !== folder) return folder;
  const commit = await git(['-C', folder, 'describe', '--always', '--dirty'], signal);
  return commit === '' ? folder : `${folder}, commit ${commit}`;
}

async function commitOf(wanted: string, { root }: Places, signal: AbortSignal): Promise<string | null> {
  const args = ['-C', root, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${wanted}^{commit}`];
  const commit = await git(args, signal);
  return /^[0-9a-f]{40,64}$/.test(commit) ? commit : null;
}

// '' when it does not know.
async function git(args: readonly string[], signal: AbortSignal): Promise<string> {
  const { isOk, outcome, stdout } = await attempt('git', args, {
    env: ENVIRONMENT,
    signal,
    timeoutMs: TIMEOUT_MS,
  });
  if (outcome === 'not found') {
    const next = 'Install it, or give --baseline a folder.';
    throw new Failure('There is no git, which knows the commits.', next, { exitCode: 2 });
  }
  return isOk ? stdout.trim() : '';
}

// Under another name first: one that is half unpacked must not be measured.
async function unpack(commit: string, { root, unpacked }: Places, progress: Progress): Promise<void> {
  const failure = {
    what: `Commit ${commit} could not be unpacked into ${unpacked}`,
    next: 'Is there room on the disk?',
  };
  const options = { env: ENVIRONMENT, signal: progress.signal, timeoutMs: TIMEOUT_MS, failure };
  let unfinished: string | null = null;
  try {
    await makeFolder(unpacked);
    unfinished = await mkdtemp(join(unpacked, 'unpacking-'));
    const archive = join(unfinished, 'all.tar');
    await run('git', ['-C', root, 'archive', '--output', archive, commit, ...PARTS], options);
    await run('tar', ['-x', '-f', archive, '-C', unfinished], options);
    await rm(archive);
    const place = join(unpacked, commit);
    // What is there and has no proxy is nobody's.
    await rm(place, { recursive: true, force: true });
    await rename(unfinished, place);
  } catch (error) {
    if (unfinished !== null) await rm(unfinished, { recursive: true, force: true });
    if (progress.signal.aborted || error instanceof Failure) throw error;
    throw new Failure(`${failure.what}: ${(error as Error).message}.`, 'Is the folder writable?');
  }
}
