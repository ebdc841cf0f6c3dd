// pure · what the machine's own os-release and apt sources say, and what to hand to apt for Debian 13's Docker packages.
// Must never name a host: every address comes from the machine's own sources.

/** The first Debian whose packages hold an Engine and Compose that are recent enough. */
export const DOCKER_SUITE = 'trixie';
const DOCKER_VERSION = 13;
const OLDEST_VERSION = 12;

export type OsRelease = { id: string; name: string; version: number | null; codename: string };

/** Reads /etc/os-release (freedesktop.org os-release(5)); what is missing is an empty text. */
export function parseOsRelease(text: string): OsRelease {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z_]+)=(?:"([^"]*)"|'([^']*)'|(.*))$/.exec(line.trim());
    if (match?.[1] !== undefined) fields.set(match[1], match[2] ?? match[3] ?? match[4] ?? '');
  }
  const version = Number.parseInt(fields.get('VERSION_ID') ?? '', 10);
  return {
    id: fields.get('ID') ?? '',
    name: fields.get('PRETTY_NAME') ?? fields.get('ID') ?? 'an unknown system',
    version: Number.isNaN(version) ? null : version,
    codename: fields.get('VERSION_CODENAME') ?? '',
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

/** One archive of the machine's own sources: `options` is apt's text in brackets, or ''. */
export type AptSource = { options: string; uri: string; suite: string; components: string };

/**
 * Finds Debian's own archives among the machine's apt sources, in both of apt's formats (sources.list(5)).
 * Other archives have suites or components of other names and are left out: they need not exist for a newer Debian.
 */
export function findDebianSources(files: readonly string[], codename: string): AptSource[] {
  const suites = new Set([codename, `${codename}-updates`, `${codename}-security`]);
  return files
    .flatMap((text) => (/^\s*types\s*:/im.test(text) ? parseStanzas(text) : parseLines(text)))
    .filter(({ suite, components }) => suites.has(suite) && components.split(' ').includes('main'));
}

/** The sources as one-line entries, each followed by its twin for `suite` when that is another one than `codename`. */
export function formatSources(sources: readonly AptSource[], codename: string, suite: string): string {
  const both = sources.flatMap((source) =>
    suite === codename ? [source] : [source, { ...source, suite: source.suite.replace(codename, suite) }],
  );
  return both.map(({ options, ...s }) => `deb ${options}${s.uri} ${s.suite} ${s.components}\n`).join('');
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

function parseLines(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
    if (match === null) return [];
    const [, options = '', uri = '', suite = '', components = ''] = match;
    return [{ options, uri, suite, components: components.trim().replaceAll(/\s+/g, ' ') }];
  });
}

function parseStanzas(text: string): AptSource[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = parseFields(stanza);
    const words = (name: string): string[] => (fields.get(name) ?? '').split(/\s+/).filter(Boolean);
    if (!words('types').includes('deb') || fields.get('enabled') === 'no') return [];
    // A key that is written into the stanza itself can't stand in a one-line entry; Debian's own is always a file.
    const signedBy = words('signed-by');
    const options =
      signedBy.length === 1 && signedBy[0]?.startsWith('/') ? `[signed-by=${signedBy[0]}] ` : '';
    const components = words('components').join(' ');
    return words('uris').flatMap((uri) =>
      words('suites').map((suite) => ({ options, uri, suite, components })),
    );
  });
}

function parseFields(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let name = '';
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#')) continue;
    const match = /^([A-Za-z-]+)\s*:(.*)$/.exec(line);
    if (match?.[1] !== undefined) name = match[1].toLowerCase();
    else if (!/^\s/.test(line)) continue;
    const value = match?.[2] ?? line;
    if (name !== '') fields.set(name, `${fields.get(name) ?? ''} ${value.trim()}`.trim());
  }
  return fields;
}
