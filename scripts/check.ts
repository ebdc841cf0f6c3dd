// `npm run check`: format, lint, types and dead code, in that order; stops with 1 if any of them finds something.
// Must never change a file: `npx biome check --write` does that.
import { spawnSync } from 'node:child_process';
import { hideBin } from 'yargs/helpers';
import { commandLine, runMain } from '../services/shared/config.ts';

const CHECKS = [
  { name: 'format and lint', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'types', command: ['tsc', '--project', 'tsconfig.json'] },
  { name: 'dead code', command: ['knip', '--no-progress'] },
];

await runMain('npm run check --', async () => {
  await commandLine(hideBin(process.argv), 'npm run check')
    .usage(`$0\n\nLooks for what is to be mended: ${CHECKS.map(({ name }) => name).join(', ')}.`)
    .epilogue('Exit codes: 0 nothing found, 1 something is to be mended, 2 bad usage.')
    .parse();
  const failed = CHECKS.filter(({ name, command }) => {
    console.log(`\n== ${name}: ${command.join(' ')}`);
    const [program = '', ...args] = command;
    return spawnSync(`node_modules/.bin/${program}`, args, { stdio: 'inherit' }).status !== 0;
  });
  if (failed.length === 0) {
    console.log('\nnpm run check: nothing found.');
    return;
  }
  console.error(`\nnpm run check: ${failed.map(({ name }) => name).join(', ')} found something to mend.`);
  process.exitCode = 1;
});
