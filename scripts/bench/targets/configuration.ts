// shell · a peer's configuration, filled in and written where the report lies.
// Must never make a folder that nothing is written into.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fillTemplate } from './template.ts';

/** What peers are configured with: templates, and the scripts that they name. */
export const PEERS_FOLDER = join(import.meta.dirname, '..', 'peers');

/**
 * @param template name of a file in `PEERS_FOLDER`
 * @param values   as `fillTemplate` takes them
 * @returns the path of what was written
 */
export async function writeConfiguration(
  folder: string,
  name: string,
  template: string,
  values: Readonly<Record<string, string | number>>,
): Promise<string> {
  const text = fillTemplate(await readFile(join(PEERS_FOLDER, template), 'utf8'), values);
  const path = join(folder, name);
  await mkdir(folder, { recursive: true });
  await writeFile(path, text);
  return path;
}
