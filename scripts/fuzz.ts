// shell · `npm run fuzz`: sends the proxy what nobody should send. The parts are in fuzz/.
// Must never call a run good in which an input was lost, or a branch not taken.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fuzzInProcess } from './fuzz/in-process.ts';
import { drawInput } from './fuzz/inputs/draw.ts';
import type { InProcessTally } from './fuzz/messages.ts';
import { type FuzzOptions, type Place, parseFuzzCommand, SCRIPT_NAME } from './fuzz/options.ts';
import type { Finding } from './fuzz/oracle.ts';
import {
  describeBystander,
  describeCoverage,
  describeFinding,
  summariseInProcess,
  summariseSockets,
} from './fuzz/report.ts';
import { fuzzOverSockets, type SocketsTally } from './fuzz/sockets.ts';
import { runOneStep } from './kit/one-step.ts';
import { folderName, makeReportFolder, shortPath } from './kit/report-files.ts';
import { runScript } from './kit/script.ts';

const IN_PROCESS_SHARE = 0.42;

await runScript(SCRIPT_NAME, 'Nothing was found by then.', async (signal) => {
  const options = parseFuzzCommand(process.argv.slice(2));
  const say = options.isJson ? console.error : console.log;
  say(`Seed ${options.seed}`);
  const { places } = options;
  const inProcess = places.includes('in-process') ? await runInProcess(options, signal) : null;
  const sockets = places.includes('sockets') ? await runSockets(options, signal) : null;
  const isCovered = inProcess?.coverage?.every(({ branches, covered }) => branches === covered) !== false;
  const inCode = inProcess?.finding ?? null;
  const inProxy = sockets?.finding ?? null;
  const isGood = inCode === null && inProxy === null && isCovered;
  if (!isGood) process.exitCode = 1;
  if (inProcess !== null) say(`\n${describeCoverage(inProcess)}`);
  if (sockets !== null) say(`\n${describeBystander(sockets)}`);
  if (inCode !== null) say(await tell('in-process', options.seed, inCode, [inCode.number]));
  if (inProxy !== null) say(await tell('sockets', options.seed, inProxy, inProxy.numbers));
  if (options.isJson) {
    const verdict = isGood ? 'pass' : 'fail';
    console.log(JSON.stringify({ verdict, seed: options.seed, inProcess, sockets }));
  } else if (isGood) {
    say('\nNothing found.');
  }
});

async function runInProcess(options: FuzzOptions, signal: AbortSignal): Promise<InProcessTally> {
  return await runOneStep(
    signal,
    'Framing and packets, in-process',
    ({ phase }) =>
      fuzzInProcess({
        ...range(options, 'in-process'),
        signal,
        onProgress: (done) => phase(`${done} inputs`),
      }),
    summariseInProcess,
    { isOnStderr: options.isJson },
  );
}

async function runSockets(options: FuzzOptions, signal: AbortSignal): Promise<SocketsTally> {
  return await runOneStep(
    signal,
    'A running proxy, over sockets',
    ({ phase }) =>
      fuzzOverSockets({
        ...range(options, 'sockets'),
        signal,
        onProgress: (done) => phase(`${done} inputs`),
      }),
    summariseSockets,
    { isOnStderr: options.isJson },
  );
}

function range({ seed, seconds, input, places }: FuzzOptions, place: Place) {
  const share = places.length === 1 ? 1 : place === 'in-process' ? IN_PROCESS_SHARE : 1 - IN_PROCESS_SHARE;
  const forMs = seconds * share * 1000;
  return input === null ? { seed, first: 0, count: null, forMs } : { seed, first: input, count: 1, forMs };
}

async function tell(
  place: Place,
  seed: number,
  finding: Finding,
  numbers: readonly number[],
): Promise<string> {
  const [first] = numbers;
  if (first === undefined) return `\n${describeFinding(place, seed, finding, numbers, null)}`;
  const folder = await makeReportFolder(folderName(new Date(), `fuzz-${place}`), null);
  const file = join(folder, `seed-${seed}-input-${first}.bin`);
  await writeFile(file, drawInput(seed, first).bytes);
  return `\n${describeFinding(place, seed, finding, numbers, shortPath(file))}`;
}
