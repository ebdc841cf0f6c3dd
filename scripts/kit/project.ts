// shell · where the project lies and what its settings are: the environment, into which scripts/run has put .env.
// Must never touch a line of .env that is not its own.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { upsertEnv } from './env-text.ts';
import { Failure } from './failure.ts';

/** The folder of the repository. */
export const ROOT = join(import.meta.dirname, '..', '..');
/** What the project keeps on this machine: git-ignored, and safe to delete. */
export const CACHE = join(ROOT, '.cache');
const ENV_FILE = join(ROOT, '.env');
const PROJECT = 'policy-proxy';

/** A setting, from the environment or from .env; '' counts as not set, as it does for Compose. */
export function readSetting(name: string): string | undefined {
  return process.env[name] || undefined;
}

/**
 * Puts settings into .env, so that a plain `docker compose up` finds them too, and into the environment of what this
 * process starts from here on. Writes only when something changes.
 */
export async function writeSettings(settings: Readonly<Record<string, string>>): Promise<void> {
  const before = await readEnvText();
  const after = upsertEnv(before, settings);
  if (after !== before) await writeFile(ENV_FILE, after);
  Object.assign(process.env, settings);
}

/** The names that .env sets. */
export async function savedNames(): Promise<string[]> {
  return Object.keys(parseEnv(await readEnvText()));
}

/** Which of these settings the environment has and .env has not: another command will not know of them. */
export async function unsavedSettings(names: readonly string[]): Promise<Record<string, string>> {
  const saved = parseEnv(await readEnvText());
  const unsaved: Record<string, string> = {};
  for (const name of names) {
    const value = readSetting(name);
    if (value !== undefined && value !== saved[name]) unsaved[name] = value;
  }
  return unsaved;
}

/**
 * The name of the cluster: what each of its containers' names begins with.
 * @throws Failure with exit code 2 when Compose would refuse it
 */
export function clusterName(): string {
  const name = readSetting('COMPOSE_PROJECT_NAME') ?? PROJECT;
  if (/^[a-z0-9][a-z0-9_-]*$/.test(name)) return name;
  throw new Failure(
    `COMPOSE_PROJECT_NAME is "${name}".`,
    'Set it to lower-case letters, digits, dashes and underscores, with a letter or a digit first.',
    { exitCode: 2 },
  );
}

async function readEnvText(): Promise<string> {
  return await readFile(ENV_FILE, 'utf8').catch(() => '');
}
