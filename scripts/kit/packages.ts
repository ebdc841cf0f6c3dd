// shell · Debian's packages, through apt with a configuration of its own: the user's stays as it is.
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseEnv } from 'node:util';
import { run } from './command.ts';
import { Failure } from './failure.ts';
import { CACHE } from './project.ts';
import type { Progress } from './steps.ts';

/** The first Debian whose packages hold an Engine and Compose that are recent enough. */
const DOCKER_SUITE = 'trixie';
const DOCKER_VERSION = 13;
const OLDEST_VERSION = 12;
const SOURCES_FILE = '/etc/apt/sources.list';
const SOURCES_DIRECTORY = '/etc/apt/sources.list.d';
const DIRECTORY = join(CACHE, 'apt');
const SOURCES = join(DIRECTORY, 'sources');
const PINS = join(DIRECTORY, 'preferences');
const LISTS = join(DIRECTORY, 'lists');
const STAMP = join(DIRECTORY, 'updated');
const LISTS_MAX_AGE_MS = 3_600_000;
const UPDATE_TIMEOUT_MS = 180_000;
const INSTALL_TIMEOUT_MS = 600_000;
const OPTIONS = asOptions({
  'Dir::Etc::SourceList': '/dev/null',
  'Dir::Etc::SourceParts': SOURCES,
  'Dir::Etc::Preferences': PINS,
  'Dir::Etc::PreferencesParts': '/dev/null',
  'Dir::State::Lists': LISTS,
  // The caches describe the user's own lists.
  'Dir::Cache::PkgCache': '',
  'Dir::Cache::SrcPkgCache': '',
  'Acquire::IndexTargets::deb-src::Sources::DefaultEnabled': 'false',
  // The folder may lie where apt's own user can't read.
  'APT::Sandbox::User': 'root',
  'Acquire::Retries': '3',
  'DPkg::Lock::Timeout': '60',
});
const INSTALL = ['install', '--yes', '--no-install-recommends'];

export type OsRelease = { id: string; name: string; version: number | null; codename: string };

/** The machine's os-release; an unknown system when there is none. */
export async function readOsRelease(): Promise<OsRelease> {
  return parseOsRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''));
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
  await prepareApt(isFromOwnSuite ? [] : packages, progress);
  progress.phase(`installing ${packages.join(', ')}`);
  const what = `${packages.join(', ')} could not be installed`;
  await apt([...INSTALL, '--no-remove', ...packages], what, INSTALL_TIMEOUT_MS, progress);
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
  await prepareApt([], progress);
  const status = join(directory, 'status');
  await mkdir(join(directory, 'partial'), { recursive: true });
  // With nothing installed, apt has to fetch every dependency.
  await writeFile(status, '');
  const settings = asOptions({ 'Dir::State::Status': status, 'Dir::Cache::Archives': directory });
  const what = `${packages.join(', ')} could not be fetched`;
  await apt([...settings, ...INSTALL, '--download-only', ...packages], what, INSTALL_TIMEOUT_MS, progress);
  const names = await readdir(directory);
  return names.filter((name) => name.endsWith('.deb')).map((name) => join(directory, name));
}

// The lists stay in .cache for a while, because a first start needs them twice.
async function prepareApt(fromNewerSuite: readonly string[], progress: Progress): Promise<void> {
  const os = await readOsRelease();
  const suite = needsNewerSuite(os) ? DOCKER_SUITE : os.codename;
  await mkdir(join(LISTS, 'partial'), { recursive: true });
  await writeSources(os, suite);
  await writeFile(PINS, formatPreferences(suite, fromNewerSuite));
  const updatedMs = await stat(STAMP).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  if (Date.now() - updatedMs < LISTS_MAX_AGE_MS) return;
  progress.phase("reading Debian's package lists");
  await apt(['update'], "Debian's package lists could not be read", UPDATE_TIMEOUT_MS, progress);
  await writeFile(STAMP, '');
}

