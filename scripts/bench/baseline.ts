// shell · another version of this project's proxy, to compare the one that is here with: a folder, or a commit.
// Must never touch the working tree: a commit is unpacked beside it.
import { access, mkdtemp, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { attempt, run } from '../bootstrap/command.ts';
import { Failure } from '../bootstrap/failure.ts';
import { makeFolder } from '../bootstrap/make-folder.ts';
import type { Progress } from '../bootstrap/progress.ts';
import { CACHE, ROOT } from '../bootstrap/project.ts';
import { PROXY_MAIN } from './default-proxy.ts';

/** Whose commits they are, and where they are unpacked to. */
type Places = { root: string; unpacked: string };

const PLACES: Places = { root: ROOT, unpacked: join(CACHE, 'bench', 'baseline') };
// What the proxy is made of; its packages are those of the project around it.
const PARTS = ['services', 'package.json'];
const TIMEOUT_MS = 60_000;
const NEXT =
  'Give --baseline a commit of this repository (a tag, a branch, HEAD~3), or the folder of another checkout.';

/** Where it lies, and which version it is, in words. */
export type Baseline = { root: string; version: string };

/**
 * Finds the version to compare with. A folder is taken as it is; a commit is unpacked into .cache/bench, once.
 * @param wanted the folder of a checkout, or what git takes for a commit
 * @throws Failure when it is neither, or has no proxy
 */
export async function prepareBaseline(
  wanted: string,
  progress: Progress,
  places: Places = PLACES,
): Promise<Baseline> {
  const folder = resolve(wanted);
  if (await isThere(join(folder, PROXY_MAIN))) {
    return { root: folder, version: await describeFolder(folder, progress.signal) };
  }
  const commit = await commitOf(wanted, places, progress.signal);
  if (commit === null) {
    const what = `"${wanted}" is no folder with a proxy (${PROXY_MAIN}), and no commit of this repository.`;
    throw new Failure(what, NEXT, { exitCode: 2 });
  }
  if ((await git(['-C', places.root, 'ls-tree', commit, PROXY_MAIN], progress.signal)) === '') {
    throw new Failure(`There was no proxy yet in ${wanted}: it has no ${PROXY_MAIN}.`, NEXT, { exitCode: 2 });
  }
  const root = join(places.unpacked, commit);
  if (!(await isThere(root))) await unpack(commit, places, progress);
  return { root, version: `commit ${commit.slice(0, 7)}` };
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function describeFolder(folder: string, signal: AbortSignal): Promise<string> {
  // Below the top of a repository, its commit says nothing of the folder.
  const below = await attempt('git', ['-C', folder, 'rev-parse', '--show-prefix'], {
    signal,
    timeoutMs: TIMEOUT_MS,
  });
  if (!below.isOk || below.stdout.trim() !== '') return folder;
  return `${folder}, commit ${await git(['-C', folder, 'describe', '--always', '--dirty'], signal)}`;
}

async function commitOf(wanted: string, { root }: Places, signal: AbortSignal): Promise<string | null> {
  const args = ['-C', root, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${wanted}^{commit}`];
  return (await git(args, signal)) || null;
}

async function git(args: readonly string[], signal: AbortSignal): Promise<string> {
  const { isOk, stdout } = await attempt('git', args, { signal, timeoutMs: TIMEOUT_MS });
  return isOk ? stdout.trim() : '';
}

// Under another name first: one that is half unpacked must not be measured.
async function unpack(commit: string, { root, unpacked }: Places, progress: Progress): Promise<void> {
  await makeFolder(unpacked);
  const unfinished = await mkdtemp(join(unpacked, 'unpacking-'));
  const options = {
    signal: progress.signal,
    timeoutMs: TIMEOUT_MS,
    failure: { what: `Commit ${commit} could not be unpacked`, next: NEXT },
  };
  try {
    const archive = join(unfinished, 'all.tar');
    await run('git', ['-C', root, 'archive', '--output', archive, commit, ...PARTS], options);
    await run('tar', ['-x', '-f', archive, '-C', unfinished], options);
    await rm(archive);
    await rename(unfinished, join(unpacked, commit));
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}
