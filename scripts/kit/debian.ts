// pure · what the machine's os-release and apt sources say, and what apt gets for Debian 13's Docker packages.
import { parseEnv } from 'node:util';

/** The first Debian whose packages hold an Engine and Compose that are recent enough. */
export const DOCKER_SUITE = 'trixie';
const DOCKER_VERSION = 13;
const OLDEST_VERSION = 12;

export type OsRelease = { id: string; name: string; version: number | null; codename: string };

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
