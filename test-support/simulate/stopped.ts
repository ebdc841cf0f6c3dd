// shell · runs seeds while another process stops and continues this one: says when they have begun, and which have failed.
import { runSeeds } from '../../scripts/simulate/run.ts';

const findings: number[] = [];
let results = 0;
await runSeeds({
  firstSeed: 1,
  count: 50,
  only: () => null,
  signal: new AbortController().signal,
  limitMs: Number(process.argv[2]),
  onResult: ({ seed, violation }) => {
    if (results === 0) console.log('begun');
    results += 1;
    if (violation !== null) findings.push(seed);
    return true;
  },
});
console.log(JSON.stringify(findings));