async function writeSources({ codename }: OsRelease, suite: string): Promise<void> {
  const names = await readdir(SOURCES_DIRECTORY).catch(() => []);
  const paths = [SOURCES_FILE, ...names.map((name) => join(SOURCES_DIRECTORY, name))];
  await rm(SOURCES, { recursive: true, force: true });
  await mkdir(SOURCES);
  let found = '';
  for (const path of paths.filter((each) => /\.(list|sources)$/.test(each))) {
    const text = debianEntries(await readFile(path, 'utf8').catch(() => ''), codename, suite);
    await writeFile(join(SOURCES, basename(path)), text);
    found += text;
  }
  if (found !== '') return;
  throw new Failure(
    `The machine's apt sources do not name Debian "${codename}".`,
    `Add Debian's archive to ${SOURCES_DIRECTORY}, or install Docker Engine and Compose yourself, then run the command again.`,
    { exitCode: 2 },
  );
}

async function apt(
  args: readonly string[],
  what: string,
  timeoutMs: number,
  progress: Progress,
): Promise<void> {
  const next =
    'Check the network and the machine\'s apt sources ("apt-get update"), then run the command again.';
  await run('apt-get', [...OPTIONS, ...args], {
    signal: progress.signal,
    onLine: progress.line,
    timeoutMs,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    failure: { what, next },
  });
}

function asOptions(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** Reads /etc/os-release (freedesktop.org os-release(5)); what is missing is an empty text. */
export function parseOsRelease(text: string): OsRelease {
  const { ID = '', PRETTY_NAME, VERSION_ID = '', VERSION_CODENAME = '' } = parseEnv(text);
  const version = Number.parseInt(VERSION_ID, 10);
  return {
    id: ID,
    name: PRETTY_NAME || ID || 'an unknown system',
    version: Number.isNaN(version) ? null : version,
    codename: VERSION_CODENAME,
  };
}

/** Whether Docker can be installed here from Debian's packages. */
export function isSupportedDebian(os: OsRelease): boolean {
  return os.id === 'debian' && os.codename !== '' && os.version !== null && os.version >= OLDEST_VERSION;
}

/** Whether the packages have to come from a newer Debian than the machine's. */
export function needsNewerSuite(os: OsRelease): boolean {
  return os.version !== null && os.version < DOCKER_VERSION;
}

/**
 * Debian's own entries of one of apt's source files (sources.list(5)), each followed by its twin for `suite` when that is
 * another one than `codename`. Other archives, whose suites or components have other names, are left out: they need not
 * exist for a newer Debian.
 * @param text a file of lines (`.list`) or of stanzas (`.sources`); the result is of the same kind
 */
export function debianEntries(text: string, codename: string, suite: string): string {
  const isStanzas = /^\s*types\s*:/im.test(text);
  const entries = isStanzas ? text.split(/\n\s*\n/) : text.split('\n');
  const kind = isStanzas ? /^types:.*\bdeb\b/im : /^\s*deb\s/;
  const suites = new RegExp(`(?<=\\s)${codename}(?=(-updates|-security)?(\\s|$))`, 'g');
  const own = entries.filter(
    (entry) => kind.test(entry) && entry.match(suites) && /\smain(\s|$)/.test(entry),
  );
  const both = own.flatMap((entry) => [entry, entry.replaceAll(suites, suite)]);
  return [...new Set(both)].map((entry) => `${entry.trim()}\n${isStanzas ? '\n' : ''}`).join('');
}

/**
 * Apt preferences that take the named packages from `suite` and everything else from the machine's own Debian.
 * Without them apt raises the C library and dpkg of the whole machine along with Docker.
 */
export function formatPreferences(suite: string, packages: readonly string[]): string {
  const everything = `Package: *\nPin: release n=${suite}*\nPin-Priority: 50\n`;
  if (packages.length === 0) return everything;
  return `${everything}\nPackage: ${packages.join(' ')}\nPin: release n=${suite}*\nPin-Priority: 990\n`;
}
