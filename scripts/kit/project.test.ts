// test · .env: a line is read by Compose and by the npm commands in the same way, or no command starts.
// What Compose makes of each was seen with `docker compose config`, version 2.26.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';

import { ROOT, upsertEnv } from './project.ts';

type Run = { code: number | null; stdout: string; stderr: string };

// The starter as it is, in a project of its own that has nothing but an .env.
async function runWith(
  t: TestContext,
  env: string | Uint8Array,
  prepare: (root: string) => Promise<void> = async () => {},
): Promise<Run> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'policy-proxy-'));
  t.after(() => rm(root, { recursive: true }));
  for (const folder of ['scripts', 'node_modules', '.cache/node/bin']) {
    await mkdir(path.join(root, folder), { recursive: true });
  }
  await copyFile(path.join(ROOT, 'scripts/run'), path.join(root, 'scripts/run'));
  await writeFile(path.join(root, 'package-lock.json'), '{}');
  await writeFile(path.join(root, 'node_modules/.package-lock.json'), '{}');
  await writeFile(path.join(root, 'show.mjs'), 'console.log(JSON.stringify(process.env));');
  await writeFile(path.join(root, '.env'), env);
  await prepare(root);
  const PATH = `${path.dirname(process.execPath)}:${process.env.PATH}`;
  const child = spawn('sh', [path.join(root, 'scripts/run'), 'show.mjs'], { env: { PATH } });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await once(child, 'close')) as [number | null];
  const [stdout, stderr] = await output;
  return { code, stdout, stderr };
}

const SAME: [line: string, value: string | undefined][] = [
  ['=1', '1'],
  ['=', ''],
  [' = 1  ', '1'],
  ['\t=\t1\t', '1'],
  ['=1\r', '1'],
  ['=1 # why', '1'],
  ['=x  #a # b', 'x'],
  ['=x y', 'x y'],
  ['=x\'y"z', 'x\'y"z'],
  ["='x y#z$HOME'", 'x y#z$HOME'],
  ["='Jürgen\u00a0'", 'Jürgen\u00a0'],
  ["=''", ''],
  ["= 'x'# why", 'x'],
  ['="x #y" # why', 'x #y'],
  ['=a=b,c;d:/e@f[1]{2}~%!*&()<>|?^+\\g', 'a=b,c;d:/e@f[1]{2}~%!*&()<>|?^+\\g'],
];

test('lines that both read alike are taken', async (t) => {
  const lines = SAME.map(([line], i) => `${i % 2 === 0 || line === '=' ? ' ' : ' export  '}NAME_${i}${line}`);
  const { code, stdout, stderr } = await runWith(
    t,
    `\n  \t\n# a "comment': $X\n \t# another\n\r\n${lines.join('\n')}`,
  );
  assert.equal(code, 0, stderr);
  const environment = JSON.parse(stdout) as Record<string, string>;
  for (const [i, [line, value]] of SAME.entries()) assert.equal(environment[`NAME_${i}`], value, line);
});

const GENERIC = /line 2 of \.env .*write NAME=value.*single quotes/;
const DIFFERENT: [what: string, line: string | Uint8Array][] = [
  ['a colon', 'NAME: 1'],
  ['a colon without a space', 'NAME:1'],
  ['a hash in a value', 'NAME=a#b'],
  ['a hash behind a tab', 'NAME=1\t# c'],
  ['a comment in place of a value', 'NAME= # c'],
  ['a variable', 'NAME=$HOME'],
  ['a variable in double quotes', 'NAME="a$HOME"'],
  ['a dollar', 'NAME=a$'],
  ['backticks', 'NAME=`x`'],
  ['a tab behind export', 'export\tNAME=1'],
  ['nothing but a blank for a value', 'NAME= '],
  ['nothing for a value that is exported', 'export NAME='],
  ['a name alone', 'NAME'],
  ['a name that is none', 'NA-ME=1'],
  ['more behind quotes', 'NAME="x" y'],
  ['quotes that stay open', 'NAME="x'],
  ['a value of two lines', 'NAME="x\ny"'],
  ['a backslash in quotes', "NAME='x\\'"],
  ['a space of another kind at the end', 'NAME=x\u00a0'],
  ['a carriage return in the middle', 'NAME=1\rOTHER=2'],
  ['another white space', 'NAME=1\v'],
  ['NUL', 'NAME=1\0'],
  ['bytes that are no UTF-8', Buffer.from('NAME=\xe9', 'latin1')],
];

for (const [what, line] of DIFFERENT) {
  test(`a line that each would read in its own way starts nothing: ${what}`, async (t) => {
    const parts = ['GOOD=1\n', line, '\nNAME=$LATER\n'].map((part) => Buffer.from(part as string));
    const { code, stdout, stderr } = await runWith(t, Buffer.concat(parts));
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, GENERIC);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}

test('a byte order mark is called one', async (t) => {
  const { code, stderr } = await runWith(t, '\ufeffNAME=1\n');
  assert.equal(code, 2);
  assert.match(stderr, /\.env begins with a byte order mark: save it as UTF-8 without one/);
});

test('what npm start writes is read back by every command', async (t) => {
  const values = [
    '/a b/c',
    'node:24-slim',
    '/x#y',
    '/$HOME/ü',
    '',
    ' ',
    "it's",
    "it's #1",
    '"x"',
    'a\\b',
    '`x`',
  ];
  const settings = Object.fromEntries(values.map((value, i) => [`NAME_${i}`, value]));
  const { code, stdout, stderr } = await runWith(t, upsertEnv('', settings));
  assert.equal(code, 0, stderr);
  assert.partialDeepStrictEqual(JSON.parse(stdout), settings);
  assert.throws(() => upsertEnv('', { NAME: `'"` }), /NAME .*can't be written/);
});
const cases: [what: string, text: string, settings: Record<string, string>, result: string][] = [
  ['an empty file', '', { A: '1', B: '2' }, 'A=1\nB=2\n'],
  ['other lines stay', '# mine\nC=3\n', { A: '1' }, '# mine\nC=3\nA=1\n'],
  ['no line end at the end', 'C=3', { A: '1' }, 'C=3\nA=1\n'],
  ['in place', 'A=0\nC=3\n', { A: '1' }, 'A=1\nC=3\n'],
  ['exported and with spaces', 'export A = "0"\nC=3\n', { A: '1' }, 'A=1\nC=3\n'],
  ['a name that only begins alike', 'AB=0\n', { A: '1' }, 'AB=0\nA=1\n'],
  ['a comment is not a setting', '# A=0\n', { A: '1' }, '# A=0\nA=1\n'],
  ['a value with a replacement pattern', 'A=0\n', { A: '$&$1' }, "A='$&$1'\n"],
  ['nothing to change', 'A=1\n', { A: '1' }, 'A=1\n'],
];
for (const [what, text, settings, result] of cases) {
  test(`.env: ${what}`, () => assert.equal(upsertEnv(text, settings), result));
}

test('dependencies that are missing are not installed through a link, which would empty what it points to', async (t) => {
  const { code, stderr } = await runWith(t, '', async (root) => {
    await rm(path.join(root, 'node_modules'), { recursive: true });
    await mkdir(path.join(root, 'elsewhere'));
    await symlink('elsewhere', path.join(root, 'node_modules'));
  });
  assert.equal(code, 2);
  assert.match(stderr, /node_modules is a link/);
});
