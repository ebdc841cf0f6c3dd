// The tables of options in docs/ and what `--help` lists: the same options, so that neither can drift from the other.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { NAMES_PATH, variableOf } from '../../services/shared/config.ts';
import { startProgram } from '../programs.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** Each table, by its page and the heading above it, and the program whose options it lists. */
const TABLES = [
  { page: 'options.md', heading: '## The proxy', program: 'services/proxy/main.ts' },
  { page: 'options.md', heading: '## A server', program: 'services/server/main.ts' },
  { page: 'options.md', heading: '## The client', program: 'services/client/main.ts' },
  { page: 'options.md', heading: '## load', program: 'scripts/load.ts' },
  { page: 'options.md', heading: '## start', program: 'scripts/start.ts' },
  { page: 'options.md', heading: '## start, stop, status', program: 'scripts/status.ts' },
  { page: 'options.md', heading: '## swarm, upgrade', program: 'scripts/swarm.ts' },
  { page: 'chaos.md', heading: '# Chaos', program: 'scripts/chaos.ts' },
  { page: 'testing.md', heading: '## Simulation', program: 'scripts/simulate.ts' },
  { page: 'testing.md', heading: '## Fuzzing', program: 'scripts/fuzz.ts' },
  { page: 'testing.md', heading: '## Soak', program: 'scripts/soak.ts' },
  { page: 'testing.md', heading: '## Benchmark', program: 'scripts/bench.ts' },
] as const;

type Option = { name: string; byDefault: string | null };

for (const { page, heading, program } of TABLES) {
  test(`docs/${page} lists under "${heading}" what ${program} --help lists`, async () => {
    const [inTable, inHelp] = await Promise.all([tableOf(page, heading), helpOf(program)]);
    assert.deepEqual(inTable.map(({ name }) => name).toSorted(), inHelp.map(({ name }) => name).toSorted());
    for (const { name, byDefault } of inHelp) {
      const told = inTable.find((option) => option.name === name)?.byDefault;
      // A switch that is off, or a text that depends on the rest, is told in words.
      if (byDefault !== null && byDefault !== 'false')
        assert.equal(told, byDefault, `the default of --${name}`);
    }
  });
}

test('every option that is a file has a name by which its variable is known to be a path', async () => {
  const text = await readFile(join(ROOT, 'docs', 'options.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `--([a-z-]+)`[^|]*\|[^|]*\| (?:PEM file|file with)/gm)];
  assert.ok(rows.length > 10, `${rows.length} options`);
  for (const [, name = ''] of rows) assert.match(variableOf('PROXY', name), NAMES_PATH);
});

/** The rows `| `--name` ... | default | ... |` between the heading and the next one of its level. */
async function tableOf(page: string, heading: string): Promise<Option[]> {
  const text = await readFile(join(ROOT, 'docs', page), 'utf8');
  const start = text.indexOf(`${heading}\n`);
  assert.notEqual(start, -1, `there is "${heading}" in docs/${page}`);
  const end = text.indexOf('\n## ', start + heading.length);
  const section = text.slice(start, end === -1 ? undefined : end);
  return [...section.matchAll(/^\| `--([a-z-]+)`[^|]*\|([^|]*)\|/gm)].map(([, name = '', byDefault = '']) => {
    return { name, byDefault: byDefault.replaceAll('`', '').trim() };
  });
}

async function helpOf(program: string): Promise<Option[]> {
  // The environment of the tests may set other defaults.
  const help = startProgram(program, ['--help'], { environment: { PROXY_WORKERS: '' } });
  assert.equal(await help.exited(), 0, help.stderr());
  // A long choice or description moves what is said of an option to the lines below it.
  const [listed = ''] = help.stdout().split('\n\nExamples:');
  const options = listed.split(/^ {2,6}(?:-\w, )?(?=--[a-z])/m).slice(1);
  return options
    .map((text) => ({
      name: /^--([a-z-]+)/.exec(text)?.[1] ?? '',
      byDefault: /\[default: "?(.*?)"?\]/.exec(text)?.[1] ?? null,
    }))
    .filter(({ name }) => name !== 'help');
}
