// shell · the files of a run's report, and of the overview of several runs.
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { attempt } from '../kit/command.ts';
import { readMachine } from '../kit/machine.ts';
import { describeOutcomes, noOutcomes, type Outcome } from '../load/exchange.ts';
import type { Journal, Recording, ReportContents } from './journal.ts';
import { formatPlan } from './plan.ts';
import { formatRequestsCsv } from './report/csv.ts';
import { renderReport, renderSummary } from './report/report.ts';
import type { RunSummary } from './run-plans.ts';

const VERSION_WITHIN_MS = 5_000;

/** Writes `report.html`, `journal.json`, `plan.json` and `requests.csv` into `folder`. */
export async function writeReport(folder: string, contents: ReportContents): Promise<void> {
  const { recording } = contents;
  const { requests, ...rest } = recording;
  const totals = countOutcomes(recording);
  const journal: Journal = { version: 1, ...contents, recording: rest, totals };
  const files = {
    'report.html': renderReport(contents),
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
    return { scenario, title, verdict, measured: describeOutcomes(totals), folder: relative(folder, own) };
  });
  await writeFile(join(folder, 'index.html'), renderSummary(rows));
  await writeFile(join(folder, 'summary.json'), `${JSON.stringify(summaries, null, 2)}\n`);
}

/** How many requests ended how. */
export function countOutcomes({ requests }: Recording): Record<Outcome, number> {
  const totals = noOutcomes();
  for (const { outcome } of requests) totals[outcome] += 1;
  return totals;
}

/** What a run was done with, by name; what can't be found out is left out. */
export async function readVersions(): Promise<Record<string, string>> {
  const ask = async (...args: string[]): Promise<string> =>
    (await attempt('docker', args, { timeoutMs: VERSION_WITHIN_MS })).stdout.trim();
  const [machine, engine, compose] = await Promise.all([
    readMachine(),
    ask('version', '--format', '{{.Server.Version}}'),
    ask('compose', 'version', '--short'),
  ]);
  const versions = Object.entries({ ...machine, 'Docker Engine': engine, 'Docker Compose': compose });
  return Object.fromEntries(versions.filter(([, version]) => version !== ''));
}
