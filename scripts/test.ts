// `npm test`: the tests that need no Docker, then those of the cluster in containers, set up as `npm start` does it.

import { existsSync, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { hideBin } from 'yargs/helpers';
import { callerPath, commandLine, UsageError } from '../services/shared/config.ts';
import { PREPARATION } from './cluster/preparation.ts';
import { runScript } from './kit/script.ts';
import { runSteps } from './kit/steps.ts';

const KINDS = ['unit', 'e2e', 'long'] as const;
type Group = {
  name: string;
  kind: (typeof KINDS)[number];
  /** A file belongs to the first group that it matches. */
  files: RegExp;
  timeoutMs: number;
  /** How many files run at the same time. */
  atOnce: number;
};

const CORES = availableParallelism();
// They take longest, and begin first, those that wait beside those that compute: at the end each would run alone.
const FIRST = [
  ...['simulate', 'page', 'hostile', 'planted', 'soak', 'bench', 'culprit'],
  ...['fuzz', 'servers', 'workers', 'requests', 'main'],
];

const LONG: Group = {
  name: 'long tests',
  kind: 'long',
  files: /\.long\.test\.ts$/,
  timeoutMs: 600_000,
  atOnce: CORES,
};
const IN_CONTAINERS: Group = {
  name: 'tests in containers',
  kind: 'e2e',
  files: /^scripts\/e2e\//,
  // Each file has a cluster of its own, and waits for it most of the time.
  timeoutMs: 180_000,
  atOnce: CORES,
};
// On a machine that is busy with others it can't tell.
const CHAOS: Group = {
  name: 'tests of chaos in containers',
  kind: 'e2e',
  files: /^scripts\/e2e\/chaos/,
  timeoutMs: 180_000,
  atOnce: 1,
};
const MEASURING: Group = {
  // One of them throttles a process: beside others that is more than it can bear.
  name: 'tests that measure',
  kind: 'unit',
  files: /^test-support\/cost\/|\/tests\/stop\.test\.ts$/,
  timeoutMs: 120_000,
  atOnce: 1,
};
const OTHERS: Group = {
  name: 'tests without Docker',
  kind: 'unit',
  files: /./,
  // Most of them wait for timers and processes most of the time. On a bare machine some install a browser first.
  timeoutMs: 300_000,
  atOnce: 2 * CORES,
};
const FIRST_MATCH = [LONG, CHAOS, IN_CONTAINERS, MEASURING, OTHERS];
const IN_TURN = [OTHERS, MEASURING, CHAOS, IN_CONTAINERS, LONG];
const SLOWEST = 10;
const AGAIN = 'Run it again: what is set up already is skipped, and what a test has left is removed.';

await runScript('npm test --', AGAIN, async (signal) => {
  const {
    only,
    testNamePattern = '',
    _: words,
  } = await commandLine(hideBin(process.argv), 'npm test --')
    .usage(
      '$0 [FILE...]\n$0 --only KIND\n\nRuns the tests: those that need no Docker, then those of the cluster in containers.\n' +
        'Files named *.long.test.ts run only when they are asked for.',
    )
    .options({
      only: { choices: KINDS, describe: 'only the tests of one kind' },
      'test-name-pattern': { type: 'string', describe: 'only tests whose names match this' },
    })
    .example('$0 scripts/kit/script.test.ts', 'the tests of one file')
    .example('$0 --only unit', 'what needs no Docker')
    .demandCommand(0)
    .epilogue('Exit codes: 0 all passed, 1 a test failed, 2 bad usage or no Docker, 130 stopped by Ctrl-C.')
    .parse();
  const files =
    words.length > 0
      ? words.map(String).map(requireFile)
      : globSync('{services,scripts,test-support}/**/*.test.ts');
  if (words.length > 0 && only !== undefined) throw new UsageError('Name files or give --only, not both.');
  const groups = IN_TURN.filter(({ kind }) => {
    if (only !== undefined) return kind === only;
    return words.length > 0 || kind !== 'long';
  });
  let ran = 0;
  for (const group of groups) {
    const chosen = files.filter((file) => FIRST_MATCH.find((each) => each.files.test(file)) === group);
    if (chosen.length === 0 && words.length > 0) continue;
    if (group.kind === 'e2e') await runSteps(signal, PREPARATION);
    ran += await runTests(group, chosen, testNamePattern, signal);
    if (process.exitCode) return;
  }
  if (ran === 0 && testNamePattern !== '')
    throw new UsageError(`No test has a name that matches "${testNamePattern}": nothing was tested.`);
});

function requireFile(word: string): string {
  const file = relative('.', callerPath(word));
  if (file.endsWith('.test.ts') && existsSync(file)) return file;
  throw new UsageError(`${word} is no file of tests: their names end with .test.ts.`);
}

function placeOf(file: string): number {
  const place = FIRST.indexOf(basename(file, '.test.ts'));
  return place === -1 ? FIRST.length : place;
}

/** Runs each file in a process of its own; sets the exit code when a test fails. @returns how many tests were run */
async function runTests(
  { name, timeoutMs, atOnce }: Group,
  files: readonly string[],
  pattern: string,
  signal: AbortSignal,
): Promise<number> {
  if (files.length === 0) throw new Error(`There are no ${name}.`);
  console.log(`\n== ${name}: ${files.length} ${files.length === 1 ? 'file' : 'files'}`);
  const durations: { name: string; ms: number }[] = [];
  const startedMs = performance.now();
  const tests = run({
    files: files.toSorted((a, b) => placeOf(a) - placeOf(b) || (a < b ? -1 : 1)),
    concurrency: atOnce,
    timeout: timeoutMs,
    testNamePatterns: pattern === '' ? [] : [pattern],
    signal,
  });
  tests.on('test:fail', ({ todo, skip }) => {
    if (todo === undefined && skip === undefined) process.exitCode ||= 1;
  });
  for (const event of ['test:pass', 'test:fail'] as const) {
    tests.on(event, ({ name: test, nesting, file = '', details }) => {
      const path = relative('.', file);
      // A file without a test of its own counts as one, with the path for a name.
      if (nesting > 0 || relative('.', test) === path) return;
      durations.push({ name: `${path}: ${test}`, ms: details.duration_ms });
    });
  }
  for await (const text of tests.compose(spec)) process.stdout.write(text as string);
  signal.throwIfAborted();
  const slowest = durations.sort((a, b) => b.ms - a.ms).slice(0, SLOWEST);
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1).padStart(6)} s`;
  console.log(`The slowest of ${durations.length} tests:`);
  for (const one of slowest) console.log(`${seconds(one.ms)}  ${one.name}`);
  console.log(`${seconds(performance.now() - startedMs)}  in all`);
  return durations.length;
}
