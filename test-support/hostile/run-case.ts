// A program: one case in its full form, its result as JSON on standard output. Usage: run-case.ts NAME SECONDS.
import { runCase } from './case.ts';
import { CASES } from './cases/index.ts';

const [name, seconds] = process.argv.slice(2);
const ending = new AbortController();
process.on('SIGTERM', () => ending.abort());
const one = CASES.find((each) => each.name === name);
if (one === undefined) throw new Error(`There is no case "${name}".`);
console.log(JSON.stringify(await runCase(one, { isSmall: false, seconds: Number(seconds) }, ending.signal)));
