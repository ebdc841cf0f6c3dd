// shell · where the project lies, and its settings: the environment, into which scripts/run has put .env.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
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

/** What .env sets. */
export async function savedSettings(): Promise<NodeJS.Dict<string>> {
  return parseEnv(await readEnvText());
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

/**
 * Sets `NAME=value` in the text of a .env file: in place where the name stands, else at the end. The value is written in
 * the way that Compose and Node read alike, as scripts/run checks it.
 * @throws Error for a value that there is no such way for
 */
export function upsertEnv(text: string, settings: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [name, value] of Object.entries(settings)) {
    const line = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*$`, 'm');
    const entry = `${name}=${quoted(name, value)}`;
    if (line.test(result)) result = result.replace(line, () => entry);
    else result = `${result}${result === '' || result.endsWith('\n') ? '' : '\n'}${entry}\n`;
  }
  return result;
}

// As it is, in single quotes, or in double quotes: in neither of them a backslash, and in double ones no variable.
function quoted(name: string, value: string): string {
  if (/^([!%&(-_a-~]([ -"%-~]*[!"%-~])?)?$/.test(value)) return value;
  if (/^[^'\\\p{Cc}]*$/u.test(value)) return `'${value}'`;
  if (/^[^"$\\\p{Cc}]*$/u.test(value)) return `"${value}"`;
  throw new Error(
    `${name} is ${value}: that can't be written into .env so that Compose and Node read the same.`,
  );
}

async function readEnvText(): Promise<string> {
  return await readFile(ENV_FILE, 'utf8').catch(() => '');
}
