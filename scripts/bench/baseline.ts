// Another version of this project's proxy to compare with: the folder of a checkout, or a commit, which is unpacked.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { callerPath } from '../../services/shared/config.ts';
import { attempt, run } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { oneAtATime } from '../kit/install.ts';
import { CACHE, ROOT } from '../kit/project.ts';
import { PROXY_MAIN } from '../kit/proxy-process.ts';
import type { Progress } from '../kit/steps.ts';

const PLACES = { root: ROOT, unpacked: join(CACHE, 'bench', 'baselines') };
// What the proxy is made of; its packages are those of the project around it.
const PARTS = ['services', 'package.json'];
const TIMEOUT_MS = 60_000;
// A hook of another repository's git would have all commands look there.
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')),
);
const NEXT =
  'Give --baseline a commit of this repository (a tag, a branch, HEAD~3), or the folder of another checkout.';

/** Another version of the proxy. */
export type Baseline = {
  /** The folder it lies in. */
  root: string;
  /** Its commit or folder, for the report. */
  version: string;
};

/**
 * Finds the version to compare with. A folder is taken as it is; a commit is unpacked into .cache/bench, once.
 * @param wanted the folder of a checkout, counted from where npm was called, or what git takes for a commit
 * @throws Failure when it is neither, has no proxy, or can't be unpacked
 */
export async function prepareBaseline(
  wanted: string,
  progress: Progress,
  places: typeof PLACES = PLACES,
): Promise<Baseline> {
  const folder = callerPath(wanted);
  if (existsSync(join(folder, PROXY_MAIN))) {
    const root = await realpath(folder);
    return { root, version: await describeFolder(root, progress.signal) };
  }
  const hash = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${wanted}^{commit}`];
  const commit = await git(places.root, hash, progress.signal);
  if (!/^[0-9a-f]{40,64}$/.test(commit)) {
    const what = `"${wanted}" is no folder with a proxy (${join(folder, PROXY_MAIN)}), and no commit of this repository.`;
    throw new Failure(what, NEXT, { exitCode: 2 });
  }
  const root = join(places.unpacked, commit);
  // Two runs may want the same.
  await oneAtATime('baseline', progress.signal, async () => {
    if (!existsSync(join(root, PROXY_MAIN))) await unpack(commit, root, places.root, progress);
  });
  return { root, version: `commit ${commit.slice(0, 7)}` };
}

async function describeFolder(folder: string, signal: AbortSignal): Promise<string> {
  // A folder below the top of a repository need not belong to its commit.
  const top = await git(folder, ['rev-parse', '--show-toplevel'], signal);
  const commit = top === folder ? await git(folder, ['describe', '--always', '--dirty'], signal) : '';
  return commit === '' ? folder : `${folder}, commit ${commit}`;
}

// '' when git fails.
async function git(folder: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  const options = { env: ENVIRONMENT, signal, timeoutMs: TIMEOUT_MS };
  const { isOk, outcome, stdout } = await attempt('git', ['-C', folder, ...args], options);
  if (outcome !== 'not found') return isOk ? stdout.trim() : '';
  const next = 'Install it, or give --baseline a folder.';
  throw new Failure('There is no git, which knows the commits.', next, { exitCode: 2 });
}

// Under another name first: one that is half unpacked must not be measured.
async function unpack(commit: string, place: string, root: string, progress: Progress): Promise<void> {
  const failure = {
    what: `Commit ${commit} could not be unpacked into ${dirname(place)}`,
    next: 'Is there room on the disk, and is the folder writable?',
  };
  const options = { env: ENVIRONMENT, signal: progress.signal, timeoutMs: TIMEOUT_MS, failure };
  try {
    await mkdir(dirname(place), { recursive: true });
    const unfinished = await mkdtemp(join(dirname(place), 'unpacking-'));
    try {
      const archive = join(unfinished, 'all.tar');
      await run('git', ['-C', root, 'archive', '--output', archive, commit, ...PARTS], options);
      await run('tar', ['-x', '-f', archive, '-C', unfinished], options);
      await rm(archive);
      // The page's files are found by their path, not by where node looks for packages.
      await symlink(join(root, 'node_modules'), join(unfinished, 'node_modules'));
      // What lies there has no proxy.
      await rm(place, { recursive: true, force: true });
      await rename(unfinished, place);
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  } catch (error) {
    if (progress.signal.aborted || error instanceof Failure) throw error;
    throw new Failure(`${failure.what}: ${(error as Error).message}.`, failure.next);
  }
}
