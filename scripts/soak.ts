// shell · `npm run soak`: load and constant churn on a real proxy, and whether it leaks or loses anything. The parts are in soak/.
// Must never call a run good that was cut short, or leave a process behind.
import { rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../services/shared/config.ts';
import { readMachine } from './kit/machine.ts';
import type { Judgement, Verdict } from './chaos/journal.ts';
import { formatJudgement } from './chaos/verdict-text.ts';
import { Failure } from './kit/failure.ts';
import { runOneStep } from './kit/one-step.ts';
import { folderName, makeReportFolder, shortPath } from './kit/report-files.ts';
import { runScript } from './kit/script.ts';
import type { Soak } from './soak/journal.ts';
import { commandOf, parseSoakCommand, SCRIPT_NAME, type SoakOptions } from './soak/options.ts';
import { renderSoak } from './soak/report.ts';
import { runSoak } from './soak/run.ts';
import { judgeSoak } from './soak/verdict.ts';

const EXIT_CODES: Record<Verdict, number> = { pass: 0, fail: 1, unknown: 3 };

await runScript(SCRIPT_NAME, 'Nothing was found out, and nothing is left running.', main, {
  mustCleanUp: true,
});

async function main(signal: AbortSignal): Promise<void> {
  const options = parseSoakCommand(process.argv.slice(2));
  // First of all, so that nothing is started when there is nowhere to report to.
  const folder = await makeReportFolder(folderName(new Date(), 'soak'), options.reportFolder);
  const soak = await runOneStep(
    signal,
    `Soak of ${options.minutes} min, ${options.rate} requests a second, seed ${options.seed}`,
    (progress) => runSoak(options, progress, signal),
    ({ deeds, counts }) => `${counts.ok} requests answered right, ${deeds.length} deeds`,
    { isOnStderr: options.isJson },
  ).catch(async (error: unknown) => {
    await rmdir(folder).catch(() => {});
    throw signal.aborted ? error : saysNothingOfTheProxy(error);
  });
  const judgement = judgeSoak(soak);
  await report(soak, judgement, folder, options);
  if (!signal.aborted) process.exitCode = EXIT_CODES[judgement.verdict];
}

async function report(soak: Soak, judgement: Judgement, folder: string, options: SoakOptions): Promise<void> {
  const [machine, command] = [await readMachine(), commandOf(options)];
  const result = { ...judgement, command, machine, report: folder, soak };
  const file = join(folder, 'report.html');
  await Promise.all([
    writeFile(file, renderSoak(soak, judgement, { machine, command })),
    writeFile(join(folder, 'soak.json'), `${JSON.stringify(result, null, 2)}\n`),
  ]);
  if (options.isJson) console.log(JSON.stringify(result));
  const say = options.isJson ? console.error : console.log;
  say(`\n${formatJudgement(judgement)}\n\n${judgement.verdict}: ${shortPath(file)}`);
}

// 1 would say that the proxy failed; a run that could not be made says nothing about it.
function saysNothingOfTheProxy(error: unknown): unknown {
  if (error instanceof UsageError) return error;
  const { message, stack = '' } = error as Error;
  if (!(error instanceof Failure))
    return new Failure(message, 'Nothing was found out about the proxy.', { tail: stack, exitCode: 3 });
  if (error.exitCode !== 1) return error;
  return new Failure(message, error.next, { tail: error.tail, exitCode: 3, cause: error });
}
