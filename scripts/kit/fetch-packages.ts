// shell · Debian packages that are unpacked into a folder, to be run from there.
// Must never install them: the packages of HAProxy and nginx start a service, nginx's on port 80.
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { run } from './command.ts';
import { isSupportedDebian } from './debian.ts';
import { Failure } from './failure.ts';
import { downloadPackages, readOsRelease } from './packages.ts';
import type { Progress } from './progress.ts';

/** A folder in the place, with an empty file by the name of each package that was unpacked there. */
export const PACKAGE_NAMES = '.packages';

/**
 * Fetches packages of the machine's own Debian with all that they need, and unpacks them. Needs no root.
 * @param place the folder to make; what was there is replaced
 * @throws Failure, with exit code 2 where this is no Debian
 */
export async function fetchPackages(
  packages: readonly string[],
  place: string,
  progress: Progress,
): Promise<void> {
  const os = await readOsRelease();
  if (!isSupportedDebian(os)) {
    throw new Failure(
      `${packages.join(', ')} can only be fetched on Debian 12 and 13, and this is ${os.name}.`,
      'Install them yourself, or leave what needs them out with --targets.',
      { exitCode: 2 },
    );
  }
  const parent = dirname(place);
  await mkdir(parent, { recursive: true });
  const work = await mkdtemp(join(parent, '.fetching-'));
  try {
    progress.phase(`fetching ${packages.join(', ')}`);
    const paths = await downloadPackages(packages, join(work, 'downloads'), progress);
    const root = join(work, 'root');
    await unpack(paths, root, progress);
    // Only what is whole gets its name.
    await rm(place, { recursive: true, force: true });
    await rename(root, place);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function unpack(paths: readonly string[], root: string, progress: Progress): Promise<void> {
  progress.phase(`unpacking ${paths.length} packages`);
  await mkdir(join(root, PACKAGE_NAMES), { recursive: true });
  for (const path of paths) {
    const name = basename(path);
    // The C library has to be the one that the machine's own loader belongs to.
    if (/^lib(c6|gcc-s1)_/.test(name)) continue;
    await writeFile(join(root, PACKAGE_NAMES, name), '');
    const failure = {
      what: `${name} could not be unpacked`,
      next: 'Is there space on the disk? Leave what needs it out with --targets.',
    };
    await run('dpkg-deb', ['--extract', path, root], { timeoutMs: 60_000, signal: progress.signal, failure });
  }
}
