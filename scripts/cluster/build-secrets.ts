// shell · what `npm ci` needs inside a build and the image must not keep: npm's configuration and the machine's CA bundle.
// Must never write outside .cache, and never into the image: both are mounted for one build step only.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt } from '../kit/command.ts';
import { CACHE, ROOT, readSetting, writeSettings } from '../kit/project.ts';
import { joinNpmrc } from './npmrc.ts';

const DIRECTORY = join(CACHE, 'build');
const ASK_TIMEOUT_MS = 20_000;
const CA_BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];

/** The certificates that this machine trusts, in PEM; empty when it has no bundle. */
export async function readCaBundle(): Promise<string> {
  const own = process.env.NODE_EXTRA_CA_CERTS;
  for (const path of own === undefined ? CA_BUNDLES : [own, ...CA_BUNDLES]) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text !== '') return text;
  }
  return '';
}

/**
 * Writes the build's secrets into .cache, and where they are into .env, for `docker compose build` to mount.
 * Where somebody has set another place, that one is taken.
 */
export async function writeBuildSecrets(signal?: AbortSignal): Promise<void> {
  const npmrc = joinNpmrc(...(await readNpmConfiguration(signal)), process.env);
  await mkdir(DIRECTORY, { recursive: true, mode: 0o700 });
  await writeFile(join(DIRECTORY, 'npmrc'), npmrc, { mode: 0o600 });
  await writeFile(join(DIRECTORY, 'ca.pem'), await readCaBundle());
  const places = { BUILD_NPMRC: '.cache/build/npmrc', BUILD_CA: '.cache/build/ca.pem' };
  await writeSettings(
    Object.fromEntries(Object.entries(places).filter(([name]) => readSetting(name) === undefined)),
  );
}

async function readNpmConfiguration(signal?: AbortSignal): Promise<[string[], Record<string, string>]> {
  const names = ['globalconfig', 'userconfig', 'registry', 'proxy', 'https-proxy', 'noproxy'];
  const { stdout } = await attempt('npm', ['config', 'get', ...names], {
    cwd: ROOT,
    timeoutMs: ASK_TIMEOUT_MS,
    signal,
  });
  const values = new Map(stdout.split('\n').map((line) => splitOnce(line.trim())));
  const paths = ['globalconfig', 'userconfig'].map((name) => values.get(name) ?? '');
  const files = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')));
  const effective = names.slice(2).map((name) => [name, values.get(name) ?? '']);
  return [files, Object.fromEntries(effective)];
}

function splitOnce(line: string): [string, string] {
  const at = line.indexOf('=');
  return at === -1 ? [line, ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}
