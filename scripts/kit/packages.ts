// shell · apt with a configuration of its own, made from the machine's sources. Must never change the user's apt set-up.
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import {
  type AptSource,
  DOCKER_SUITE,
  findDebianSources,
  formatPreferences,
  formatSources,
  needsNewerSuite,
  type OsRelease,
  parseOsRelease,
} from './debian.ts';
import { Failure } from './failure.ts';
import type { Progress } from './progress.ts';
import { CACHE } from './project.ts';

const SOURCES_FILE = '/etc/apt/sources.list';
const SOURCES_DIRECTORY = '/etc/apt/sources.list.d';
const DIRECTORY = join(CACHE, 'apt');
const LISTS_MAX_AGE_MS = 3_600_000;
const UPDATE_TIMEOUT_MS = 180_000;
const INSTALL_TIMEOUT_MS = 600_000;
const UNPACK_TIMEOUT_MS = 60_000;
const NEXT =
  'Check the network and the machine\'s apt sources ("apt-get update"), then run the command again.';

/** The machine's os-release; an unknown system when there is none. */
export async function readOsRelease(): Promise<OsRelease> {
  return parseOsRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''));
}

/**
 * The archives of the machine's own Debian, as its apt sources name them.
 * @throws Failure when there are none
 */
async function readDebianSources(os: OsRelease): Promise<AptSource[]> {
  const names = await readdir(SOURCES_DIRECTORY).catch(() => []);
  const paths = names
    .filter((name) => /\.(list|sources)$/.test(name))
    .map((name) => join(SOURCES_DIRECTORY, name));
  const texts = await Promise.all(
    [SOURCES_FILE, ...paths].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  const sources = findDebianSources(texts, os.codename);
  if (sources.length > 0) return sources;
  throw new Failure(
    `The machine's apt sources do not name Debian "${os.codename}".`,
    `Add Debian's archive to ${SOURCES_DIRECTORY}, or install Docker Engine and Compose yourself, then run the command again.`,
    { exitCode: 2 },
  );
}

/**
 * Installs Debian packages without recommendations. On a Debian before 13 the named ones come from Debian 13 and all
 * that they need from the machine's own, so that nothing that is installed is raised or removed.
 * @param isFromOwnSuite the named ones come from the machine's own Debian as well
 * @throws Failure with apt's last lines
 */
export async function installPackages(
  packages: readonly string[],
  progress: Progress,
  { isFromOwnSuite = false } = {},
): Promise<void> {
  const options = await prepareApt(isFromOwnSuite ? [] : packages, progress);
  progress.phase(`installing ${packages.join(', ')}`);
  await run(
    'apt-get',
    [...options, 'install', '--yes', '--no-install-recommends', '--no-remove', ...packages],
    {
      signal: progress.signal,
      onLine: progress.line,
      timeoutMs: INSTALL_TIMEOUT_MS,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      failure: { what: `${packages.join(', ')} could not be installed`, next: NEXT },
    },
  );
}

/**
 * Fetches packages of the machine's own Debian and everything that they need into a folder, installing nothing.
 * Needs no root.
 * @returns the paths of the packages
 * @throws Failure with apt's last lines
 */
export async function downloadPackages(
  packages: readonly string[],
  directory: string,
  progress: Progress,
): Promise<string[]> {
  const options = await prepareApt([], progress);
  const status = join(directory, 'status');
  await mkdir(join(directory, 'partial'), { recursive: true });
  // With nothing installed, apt has to fetch every dependency.
  await writeFile(status, '');
  const settings = asOptions({ 'Dir::State::Status': status, 'Dir::Cache::Archives': directory });
  const command = ['install', '--yes', '--no-install-recommends', '--download-only'];
  await run('apt-get', [...options, ...settings, ...command, ...packages], {
    signal: progress.signal,
    onLine: progress.line,
    timeoutMs: INSTALL_TIMEOUT_MS,
    failure: { what: `${packages.join(', ')} could not be fetched`, next: NEXT },
  });
  return (await readdir(directory))
    .filter((name) => name.endsWith('.deb'))
    .map((name) => join(directory, name));
}

/**
 * Unpacks a package into a folder, installing nothing.
 * @throws Failure with the words of `failure`
 */
export async function unpackPackage(
  path: string,
  folder: string,
  signal: AbortSignal,
  failure: { what: string; next: string },
): Promise<void> {
  await run('dpkg-deb', ['--extract', path, folder], { timeoutMs: UNPACK_TIMEOUT_MS, signal, failure });
}

// The lists stay in .cache for a while, because a first start needs them twice.
async function prepareApt(fromNewerSuite: readonly string[], progress: Progress): Promise<string[]> {
  const os = await readOsRelease();
  const suite = needsNewerSuite(os) ? DOCKER_SUITE : os.codename;
  const [list, pins, lists, stamp] = ['sources.list', 'preferences', 'lists', 'updated'].map((name) =>
    join(DIRECTORY, name),
  ) as [string, string, string, string];
  await mkdir(join(lists, 'partial'), { recursive: true });
  await writeFile(list, formatSources(await readDebianSources(os), os.codename, suite));
  await writeFile(pins, formatPreferences(suite, fromNewerSuite));
  const options = asOptions({
    'Dir::Etc::SourceList': list,
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': pins,
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Dir::State::Lists': lists,
    // The caches describe the user's own lists.
    'Dir::Cache::PkgCache': '',
    'Dir::Cache::SrcPkgCache': '',
    // The folder may lie where apt's own user can't read.
    'APT::Sandbox::User': 'root',
    'Acquire::Retries': '3',
    'DPkg::Lock::Timeout': '60',
  });
  const age =
    Date.now() -
    (await stat(stamp)
      .then(({ mtimeMs }) => mtimeMs)
      .catch(() => 0));
  if (age < LISTS_MAX_AGE_MS) return options;
  progress.phase("reading Debian's package lists");
  await run('apt-get', [...options, 'update'], {
    signal: progress.signal,
    onLine: progress.line,
    timeoutMs: UPDATE_TIMEOUT_MS,
    failure: { what: "Debian's package lists could not be read", next: NEXT },
  });
  await writeFile(stamp, '');
  return options;
}

function asOptions(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}
