// `npm run check`: format, lint, types and dead code.
import { spawnSync } from 'node:child_process';
import { hideBin } from 'yargs/helpers';
import { commandLine, runMain } from '../services/shared/config.ts';

const CHECKS = [
  { name: 'format and lint', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'types', command: ['tsc', '--project', 'tsconfig.json'] },
  { name: 'types of the page', command: ['tsc', '--project', 'services/proxy/page/browser'] },
  { name: 'dead code', command: ['knip', '--no-progress'] },
];

await runMain('npm run check --', async () => {
  const { fix } = await commandLine(hideBin(process.argv), 'npm run check')
    .usage(
      `$0 [-- OPTIONS]\n\nLooks for what has to be corrected: ${CHECKS.map(({ name }) => name).join(', ')}.`,
    )
    .options({
      fix: { type: 'boolean', default: false, describe: 'first correct format and lint where that is safe' },
    })
    .epilogue('Exit codes: 0 nothing found, 1 something has to be corrected, 2 bad usage.')
    .parse();
  if (fix) runProgram(['biome', 'check', '--write', '.']);
  const failed = CHECKS.filter(({ name, command }) => {
    console.log(`\n== ${name}: ${command.join(' ')}`);
    return !runProgram(command);
  });
  if (failed.length === 0) {
    console.log('\nnpm run check: nothing found.');
    return;
  }
  console.error(`\nnpm run check: ${failed.map(({ name }) => name).join(', ')} found something to correct.`);
  process.exitCode = 1;
});

function runProgram([program = '', ...args]: readonly string[]): boolean {
  return spawnSync(`node_modules/.bin/${program}`, args, { stdio: 'inherit' }).status === 0;
}
