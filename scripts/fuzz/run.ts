// shell · a run of the fuzzer: its places one after the other. A finding is printed before the next place begins.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { printable, printableLines } from '../../services/shared/printable.ts';
import { makeReportFolder, shortPath } from '../kit/report-files.ts';
import { type Progress, runOneStep } from '../kit/steps.ts';
import { count, duration } from '../kit/words.ts';
import { drawInput } from './draw.ts';
import type { InProcessTally, Job, NumberedFinding } from './in-process.ts';
import type { SocketsTally } from './sockets.ts';

export const SCRIPT_NAME = 'npm run fuzz --';
export const PLACES = ['in-process', 'sockets'] as const;

type Place = (typeof PLACES)[number];

export type FuzzOptions = {
  seconds: number;
  seed: number;
  /** The one input that is tried again, or null. */
  input: number | null;
  places: readonly Place[];
  isJson: boolean;
};

type Tally = InProcessTally | SocketsTally;

const TITLES = { 'in-process': 'Framing and packets, in-process', sockets: 'A running proxy, over sockets' };
const DUMP_BYTES = 200;
const SHOWN_NUMBERS = 8;

/**
 * Fuzzes each of the places and prints what was found there at once.
 * @param fuzz   what fuzzes each place; after the signal it returns what it has
 * @param signal ends the run early
 * @returns whether something was found
 */
export async function runFuzz(
  { seconds, seed, input, places, isJson }: FuzzOptions,
  fuzz: Record<Place, (job: Job) => Promise<Tally>>,
  signal: AbortSignal,
): Promise<boolean> {
  const say = isJson ? console.error : console.log;
  const range = input === null ? { first: 0, count: null } : { first: input, count: 1 };
  const forMs = (seconds * 1000) / places.length;
  const tallies: Partial<Record<Place, Tally>> = {};
  say(`Seed ${seed}`);
  for (const place of places) {
    const run = ({ phase }: Progress): Promise<Tally> =>
      fuzz[place]({ ...range, seed, forMs, signal, onProgress: (done) => phase(`${done} inputs`) });
    const tally = await runOneStep(signal, TITLES[place], run, summaryOf, { isOnStderr: isJson }).catch(
      (error: unknown) => {
        if (!signal.aborted) throw error;
      },
    );
    if (tally === undefined) break;
    tallies[place] = tally;
    if (tally.finding !== null) say(`\n${await keepFinding(place, seed, tally.finding)}`);
    if (signal.aborted) break;
  }
  const hasFound = Object.values(tallies).some(({ finding }) => finding !== null);
  if (signal.aborted) say(`\nEnded early: ${hasFound ? 'something' : 'nothing'} was found by then.`);
  else if (!hasFound) say('\nNothing found.');
  if (isJson) {
    const verdict = hasFound ? 'fail' : signal.aborted ? 'unknown' : 'pass';
    const { 'in-process': inProcess = null, sockets = null } = tallies;
    console.log(JSON.stringify({ verdict, seed, inProcess, sockets }));
  }
  return hasFound;
}

function summaryOf(tally: Tally): string {
  const inputs = `${count(tally.inputs)} inputs`;
  if ('frames' in tally) return `${inputs}, ${count(tally.frames)} frames`;
  const { requests, answered, slowestMs } = tally.normal;
  const normal = `${count(answered)} of ${count(requests)} requests answered right`;
  return `${inputs}, ${count(tally.replies)} replies; normal client: ${normal}, the slowest in ${duration(slowestMs)}`;
}

// Writes the bytes that did it into reports/. Returns the finding in words, with how to see it again.
async function keepFinding(place: Place, seed: number, found: NumberedFinding): Promise<string> {
  const { check, detail, numbers } = found;
  const [first, ...others] = numbers;
  // A stack has lines of its own.
  const what = `Not kept ${place === 'sockets' ? 'over sockets' : place}: ${check}\n  ${printableLines(detail)}`;
  if (first === undefined) return what;
  const { origin, bytes } = drawInput(seed, first);
  const folder = await makeReportFolder(`fuzz-${place}`, null);
  const file = join(folder, `seed-${seed}-input-${first}.bin`);
  await writeFile(file, bytes);
  const dump = printable(JSON.stringify(bytes.toString('latin1', 0, DUMP_BYTES)));
  const size = `${count(bytes.length)} bytes${bytes.length > DUMP_BYTES ? ', which begin' : ''}`;
  return [
    what,
    `  seed ${seed}, input ${first} (${origin}), ${size}: ${dump}`,
    ...(others.length > 0 ? [`  under way with it: ${others.slice(0, SHOWN_NUMBERS).join(', ')}`] : []),
    `  the bytes: ${shortPath(file)}`,
    `  again: ${SCRIPT_NAME} --seed ${seed} --input ${first} --only ${place}`,
  ].join('\n');
}
