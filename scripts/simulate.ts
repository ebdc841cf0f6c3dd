// `npm run simulate`: the proxy's own code in simulated worlds, drawn from seeds. The parts are in simulate/.
// Must never call a seed good that was not run to its end.
import { runOneStep } from './kit/one-step.ts';
import { runScript } from './kit/script.ts';
import { parseSimulateCommand, SCRIPT_NAME, type SimulateCommand } from './simulate/options.ts';
import { PLANTED_BUGS, type PlantedBug } from './simulate/planted-bugs.ts';
import { runSeed } from './simulate/run-seed.ts';
import { formatScale, measureScale } from './simulate/scale.ts';
import { formatReached, neverReached, tableOf, unlisted } from './simulate/sometimes.ts';
import {
  addOutcome,
  firstFailure,
  formatFailure,
  formatTally,
  newTally,
  type Tally,
} from './simulate/text.ts';
import { runSeeds } from './simulate/threads.ts';

const PROGRESS_EACH_SEEDS = 100;
/** With so many seeds all of the table must have been reached. */
const SEEDS_FOR_ALL = 1000;

type Seeds = Extract<SimulateCommand, { kind: 'seeds' }>;

await runScript(SCRIPT_NAME, 'What was run by then is told above.', async (signal) => {
  const command = parseSimulateCommand(process.argv.slice(2));
  switch (command.kind) {
    case 'trace': {
      const { trace, violation } = await runSeed(command.seed, true, command.only);
      for (const line of trace) console.log(line);
      if (violation === null) return;
      console.error(`\n${violation.invariant}: ${violation.detail}`);
      process.exitCode = 1;
      return;
    }
    case 'scale': {
      const rows = await measureScale(command.requests, signal, command.isJson);
      console.log(command.isJson ? JSON.stringify({ rows }) : `\n${formatScale(rows)}`);
      return;
    }
    case 'seeds': {
      const bug = PLANTED_BUGS.find(({ name }) => name === command.bugName);
      if (bug === undefined) await simulate(command, signal);
      else await plant([bug], command, signal);
      return;
    }
    case 'plant-all':
      await plant(PLANTED_BUGS, { ...command, firstSeed: 1, only: null }, signal);
      return;
    default:
      command satisfies never;
  }
});

async function simulate(command: Omit<Seeds, 'kind' | 'bugName'>, signal: AbortSignal): Promise<void> {
  const tally = newTally();
  try {
    await runAll('Simulated worlds', command, null, tally, signal);
  } finally {
    // Also when it was interrupted: what has been found by then must not be lost.
    await conclude(tally, command);
  }
}

async function runAll(
  title: string,
  { firstSeed, count, only, isJson }: Omit<Seeds, 'kind' | 'bugName'>,
  bug: PlantedBug | null,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  await runOneStep(
    signal,
    title,
    ({ phase }) =>
      runSeeds({
        firstSeed,
        count,
        bug,
        only,
        signal,
        onOutcome: (outcome) => {
          addOutcome(tally, outcome);
          if (tally.seeds % PROGRESS_EACH_SEEDS === 0) phase(`${tally.seeds} of ${count}`);
          return bug === null || tally.failures.length === 0;
        },
      }),
    () => `${formatTally(tally)}, ${tally.failures.length} with a promise broken`,
    { isOnStderr: isJson },
  );
}

async function conclude(tally: Tally, { only, isJson }: Pick<Seeds, 'only' | 'isJson'>): Promise<void> {
  const first = firstFailure(tally);
  const never = [...neverReached(tally.reached), ...unlisted(tally.reached)];
  const isTame = tally.seeds >= SEEDS_FOR_ALL && only === null && never.length > 0;
  if (first !== undefined || isTame) process.exitCode ||= 1;
  if (isJson) {
    const verdict = first === undefined && !isTame ? 'pass' : 'fail';
    console.log(JSON.stringify({ verdict, bug: null, ...tally, table: tableOf(), never }));
    return;
  }
  console.log(`\n${formatReached(tally.reached)}`);
  if (first !== undefined) {
    const { trace } = await runSeed(first.seed, true, only);
    console.log(`\n${formatFailure(first, trace, only)}`);
    return;
  }
  console.log(`\nEvery promise was kept. ${formatTally(tally)}.`);
  if (isTame)
    console.log(
      `The run fails all the same: ${never.length} of what worlds have to reach were never reached.`,
    );
}

async function plant(
  bugs: readonly PlantedBug[],
  command: Omit<Seeds, 'kind' | 'bugName'>,
  signal: AbortSignal,
): Promise<void> {
  const { isJson } = command;
  const found: {
    bug: string;
    isFound: boolean;
    seed: number | null;
    invariant: string | null;
    seeds: number;
  }[] = [];
  try {
    for (const bug of bugs) {
      const tally = newTally();
      await runAll(`With a bug: ${bug.name}`, command, bug, tally, signal);
      const first = firstFailure(tally);
      const invariant = first?.violation?.invariant ?? null;
      if (first === undefined) process.exitCode = 1;
      found.push({
        bug: bug.name,
        isFound: first !== undefined,
        seed: first?.seed ?? null,
        invariant,
        seeds: tally.seeds,
      });
      if (!isJson)
        console.log(first === undefined ? '  NOT found' : `  found by seed ${first.seed}: ${invariant}`);
    }
  } finally {
    if (isJson) {
      const isGood = found.length === bugs.length && found.every(({ isFound }) => isFound);
      console.log(JSON.stringify({ verdict: isGood ? 'pass' : 'fail', bugs: found }));
    }
  }
}
