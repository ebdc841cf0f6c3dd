// shell · where the project lies and what its .env file says. Must never touch a line of .env that is not its own.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { upsertEnv } from './env-text.ts';

/** The folder of the repository. */
export const ROOT = join(import.meta.dirname, '..', '..');
/** What the project keeps on this machine: git-ignored, and safe to delete. */
export const CACHE = join(ROOT, '.cache');
const ENV_FILE = join(ROOT, '.env');

/** A setting from the environment, or from .env as Compose reads it; '' counts as not set. */
export async function readSetting(name: string): Promise<string | undefined> {
  const own = process.env[name];
  if (own !== undefined && own !== '') return own;
  const value = parseEnv(await readEnvText())[name];
  return value === '' ? undefined : value;
}

/** Puts settings into .env, so that a plain `docker compose up` finds them too; writes only when something changes. */
export async function writeSettings(settings: Readonly<Record<string, string>>): Promise<void> {
  const before = await readEnvText();
  const after = upsertEnv(before, settings);
  if (after !== before) await writeFile(ENV_FILE, after);
}

async function readEnvText(): Promise<string> {
  return await readFile(ENV_FILE, 'utf8').catch(() => '');
}
