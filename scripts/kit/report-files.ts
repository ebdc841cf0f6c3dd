// shell · where reports lie: a folder of its own for each run, and `latest` pointing at the last one.
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { callerPath, UsageError } from '../../services/shared/config.ts';
import { ROOT } from './project.ts';

const REPORTS = join(ROOT, 'reports');

/**
 * Makes the folder of a report about `what`.
 * @param wanted where a person wants it, from where npm was called; null: reports/2026-11-24T13-05-09-WHAT, or with -2 behind
 * it where that is taken
 * @returns its absolute path
 * @throws UsageError when it can't be made, or holds anything already
 */
export async function makeReportFolder(
  what: string,
  wanted: string | null,
  at = new Date(),
): Promise<string> {
  const name = `${at.toISOString().slice(0, 19).replaceAll(':', '-')}-${what}`;
  const folder = wanted === null ? join(REPORTS, name) : callerPath(wanted);
  try {
    if (wanted === null) return await makeNewFolder(folder);
    await mkdir(folder, { recursive: true });
    if ((await readdir(folder)).length === 0) return folder;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`The folder ${folder} can't be made (${code}): choose another with --report.`);
  }
  throw new UsageError(`The folder ${folder} is not empty: choose a new one with --report.`);
}

// Two runs can begin in the same second.
async function makeNewFolder(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  for (let number = 1; ; number += 1) {
    const folder = number === 1 ? path : `${path}-${number}`;
    try {
      await mkdir(folder);
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Makes reports/latest point to a report, if it lies in reports/. */
export async function pointLatest(folder: string): Promise<void> {
  if (dirname(folder) !== REPORTS) return;
  const latest = join(REPORTS, 'latest');
  await rm(latest, { force: true });
  await symlink(basename(folder), latest);
}

/** A path as a person would type it where npm was called. */
export function shortPath(path: string): string {
  const short = relative(callerPath('.'), path);
  return short.startsWith('..') ? path : short;
}
