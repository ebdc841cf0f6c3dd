// test · a script that goes on in a network of its own, on systems that let it and on those that do not.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { attempt } from '../../bootstrap/command.ts';
import { SILENT } from '../../bootstrap/progress.ts';
import { type NativePrograms, prepareNative } from './compile.ts';

const SCRIPT = `
  import { readFileSync } from 'node:fs';
  import { goOnInOwnNetwork, hasOwnNetwork } from '${import.meta.resolve('./own-network.ts')}';
  const { load, server, ownNetwork } = JSON.parse(process.argv[1]);
  const code = await goOnInOwnNetwork({ load, server, ownNetwork }, new AbortController().signal);
  const interfaces = readFileSync('/proc/net/dev', 'utf8').match(/^ *[^ ]+(?=:)/gm);
  console.log(JSON.stringify({ code, own: hasOwnNetwork(), interfaces: interfaces.map((name) => name.trim()) }));
  if (hasOwnNetwork()) process.exitCode = 7;
`;

let programs: NativePrograms;
before(async () => {
  programs = await prepareNative(SILENT);
});

// The script prints a line each time it runs, the inner one first.
async function runScript(
  ownNetwork: string,
): Promise<{ code: number | null; own: boolean; interfaces: string[] }[]> {
  const paths = JSON.stringify({ ...programs, ownNetwork });
  const { isOk, stdout, tail } = await attempt(
    process.execPath,
    ['--input-type=module', '--eval', SCRIPT, paths],
    { timeoutMs: 20_000 },
  );
  assert.ok(isOk, tail);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('runs again where there is loopback and nothing else, if the system allows it', async () => {
  const { isOk, outcome, tail } = await attempt(programs.ownNetwork, ['true'], { timeoutMs: 10_000 });
  const runs = await runScript(programs.ownNetwork);
  const last = runs.at(-1);
  if (isOk) {
    assert.deepEqual(runs[0], { code: null, own: true, interfaces: ['lo'] });
    assert.deepEqual([runs.length, last?.code, last?.own], [2, 7, false]);
  } else {
    assert.equal(outcome, 'exit code 125', tail);
    assert.deepEqual([runs.length, last?.code, last?.own], [1, null, false]);
  }
});

test('goes on where it is when the system does not allow it', async () => {
  const runs = await runScript('false');
  assert.deepEqual([runs.length, runs[0]?.code, runs[0]?.own], [1, null, false]);
});

test('a command that is not there, and none at all', async () => {
  const run = (...args: string[]) => attempt(programs.ownNetwork, args, { timeoutMs: 10_000 });
  assert.match((await run('/no/such/command')).outcome, /^exit code 12[57]$/);
  assert.equal((await run()).outcome, 'exit code 2');
});
