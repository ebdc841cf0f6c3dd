// shell · `npm run soak`: load and constant churn on a real proxy, and whether it leaks or loses anything.
import { rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandLine, given, requireWhole, UsageError, withEnvironment } from '../services/shared/config.ts';
import { asUnknown } from './kit/failure.ts';
import { readMachine } from './kit/machine.ts';
import { MAX_SEED } from './kit/random.ts';
import { formatJudgement } from './kit/report/judgement.ts';
import { makeReportFolder, shortPath } from './kit/report-files.ts';
import { JSON_FLAG, number, runScript } from './kit/script.ts';
import { runOneStep } from './kit/steps.ts';
import { VERDICT_EXIT_CODES } from './kit/verdict.ts';
import { renderSoak } from './soak/report.ts';
import { runSoak } from './soak/run.ts';
import { judgeSoak, type Soak } from './soak/verdict.ts';

const SCRIPT_NAME = 'npm run soak --';
const MINUTES = { min: 0.05, max: 1_400 };

const FLAGS = {
  minutes: number(10, 'how long the churn goes on'),
  rate: number(500, 'requests a second all along'),
  seed: number(1, 'decides what is done when: the same seed, the same actions'),
  report: { type: 'string', describe: 'folder for the report (reports/TIME-soak)' },
  json: JSON_FLAG,
} as const;

const EPILOGUE = `A proxy and six servers run as processes on loopback, without Docker. About once a second a server is killed, frozen or restarted, another one comes and goes, or connections are reset, left idle or filled with garbage; one healthy server of each policy remains.

It fails when memory grows by more than 1 MB a minute in the second half, when open files, connections or the policy table are not at the end what they were, and when a request was lost, wrong or refused. It takes two minutes to tell whether memory grows.

Exit codes: 0 pass · 1 fail · 2 bad usage, or the machine lacks something that this needs · 3 unknown, or the run could not be made · 130 ended early with Ctrl-C (what was measured is still reported)`;

await runScript(SCRIPT_NAME, 'Nothing was measured, and nothing is left running.', main, {
  mustCleanUp: true,
});

/** @throws UsageError */
function parse(args: readonly string[]) {
  const flags = commandLine(args, SCRIPT_NAME)
    .usage(
      '$0 [OPTIONS]\n\nLoad and constant churn on a real proxy: does it leak, and does it lose anything?',
    )
    .options(withEnvironment('SOAK', FLAGS, process.env))
    .example('$0 --minutes 2', 'the shortest run that is judged for memory')
    .example('$0 --minutes 10 --seed 7', 'another choice of servers and times')
    .example('$0 --minutes 480 --rate 1000', 'a night of it')
    .epilogue(EPILOGUE)
    .parseSync();
  const { minutes } = flags;
  if (!(minutes >= MINUTES.min && minutes <= MINUTES.max))
    throw new UsageError(`--minutes must be a number from ${MINUTES.min} to ${MINUTES.max}.`);
  return {
    minutes,
    rate: requireWhole('--rate', flags.rate, 10, 5_000),
    seed: requireWhole('--seed', flags.seed, 0, MAX_SEED),
    reportFolder: given('--report', flags.report),
    isJson: flags.json,
  };
}

async function main(signal: AbortSignal): Promise<void> {
  const options = parse(process.argv.slice(2));
  const { minutes, rate, seed, isJson } = options;
  // Before anything is started: without it there is nowhere to report to.
  const folder = await makeReportFolder('soak', options.reportFolder);
  const soak = await runOneStep(
    signal,
    `Soak of ${minutes} min, ${rate} requests a second, seed ${seed}`,
    (progress) => runSoak(options, progress, signal),
    ({ actions, counts }) => `${counts.ok} requests answered right, ${actions.length} actions`,
    { isOnStderr: isJson },
  ).catch(async (error: unknown) => {
    await rmdir(folder).catch(() => {});
    throw signal.aborted ? error : asUnknown(error);
  });
  const command = `${SCRIPT_NAME} --minutes ${minutes} --rate ${rate} --seed ${seed}`;
  const verdict = await report(soak, folder, command, isJson);
  if (!signal.aborted) process.exitCode = VERDICT_EXIT_CODES[verdict];
}

async function report(soak: Soak, folder: string, command: string, isJson: boolean) {
  const judgement = judgeSoak(soak);
  const machine = await readMachine();
  const result = { ...judgement, command, machine, report: folder, soak };
  const file = join(folder, 'report.html');
  await writeFile(file, renderSoak(soak, judgement, { machine, command }));
  await writeFile(join(folder, 'soak.json'), `${JSON.stringify(result, null, 2)}\n`);
  if (isJson) console.log(JSON.stringify(result));
  const print = isJson ? console.error : console.log;
  print(`\n${formatJudgement(judgement)}\n\n${judgement.verdict}: ${shortPath(file)}`);
  return judgement.verdict;
}
