// `npm run simulate`: the proxy's own code in simulated worlds, drawn from seeds. The parts are in simulate/.
// Must never call a seed good that was not run to its end.
import { runOneStep } from './bootstrap/one-step.ts';
import { runScript } from './bootstrap/script.ts';
import { parseSimulateCommand, SCRIPT_NAME } from './simulate/options.ts';
import { PLANTED_BUGS, type PlantedBug } from './simulate/planted-bugs.ts';
import { runSeed } from './simulate/run-seed.ts';
import { formatScale, measureScale } from './simulate/scale.ts';
import { formatFailure, formatTally, NOTHING_YET, type Tally, withOutcome } from './simulate/text.ts';
import { runSeeds } from './simulate/threads.ts';

const PROGRESS_EACH_SEEDS = 100;

await runScript(SCRIPT_NAME, 'What was run by then kept its promises.', async (signal) => {
  const command = parseSimulateCommand(process.argv.slice(2));
  switch (command.kind) {
    case 'trace':
      await trace(command.seed);
      return;
    case 'scale': {
      const rows = await measureScale(command.requests, signal, command.isJson);
      console.log(command.isJson ? JSON.stringify({ rows }) : `\n${formatScale(rows)}`);
      return;
    }
    case 'seeds': {
      const bug = PLANTED_BUGS.find(({ name }) => name === command.bugName) ?? null;
      await simulate(command.firstSeed, command.count, bug, command.isJson, signal);
      return;
    }
    case 'plant-all':
      for (const bug of PLANTED_BUGS) await simulate(1, command.count, bug, command.isJson, signal);
      return;
    default:
      command satisfies never;
  }
});

async function trace(seed: number): Promise<void> {
  const { trace: lines, violation } = await runSeed(seed, true);
  for (const line of lines) console.log(line);
  if (violation === null) return;
  console.error(`\n${violation.invariant}: ${violation.detail}`);
  process.exitCode = 1;
}

async function simulate(
  firstSeed: number,
  count: number,
  bug: PlantedBug | null,
  isJson: boolean,
  signal: AbortSignal,
): Promise<void> {
  const title = bug === null ? 'Simulated worlds' : `With a bug: ${bug.name}`;
  const tally = await runOneStep(
    signal,
    title,
    async ({ phase }) => {
      let sum = NOTHING_YET;
      await runSeeds({
        firstSeed,
        count,
        bug,
        signal,
        onOutcome: (outcome) => {
          sum = withOutcome(sum, outcome);
          if (sum.seeds % PROGRESS_EACH_SEEDS === 0) phase(`${sum.seeds} of ${count}`);
          return bug === null || sum.failures.length === 0;
        },
      });
      return sum;
    },
    (sum) => `${formatTally(sum)}, ${sum.failures.length} with a promise broken`,
    { isOnStderr: isJson },
  );
  await conclude(tally, bug, isJson);
}

async function conclude(tally: Tally, bug: PlantedBug | null, isJson: boolean): Promise<void> {
  const first = tally.failures.toSorted((a, b) => a.seed - b.seed)[0];
  const isGood = (first === undefined) === (bug === null);
  if (!isGood) process.exitCode = 1;
  if (isJson) {
    console.log(JSON.stringify({ verdict: isGood ? 'pass' : 'fail', bug: bug?.name ?? null, ...tally }));
  } else if (bug !== null) {
    const found =
      first === undefined ? 'NOT found' : `found by seed ${first.seed}: ${first.violation?.invariant}`;
    console.log(`  ${found}`);
  } else if (first === undefined) {
    console.log(`\nEvery promise was kept. ${formatTally(tally)}.`);
  } else {
    console.log(`\n${formatFailure(first, (await runSeed(first.seed, true)).trace)}`);
  }
}
