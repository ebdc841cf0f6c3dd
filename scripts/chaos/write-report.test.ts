// A report on disk: all of its files.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sampleJudgement, sampleRecording } from '../../test-support/chaos/sample.ts';
import type { Journal } from './journal.ts';
import { formatPlan } from './plan.ts';
import { writeReport } from './write-report.ts';

test('the files of a report, and what the journal leaves to requests.csv', async (t) => {
  const base = await mkdtemp(join(tmpdir(), 'report-'));
  t.after(() => rm(base, { recursive: true }));
  const folder = join(base, 'mine');
  const recording = sampleRecording(20);
  await writeReport(folder, {
    title: 'tour',
    recording,
    judgement: sampleJudgement(),
    versions: { Node: '24' },
    replay: 'again',
  });
  const files = await readdir(folder);
  for (const file of ['report.html', 'journal.json', 'plan.json', 'requests.csv']) {
    assert.ok(files.includes(file), file);
  }
  const journal = JSON.parse(await readFile(join(folder, 'journal.json'), 'utf8')) as Journal;
  assert.equal('requests' in journal.recording, false);
  const totals = Object.values(journal.totals).reduce((sum, count) => sum + count, 0);
  assert.equal(totals, recording.requests.length);
  const csv = await readFile(join(folder, 'requests.csv'), 'utf8');
  assert.equal(csv.trim().split('\n').length, recording.requests.length + 1);
  assert.equal(await readFile(join(folder, 'plan.json'), 'utf8'), formatPlan(recording.plan));
});
