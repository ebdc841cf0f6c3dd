// A report on disk: all of its files, in a folder that nothing else was in.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../../services/shared/config.ts';
import { sampleJudgement, sampleRecording } from '../../test-support/chaos/sample.ts';
import type { Journal } from '../chaos/journal.ts';
import { formatPlan } from '../chaos/plan.ts';
import { folderName, makeReportFolder, writeReport } from './report-files.ts';

test('the files of a report, and what the journal leaves to requests.csv', async (t) => {
  const base = await mkdtemp(join(tmpdir(), 'report-'));
  t.after(() => rm(base, { recursive: true }));
  const folder = await makeReportFolder('ignored', join(base, 'deep', 'mine'));
  const recording = sampleRecording(20);
  await writeReport(folder, {
    title: 'tour',
    recording,
    judgement: sampleJudgement(),
    versions: { Node: '24' },
    replay: 'again',
  });
  const files = await readdir(folder);
  for (const file of ['report.html', 'journal.json', 'plan.json', 'requests.csv', 'latency.svg']) {
    assert.ok(files.includes(file), file);
  }
  const journal = JSON.parse(await readFile(join(folder, 'journal.json'), 'utf8')) as Journal;
  assert.equal('requests' in journal.recording, false);
  const totals = Object.values(journal.totals).reduce((sum, count) => sum + count, 0);
  assert.equal(totals, recording.requests.length);
  const csv = await readFile(join(folder, 'requests.csv'), 'utf8');
  assert.equal(csv.trim().split('\n').length, recording.requests.length + 1);
  assert.equal(await readFile(join(folder, 'plan.json'), 'utf8'), formatPlan(recording.plan));

  await assert.rejects(
    makeReportFolder('ignored', folder),
    (error: unknown) => error instanceof UsageError && / is not empty/.test(error.message),
  );
});

test('a folder that cannot be made is said so', async (t) => {
  const base = await mkdtemp(join(tmpdir(), 'report-'));
  t.after(() => rm(base, { recursive: true }));
  await writeFile(join(base, 'file'), '');
  await assert.rejects(
    makeReportFolder('ignored', join(base, 'file')),
    (error: unknown) => error instanceof UsageError && /can't be made \(EEXIST\)/.test(error.message),
  );
  await assert.rejects(
    makeReportFolder('ignored', '/proc/no/such/folder'),
    (error: unknown) => error instanceof UsageError && /can't be made \(E/.test(error.message),
  );
});

test('two reports of the same second have a folder each', async (t) => {
  const name = `test-${process.pid}`;
  const folders = await Promise.all([1, 2, 3].map(() => makeReportFolder(name, null)));
  t.after(() => Promise.all(folders.map((folder) => rmdir(folder))));
  assert.deepEqual(folders.map((folder) => basename(folder)).toSorted(), [name, `${name}-2`, `${name}-3`]);
});

test('folder names sort by time and are file names everywhere', () => {
  const name = folderName(new Date('2026-11-24T13:05:09.123Z'), 'tour');
  assert.equal(name, '2026-11-24T13-05-09-tour');
});
