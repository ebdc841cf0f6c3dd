// pure · where a Debian keeps its programs, libraries and modules, and what a program's words about its version mean.
// Must never look at the disk.

const TRIPLETS: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
const PROGRAMS = ['usr/sbin', 'usr/bin', 'sbin', 'bin'];
const MODULES = ['usr/lib/nginx/modules', 'usr/share/nginx/modules'];

/** Folders to look for programs in: those of the path on the machine itself, the usual ones in an unpacked system. */
export function programFolders(root: string, path: string): string[] {
  return root === '/' ? path.split(':').filter(Boolean) : PROGRAMS.map((folder) => `${root}/${folder}`);
}

/** Folders of shared libraries in an unpacked system. */
export function libraryFolders(root: string, architecture: string): string[] {
  const triplet = TRIPLETS[architecture] ?? '';
  return ['usr/lib', 'lib'].flatMap((folder) => [`${root}/${folder}/${triplet}`, `${root}/${folder}`]);
}

/** Folders of nginx's modules. */
export function moduleFolders(root: string): string[] {
  return MODULES.map((folder) => `${root === '/' ? '' : root}/${folder}`);
}

/** The first thing in a text that looks like a version: `2.6.12-1+deb12u2`, `1.22.1`. */
export function versionIn(text: string): string {
  return /\d+\.\d+[\w.+~-]*/.exec(text)?.[0] ?? 'unknown';
}

/** The version in the file name of a Debian package, which writes a colon as %3a. */
export function packageVersion(files: readonly string[], name: string): string {
  const file = files.find((each) => each.startsWith(`${name}_`));
  return file?.split('_')[1]?.replaceAll('%3a', ':') ?? 'unknown';
}
