// `npm test`: every test. First what needs no Docker, then the cluster in containers, set up as `npm start` does it.
// Must never call a run good in which nothing ran.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { hideBin } from 'yargs/helpers';
import { commandLine } from '../services/shared/config.ts';
import { prepareAppImage } from './cluster/app-image.ts';
import { prepareEngine } from './cluster/engine.ts';
import { prepareNodeImage } from './cluster/node-image.ts';
import { runScript } from './kit/script.ts';
import { runSteps } from './kit/steps.ts';

const END_TO_END = 'scripts/e2e/*.test.ts';
const ALL = '{services,scripts,test-support}/**/*.test.ts';
const UNIT_TIMEOUT_MS = 120_000;
const END_TO_END_TIMEOUT_MS = 180_000;

const AGAIN = 'Run it again: what is set up already is skipped, and what a test has left is removed.';

await runScript('npm test --', AGAIN, async (signal) => {
  const { only } = await commandLine(hideBin(process.argv), 'npm test')
    .usage(
      '$0 [-- OPTIONS]\n\nRuns the tests: those that need no Docker, then those of the cluster in containers.',
    )
    .options({ only: { choices: ['unit', 'e2e'] as const, describe: 'only one of the two' } })
    .parse();
  const endToEnd = globSync(END_TO_END);
  const unit = globSync(ALL).filter((file) => !endToEnd.includes(file));
  if (only !== 'e2e') runTests('tests without Docker', unit, UNIT_TIMEOUT_MS);
  if (only === 'unit') return;
  await runSteps(signal, [
    { title: 'Docker Engine and Compose', run: prepareEngine },
    { title: 'Image with Node 24', run: prepareNodeImage },
    { title: 'Image of the cluster', run: prepareAppImage },
  ]);
  runTests('tests in containers', endToEnd, END_TO_END_TIMEOUT_MS);
});

function runTests(name: string, files: readonly string[], timeoutMs: number): void {
  if (files.length === 0) throw new Error(`There are no ${name}.`);
  console.log(`\n== ${name}: ${files.length} files`);
  const flags = ['--test', '--test-reporter=spec', `--test-timeout=${timeoutMs}`];
  const { status, signal } = spawnSync(process.execPath, [...flags, ...files.toSorted()], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(signal === 'SIGINT' ? 130 : 1);
}
