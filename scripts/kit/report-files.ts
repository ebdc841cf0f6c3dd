// shell · where reports lie: a folder for each run, and `latest` pointing at the last one.
// Must never overwrite an older report.
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { UsageError } from '../../services/shared/config.ts';
import type { Journal, Judgement, Outcome, Recording } from '../chaos/journal.ts';
import type { RunSummary } from '../chaos/one-run.ts';
import { formatPlan } from '../chaos/plan.ts';
import { formatRequestsCsv } from '../chaos/report/csv.ts';
import { renderReport, renderSummary } from '../chaos/report/report.ts';
import { makeFolder } from './make-folder.ts';
import { ROOT } from './project.ts';

const REPORTS = join(ROOT, 'reports');

/** `2026-11-24T13-05-09-tour`: sorts by time, and is a file name everywhere. */
export function folderName(at: Date, scenario: string): string {
  return `${at.toISOString().slice(0, 19).replaceAll(':', '-')}-${scenario}`;
}

/**
 * Makes the folder of a report.
 * @param wanted where a person wants it; null: reports/`name`
 * @returns its absolute path
 * @throws UsageError when it can't be made, or holds anything already
 */
export async function makeReportFolder(name: string, wanted: string | null): Promise<string> {
  if (wanted === null) return await makeNewFolder(join(REPORTS, name));
  const folder = resolve(wanted);
  await make(folder);
  if ((await readdir(folder)).length > 0) {
    throw new UsageError(`The folder ${folder} is not empty: choose a new one with --report.`);
  }
  return folder;
}

// Two runs can begin in the same second.
async function makeNewFolder(path: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const folder = number === 1 ? path : `${path}-${number}`;
    if (await make(folder)) return folder;
  }
}

async function make(folder: string): Promise<boolean> {
  return await makeFolder(folder).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`The folder ${folder} can't be made (${error.code}): choose another with --report.`);
  });
}

/** Lets reports/latest point to a report, if it lies in reports/. */
export async function pointLatest(folder: string): Promise<void> {
  if (dirname(folder) !== REPORTS) return;
  const latest = join(REPORTS, 'latest');
  await rm(latest, { force: true });
  await symlink(basename(folder), latest);
}

export type ReportContents = {
  title: string;
  recording: Recording;
  judgement: Judgement;
  versions: Record<string, string>;
  replay: string;
};

/** Writes `report.html`, `journal.json`, `plan.json` and `requests.csv` into `folder`. */
export async function writeReport(folder: string, contents: ReportContents): Promise<void> {
  const { title, recording, judgement, versions, replay } = contents;
  const html = renderReport(title, recording, judgement, { versions, replay });
  const { requests, ...rest } = recording;
  const journal: Journal = {
    version: 1,
    title,
    judgement,
    recording: rest,
    totals: countOutcomes(recording),
    versions,
    replay,
  };
  const files = {
    'report.html': html,
    'journal.json': `${JSON.stringify(journal, null, 2)}\n`,
    'plan.json': formatPlan(recording.plan),
    'requests.csv': formatRequestsCsv(requests),
  };
  await mkdir(folder, { recursive: true });
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)));
}

/** Writes `index.html`, which leads to the report of each run, and `summary.json`. */
export async function writeOverview(folder: string, summaries: readonly RunSummary[]): Promise<void> {
  const rows = summaries.map(({ scenario, title, verdict, totals, folder: own }) => {
    const { ok, wrong, error, lost } = totals;
    const measured = `${ok} ok, ${wrong} wrong, ${error} errors, ${lost} lost`;
    return { scenario, title, verdict, measured, folder: relative(folder, own) };
  });
  await writeFile(join(folder, 'index.html'), renderSummary(rows));
  await writeFile(join(folder, 'summary.json'), `${JSON.stringify(summaries, null, 2)}\n`);
}

/** How many requests ended how. */
export function countOutcomes({ requests }: Recording): Record<Outcome, number> {
  const totals = { ok: 0, wrong: 0, error: 0, lost: 0, dropped: 0 };
  for (const { outcome } of requests) totals[outcome] += 1;
  return totals;
}

/** A path as a person would type it. */
export function shortPath(path: string): string {
  const root = `${dirname(REPORTS)}/`;
  return path.startsWith(root) ? path.slice(root.length) : path;
}
