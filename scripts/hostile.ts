// `npm run hostile`: peers that take a proxy, or its servers, down, and what is left of the others. The cases are in hostile/cases/.

import { type CaseResult, formatResult, type HostileCase, runCase } from '../test-support/hostile/case.ts';
import { parseHostileCommand, SCRIPT_NAME } from '../test-support/hostile/options.ts';
import type { Size } from '../test-support/hostile/scene.ts';
import { runOneStep } from './kit/one-step.ts';
import type { Progress } from './kit/progress.ts';
import { runScript } from './kit/script.ts';
import { VERDICT_EXIT_CODES, worstVerdict } from './kit/verdict.ts';

await runScript(SCRIPT_NAME, 'Nothing is left running.', main, { mustCleanUp: true });

async function main(signal: AbortSignal): Promise<void> {
  const { cases, size, isJson } = parseHostileCommand(process.argv.slice(2));
  const results = await runOneStep(
    signal,
    `${cases.length} hostile cases`,
    (progress) => runAll(cases, size, progress, signal),
    (all) => `${all.filter((result) => result.verdict === 'pass').length} of ${all.length} held`,
    { isOnStderr: isJson },
  );
  const verdict = worstVerdict(results.map((result) => result.verdict));
  if (isJson) console.log(JSON.stringify({ verdict, cases: results }));
  const say = isJson ? console.error : console.log;
  say(`\n${results.map(formatResult).join('\n')}\n\n${verdict}`);
  process.exitCode = VERDICT_EXIT_CODES[verdict];
}

async function runAll(
  cases: readonly HostileCase[],
  size: Size,
  { phase }: Progress,
  signal: AbortSignal,
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const one of cases) {
    phase(`${results.length + 1} of ${cases.length}: ${one.name}`);
    const result = await runCase(one, size, signal);
    phase(formatResult(result));
    results.push(result);
  }
  return results;
}
