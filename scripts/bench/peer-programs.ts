// shell · finds HAProxy, nginx with njs and Python, and fetches from the machine's own Debian what is missing.
// Must never prefer what was fetched to what is installed: somebody may want to compare with what is in use there.
import { constants, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, programEnvironment } from '../kit/command.ts';
import { Failure } from '../kit/failure.ts';
import { fetchPackages, PACKAGE_NAMES } from '../kit/fetch-packages.ts';
import { isThere } from '../kit/is-there.ts';
import {
  libraryFolders,
  moduleFolders,
  packageVersion,
  programFolders,
  versionIn,
} from '../kit/program-places.ts';
import type { Outcome, Progress } from '../kit/progress.ts';
import { CACHE } from '../kit/project.ts';
import type { TargetName } from './plan.ts';

/** A program that can be started: `env` is what it needs to find its libraries. */
export type Program = { path: string; env: NodeJS.ProcessEnv; version: string };

/** What the targets need; null for what is not needed. `modules` is the folder of nginx's modules. */
export type PeerPrograms = {
  haproxy: Program | null;
  nginx: (Program & { modules: string; njsVersion: string }) | null;
  python: Program | null;
};

const PACKAGES = {
  haproxy: ['haproxy'],
  nginx: ['nginx', 'libnginx-mod-stream', 'libnginx-mod-stream-js'],
  python: ['python3'],
} as const;
type Peer = keyof typeof PACKAGES;

const FETCHED = join(CACHE, 'bench', 'debian');
const NGINX_MODULES = ['ngx_stream_module.so', 'ngx_stream_js_module.so'];
const ASK_TIMEOUT_MS = 10_000;

/**
 * Finds what the targets need, and fetches what is missing into .cache/bench.
 * @throws Failure, with exit code 2 where it can't be fetched because this is no Debian
 */
export async function preparePeers(
  targets: readonly TargetName[],
  progress: Progress,
): Promise<{ peers: PeerPrograms; outcome: Outcome }> {
  const needed = neededBy(targets);
  const before = await findPeers(needed, progress.signal);
  const missing = needed.filter((peer) => before[peer] === null);
  if (missing.length === 0) return { peers: before, outcome: { isSkipped: true, summary: describe(before) } };
  await fetchPackages(
    missing.flatMap((peer) => PACKAGES[peer]),
    join(FETCHED, missing.join('+')),
    progress,
  );
  const peers = await findPeers(needed, progress.signal);
  const stillMissing = needed.find((peer) => peers[peer] === null);
  if (stillMissing !== undefined) {
    throw new Failure(
      `${stillMissing} was fetched, but does not start from ${FETCHED}.`,
      'Install it yourself, or leave what needs it out with --targets.',
    );
  }
  return { peers, outcome: { isSkipped: false, summary: describe(peers) } };
}

function neededBy(targets: readonly TargetName[]): Peer[] {
  const needed: Peer[] = [];
  if (targets.includes('haproxy') || targets.includes('haproxy-1')) needed.push('haproxy');
  if (targets.includes('nginx')) needed.push('nginx');
  if (targets.includes('thread-per-request')) needed.push('python');
  return needed;
}

async function findPeers(needed: readonly Peer[], signal: AbortSignal): Promise<PeerPrograms> {
  const found: PeerPrograms = { haproxy: null, nginx: null, python: null };
  for (const root of ['/', ...(await fetchedRoots())]) {
    const environment = environmentOf(root);
    const find = (name: string, versionArg: string) =>
      findProgram(root, name, versionArg, environment, signal);
    if (needed.includes('haproxy')) found.haproxy ??= await find('haproxy', '-v');
    if (needed.includes('python')) found.python ??= await find('python3', '--version');
    if (!needed.includes('nginx') || found.nginx !== null) continue;
    const [nginx, modules] = [await find('nginx', '-v'), await findModules(root)];
    if (nginx === null || modules === null) continue;
    found.nginx = { ...nginx, modules, njsVersion: await njsVersion(root, signal) };
  }
  return found;
}

async function fetchedRoots(): Promise<string[]> {
  const names = await readdir(FETCHED).catch(() => []);
  return names.filter((name) => !name.startsWith('.')).map((name) => join(FETCHED, name));
}

function environmentOf(root: string): NodeJS.ProcessEnv {
  if (root === '/') return programEnvironment();
  return { ...process.env, LD_LIBRARY_PATH: libraryFolders(root, process.arch).join(':') };
}

async function findProgram(
  root: string,
  name: string,
  versionArg: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Program | null> {
  for (const folder of programFolders(root, env.PATH ?? '')) {
    const path = join(folder, name);
    if (!(await isThere(path, constants.X_OK))) continue;
    const { isOk, tail } = await attempt(path, [versionArg], { env, signal, timeoutMs: ASK_TIMEOUT_MS });
    if (isOk) return { path, env, version: versionIn(tail) };
  }
  return null;
}

async function findModules(root: string): Promise<string | null> {
  for (const folder of moduleFolders(root)) {
    const names: string[] = await readdir(folder).catch(() => []);
    if (NGINX_MODULES.every((name) => names.includes(name))) return folder;
  }
  return null;
}

async function njsVersion(root: string, signal: AbortSignal): Promise<string> {
  const name = 'libnginx-mod-stream-js';
  if (root !== '/') return packageVersion(await readdir(join(root, PACKAGE_NAMES)).catch(() => []), name);
  const args = ['--show', name];
  const { isOk, stdout } = await attempt('dpkg-query', args, { signal, timeoutMs: ASK_TIMEOUT_MS });
  return isOk ? (stdout.trim().split('\t')[1] ?? 'unknown') : 'unknown';
}

function describe({ haproxy, nginx, python }: PeerPrograms): string {
  const found = [
    ...(haproxy === null ? [] : [`HAProxy ${haproxy.version}`]),
    ...(nginx === null ? [] : [`nginx ${nginx.version} with njs ${nginx.njsVersion}`]),
    ...(python === null ? [] : [`Python ${python.version}`]),
  ];
  return found.length === 0 ? 'none is needed' : found.join(', ');
}
