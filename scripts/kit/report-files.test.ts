// The folder of a report: nothing else was in it, and a person's own counts from where npm was called.
import assert from 'node:assert/strict';
import { mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../../services/shared/config.ts';
import { makeReportFolder } from './report-files.ts';

test('a folder counts from where npm was called, and is used only when it is empty', async (t) => {
  const base = await mkdtemp(join(tmpdir(), 'report-'));
  const { INIT_CWD } = process.env;
  t.after(async () => {
    if (INIT_CWD === undefined) delete process.env.INIT_CWD;
    else process.env.INIT_CWD = INIT_CWD;
    await rm(base, { recursive: true });
  });
  process.env.INIT_CWD = base;
  const folder = await makeReportFolder('ignored', join('deep', 'mine'));
  assert.equal(folder, join(base, 'deep', 'mine'));
  assert.equal(await makeReportFolder('ignored', folder), folder);
  await writeFile(join(folder, 'report.html'), '');
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
});

test('reports sort by time, and two of the same second have a folder each', async (t) => {
  const what = `test-${process.pid}`;
  const at = new Date('2026-11-24T13:05:09.123Z');
  const folders = await Promise.all([1, 2, 3].map(() => makeReportFolder(what, null, at)));
  t.after(() => Promise.all(folders.map((folder) => rmdir(folder))));
  const name = `2026-11-24T13-05-09-${what}`;
  assert.deepEqual(folders.map((folder) => basename(folder)).toSorted(), [name, `${name}-2`, `${name}-3`]);
});
