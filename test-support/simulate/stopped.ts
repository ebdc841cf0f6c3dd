// shell · runs seeds while another process stops and continues this one: says when they have begun, and which have failed.
import { runSeeds } from '../../scripts/simulate/run.ts';

const [count, limitMs] = process.argv.slice(2).map(Number);
const findings: number[] = [];
let results = 0;
await runSeeds({
  firstSeed: 1,
  count: count ?? 0,
  only: () => null,
  signal: new AbortController().signal,
  limitMs: limitMs ?? 0,
  onResult: ({ seed, violation }) => {
    if (results === 0) console.log('begun');
    results += 1;
    if (violation !== null) findings.push(seed);
    return true;
  },
});
console.log(JSON.stringify(findings));
