// The version to compare with: a folder is taken as it is, a commit is unpacked, anything else is refused.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Failure } from '../kit/failure.ts';
import { SILENT } from '../kit/steps.ts';
import { prepareBaseline } from './baseline.ts';

const MAIN = join('services', 'proxy', 'main.ts');

async function makeFolder(t: TestContext, text: string | null): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'baseline-'));
  t.after(() => rm(folder, { recursive: true }));
  if (text === null) return folder;
  await mkdir(join(folder, 'services', 'proxy'), { recursive: true });
  await writeFile(join(folder, MAIN), text);
  await writeFile(join(folder, 'package.json'), '{}');
  return folder;
}

function git(folder: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org'];
  return execFileSync('git', ['-C', folder, ...identity, ...args], { encoding: 'utf8' }).trim();
}

async function makeRepository(t: TestContext): Promise<{ root: string; unpacked: string; first: string }> {
  const root = await makeFolder(t, 'first');
  git(root, 'init', '--quiet');
  git(root, 'add', 'services', 'package.json');
  git(root, 'commit', '--quiet', '--message', 'first');
  const first = git(root, 'rev-parse', 'HEAD');
  await writeFile(join(root, MAIN), 'second');
  git(root, 'commit', '--quiet', '--all', '--message', 'second');
  const unpacked = join(await makeFolder(t, null), 'unpacked');
  return { root, unpacked, first };
}

test('a folder is taken as it is', async (t) => {
  const folder = await makeFolder(t, 'any');
  assert.deepEqual(await prepareBaseline(folder, SILENT), { root: folder, version: folder });
  assert.equal((await prepareBaseline(relative(process.env.INIT_CWD ?? '', folder), SILENT)).root, folder);
});

test('a checkout says its commit, and a folder somewhere below it does not', async (t) => {
  const { root } = await makeRepository(t);
  const head = git(root, 'rev-parse', '--short', 'HEAD');
  assert.equal((await prepareBaseline(root, SILENT)).version, `${root}, commit ${head}`);
  const below = join(root, 'below');
  await mkdir(join(below, 'services', 'proxy'), { recursive: true });
  await writeFile(join(below, MAIN), 'any');
  assert.equal((await prepareBaseline(below, SILENT)).version, below);
});

test('a commit is unpacked once, and the working tree stays as it is', async (t) => {
  const { root, unpacked, first } = await makeRepository(t);
  const places = { root, unpacked };
  const baseline = await prepareBaseline('HEAD~1', SILENT, places);
  const version = `commit ${first.slice(0, 7)}`;
  assert.deepEqual(baseline, { root: join(unpacked, first), version });
  assert.equal(await readFile(join(baseline.root, MAIN), 'utf8'), 'first');
  assert.equal(await readFile(join(root, MAIN), 'utf8'), 'second');
  assert.equal(git(root, 'status', '--porcelain', '--untracked-files=no'), '');
  assert.equal(await readlink(join(baseline.root, 'node_modules')), join(root, 'node_modules'));
  await writeFile(join(baseline.root, MAIN), 'unpacked before');
  await prepareBaseline(first, SILENT, places);
  assert.equal(await readFile(join(baseline.root, MAIN), 'utf8'), 'unpacked before');
});

test('what is no version is told', async (t) => {
  const { root, unpacked } = await makeRepository(t);
  const empty = await makeFolder(t, null);
  const wrong: [string, RegExp][] = [
    [empty, /is no folder with a proxy .*, and no commit of this repository\.$/],
    ['v99', /^"v99" is no folder with a proxy/],
    ['--help', /^"--help" is no folder with a proxy/],
    ['^HEAD', /^"\^HEAD" is no folder/],
  ];
  for (const [wanted, message] of wrong) {
    await assert.rejects(
      prepareBaseline(wanted, SILENT, { root, unpacked }),
      (error: unknown) => error instanceof Failure && error.exitCode === 2 && message.test(error.message),
    );
  }
});

test('two at once, and what is left of a broken one, end with the same version', async (t) => {
  const { root, unpacked, first } = await makeRepository(t);
  await mkdir(join(unpacked, first, 'services'), { recursive: true });
  const places = { root, unpacked };
  const both = await Promise.all([1, 2, 3].map(() => prepareBaseline('HEAD~1', SILENT, places)));
  for (const baseline of both) assert.equal(await readFile(join(baseline.root, MAIN), 'utf8'), 'first');
  assert.deepEqual(await readdir(unpacked), [first]);
});

test('a place that can not be written is told', async (t) => {
  const { root } = await makeRepository(t);
  const places = { root, unpacked: join(root, 'package.json', 'x') };
  await assert.rejects(
    prepareBaseline('HEAD~1', SILENT, places),
    (error: unknown) => error instanceof Failure && /could not be unpacked into .*: E/.test(error.message),
  );
});
