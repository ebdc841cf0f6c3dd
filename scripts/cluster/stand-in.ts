// shell · builds an image with Node 24 where none can be pulled: packages of the machine's own Debian, Node and npm from npm.
import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../kit/command.ts';
import { downloadPackages } from '../kit/packages.ts';
import { CACHE } from '../kit/project.ts';
import type { Progress } from '../kit/steps.ts';
import { readCaBundle } from './secrets.ts';

/** The stand-in's own name; it never passes for the real image. */
export const STAND_IN = 'policy-proxy/node:24-local';

const NODE_MAJOR = 24;
const NPM_MAJOR = 11;
// A shell with its everyday programs for `RUN` and `docker exec`, and the libraries of Node's binary. Unpacking these takes
// two seconds; a whole base system by debootstrap took over a minute, for programs that nothing here calls.
const PACKAGES = ['base-files', 'coreutils', 'dash', 'findutils', 'grep', 'libc-bin', 'libstdc++6', 'sed'];
const UNPACK_TIMEOUT_MS = 60_000;
const FETCH_TIMEOUT_MS = 300_000;
const IMPORT_TIMEOUT_MS = 180_000;
const CA_BUNDLE = 'etc/ssl/certs/ca-certificates.crt';
const NEXT =
  'Check the network and the space on the disk, or set NODE_IMAGE in .env to an image with Node 24 and npm.';
const LEFT_OUT = ['usr/share/doc', 'usr/share/man', 'usr/share/info', 'usr/share/locale'];
const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n';
const GROUP = 'root:x:0:\nnode:x:1000:\n';

/**
 * Builds the stand-in image under the name STAND_IN. Needs Debian's apt and dpkg, and no root.
 * @throws Failure with the last lines of the step that failed
 */
export async function buildStandIn(progress: Progress): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(CACHE, 'image-'));
  const system = join(work, 'system');
  try {
    const fetched = fetchNode(join(work, 'npm'), progress);
    // Awaited below; until then its failure must not count as unhandled.
    fetched.catch(() => {});
    await makeBaseSystem(system, join(work, 'packages'), progress);
    progress.phase('adding Node 24 and npm');
    await addNode(system, await fetched);
    progress.phase(`importing it as ${STAND_IN}`);
    await importImage(system, join(work, 'system.tar'), progress.signal);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function makeBaseSystem(system: string, downloads: string, progress: Progress): Promise<void> {
  const paths = await downloadPackages(PACKAGES, downloads, progress);
  progress.phase(`unpacking ${paths.length} packages of Debian`);
  await mkdir(system);
  const failure = { what: 'A package for the stand-in image could not be unpacked', next: NEXT };
  const options = { timeoutMs: UNPACK_TIMEOUT_MS, signal: progress.signal, failure };
  for (const path of paths) await run('dpkg-deb', ['--extract', path, system], options);
  await writeFile(join(system, 'etc', 'passwd'), PASSWD);
  await writeFile(join(system, 'etc', 'group'), GROUP);
  await mkdir(join(system, 'home', 'node'), { recursive: true });
  await mkdir(join(system, 'etc', 'ssl', 'certs'), { recursive: true });
  await writeFile(join(system, CA_BUNDLE), await readCaBundle());
}

type Fetched = { node: string; npm: string };

// The Node that runs this may be linked against libraries of this machine, so the image gets the package that is made to be
// copied; the launcher has fetched the same one where the machine's own Node was too old.
async function fetchNode(prefix: string, progress: Progress): Promise<Fetched> {
  const nodePackage = `node-linux-${process.arch}`;
  const inPackage = join('node_modules', nodePackage, 'bin', 'node');
  const launchers = join(CACHE, 'node', inPackage);
  const isThere = existsSync(launchers);
  const wanted = [`npm@${NPM_MAJOR}`, ...(isThere ? [] : [`${nodePackage}@${NODE_MAJOR}`])];
  const options = ['--no-save', '--no-package-lock', '--ignore-scripts', '--loglevel=error'];
  await mkdir(prefix, { recursive: true });
  await run('npm', ['install', ...options, '--prefix', prefix, ...wanted], {
    timeoutMs: FETCH_TIMEOUT_MS,
    signal: progress.signal,
    onLine: progress.line,
    failure: { what: 'Node 24 and npm for the stand-in image could not be fetched', next: NEXT },
  });
  return { node: isThere ? launchers : join(prefix, inPackage), npm: join(prefix, 'node_modules', 'npm') };
}

async function addNode(system: string, { node, npm }: Fetched): Promise<void> {
  const programs = join(system, 'usr', 'local', 'bin');
  const modules = join(system, 'usr', 'local', 'lib', 'node_modules');
  await Promise.all([programs, modules].map((path) => mkdir(path, { recursive: true })));
  await copyFile(node, join(programs, 'node'));
  await chmod(join(programs, 'node'), 0o755);
  await cp(npm, join(modules, 'npm'), { recursive: true });
  for (const name of ['npm', 'npx']) {
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(programs, name));
  }
}

async function importImage(system: string, archive: string, signal: AbortSignal): Promise<void> {
  const options = {
    timeoutMs: IMPORT_TIMEOUT_MS,
    signal,
    failure: { what: 'The stand-in image could not be imported', next: NEXT },
  };
  const owner = ['--owner=0', '--group=0', '--numeric-owner'];
  const excludes = LEFT_OUT.map((path) => `--exclude=./${path}/*`);
  await run('tar', ['-C', system, ...owner, ...excludes, '-cf', archive, '.'], options);
  const changes = ['--change', `ENV NODE_EXTRA_CA_CERTS=/${CA_BUNDLE}`, '--change', 'CMD ["node"]'];
  await run('docker', ['import', ...changes, archive, STAND_IN], options);
}
