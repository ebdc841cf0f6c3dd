// `npm run check`: format, lint, types and dead code, in that order; stops with 1 if any of them finds something.
// Must never change a file: `npx biome check --write` does that.
import { spawnSync } from 'node:child_process';

const checks = [
  { name: 'format and lint', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'types', command: ['tsc', '--project', 'tsconfig.json'] },
  { name: 'dead code', command: ['knip', '--no-progress'] },
];

const failed = checks.filter(({ name, command }) => {
  console.log(`\n== ${name}: ${command.join(' ')}`);
  const [program = '', ...args] = command;
  return spawnSync(`node_modules/.bin/${program}`, args, { stdio: 'inherit' }).status !== 0;
});

if (failed.length > 0) {
  console.error(`\nnpm run check: ${failed.map(({ name }) => name).join(', ')} found something to mend.`);
  process.exit(1);
}
console.log('\nnpm run check: nothing found.');
