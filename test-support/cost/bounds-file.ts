// shell · the bounds in the repository.
// Must never touch them unless told to.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bounds } from './bounds.ts';

const FILE = join(import.meta.dirname, 'bounds.json');

/** Reads `bounds.json`. */
export async function readBounds(): Promise<Bounds> {
  return JSON.parse(await readFile(FILE, 'utf8')) as Bounds;
}

/** Writes `bounds.json`. */
export async function writeBounds(bounds: Bounds): Promise<void> {
  await writeFile(FILE, `${JSON.stringify(bounds, null, 2)}\n`);
}
