// shell · what containers and builds get mounted and no image keeps: the servers' token, npm's configuration, the CA bundle.
import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { settingPath } from '../../services/shared/config.ts';
import { readToken } from '../../services/shared/proof.ts';
import { attempt } from '../kit/command.ts';
import { CACHE, ROOT, readSetting, writeSettings } from '../kit/project.ts';

const TOKEN_FOLDER = join(ROOT, '.secrets');
const TOKEN = './.secrets/register-token';
const TOKEN_BYTES = 32;
const BUILD_FOLDER = join(CACHE, 'build');
const ASK_TIMEOUT_MS = 20_000;
const CA_BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];
const UNSET = new Set(['', 'null', 'undefined', 'false']);
// These name files and folders of the machine, or only matter to a person at it.
const LEFT_OUT =
  /^(?:cafile|certfile|keyfile|cache|prefix|userconfig|globalconfig|nodedir|script-shell|tmp|init-.*)\s*=/;

/**
 * Makes the token that the cluster's servers prove to know, unless it is there, and writes into .env where it is. Where
 * .env names another file, that one is taken; set to nothing, there is no token, and any server may register.
 */
export async function prepareRegisterToken(): Promise<void> {
  if (process.env.REGISTER_TOKEN_FILE === '') return;
  if ((readSetting('REGISTER_TOKEN_FILE') ?? TOKEN) !== TOKEN) return;
  // The roles in the containers are not root and have to read it: the folder keeps others on this machine away.
  await mkdir(TOKEN_FOLDER, { recursive: true });
  await chmod(TOKEN_FOLDER, 0o700);
  const draft = join(TOKEN_FOLDER, `draft-${process.pid}`);
  await writeFile(draft, `${randomBytes(TOKEN_BYTES).toString('hex')}\n`);
  await chmod(draft, 0o444);
  // A link never replaces a file: running containers have the old token.
  await link(draft, join(ROOT, TOKEN)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
  await writeSettings({ REGISTER_TOKEN_FILE: TOKEN });
}

/** The absolute path of the file with the token of the cluster's servers; '' where it has none. */
export function registerTokenFile(): string {
  const file = readSetting('REGISTER_TOKEN_FILE');
  return file === undefined ? '' : settingPath(file);
}

/** The token of the cluster's servers; null where it has none, or it can't be read. */
export function readRegisterToken(): Buffer | null {
  try {
    return readToken('REGISTER_TOKEN_FILE', registerTokenFile());
  } catch {
    return null;
  }
}

/** The certificates that this machine trusts, in PEM; empty when it has no bundle. */
export async function readCaBundle(): Promise<string> {
  const own = process.env.NODE_EXTRA_CA_CERTS;
  for (const path of own === undefined ? CA_BUNDLES : [own, ...CA_BUNDLES]) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text !== '') return text;
  }
  return '';
}

/** Writes what `npm ci` needs inside a build into .cache, and where it is into .env, unless .env names other files. */
export async function writeBuildSecrets(signal?: AbortSignal): Promise<void> {
  await mkdir(BUILD_FOLDER, { recursive: true, mode: 0o700 });
  await writeFile(join(BUILD_FOLDER, 'npmrc'), await readNpmConfiguration(signal), { mode: 0o600 });
  await writeFile(join(BUILD_FOLDER, 'ca.pem'), await readCaBundle());
  const files = { BUILD_NPMRC: '.cache/build/npmrc', BUILD_CA: '.cache/build/ca.pem' };
  const unset = Object.entries(files).filter(([name]) => readSetting(name) === undefined);
  await writeSettings(Object.fromEntries(unset));
}

async function readNpmConfiguration(signal?: AbortSignal): Promise<string> {
  const names = ['globalconfig', 'userconfig', 'registry', 'proxy', 'https-proxy', 'noproxy'];
  const options = { cwd: ROOT, timeoutMs: ASK_TIMEOUT_MS, signal };
  const { stdout } = await attempt('npm', ['config', 'get', ...names], options);
  const lines = stdout.split('\n').map((line) => /^(.*?)\s*=\s*(.*)$/.exec(line.trim()) ?? []);
  const { globalconfig, userconfig, ...used } = Object.fromEntries(
    lines.map(([, name = '', value = '']) => [name, value]),
  );
  const files = [globalconfig, userconfig].map((path) => readFile(path ?? '', 'utf8').catch(() => ''));
  return joinNpmrc(await Promise.all(files), used, process.env);
}

/**
 * Joins the machine's npm configuration into one file for the build: registries, credentials and proxies.
 * @param files texts of npm's global and user configuration files, the stronger one last
 * @param used what npm says it uses, whatever the source (`npm config get`); wins over the files
 * @param environment fills `${NAME}` in the files, as npm does
 */
export function joinNpmrc(
  files: readonly string[],
  used: NodeJS.Dict<string>,
  environment: NodeJS.ProcessEnv,
): string {
  const kept = files
    .flatMap((text) => text.split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^[#;]/.test(line) && !LEFT_OUT.test(line))
    .map((line) => line.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => environment[name] ?? whole));
  const own = Object.entries(used).filter(([name, value = '']) => name !== '' && !UNSET.has(value));
  return [...kept, ...own.map(([name, value]) => `${name}=${value}`)].map((line) => `${line}\n`).join('');
}
