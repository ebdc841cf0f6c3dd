// shell · `npm run simulate`: the proxy's own code in simulated worlds that seeds decide.
import { commandLine, requireWhole, UsageError } from '../services/shared/config.ts';
import { MAX_SEED } from './kit/random.ts';
import { flag, JSON_FLAG, number, runScript } from './kit/script.ts';
import { type Progress, runOneStep } from './kit/steps.ts';
import { formatMany, measureMany } from './simulate/many.ts';
import {
  addResult,
  formatFailure,
  formatReached,
  formatTally,
  gapsIn,
  newTally,
  tableOf,
  verdictOf,
} from './simulate/results.ts';
import { runSeeds, type SeedResult } from './simulate/run.ts';
import { formatScale, measureScale } from './simulate/scale.ts';
import { CAUSES, type Only } from './simulate/scenario.ts';

const SCRIPT_NAME = 'npm run simulate --';
const PROGRESS_EACH_SEEDS = 20;
const FLAGS = {
  seeds: number(1000, 'how many seeds to run'),
  seed: { type: 'number', describe: 'the first seed; alone, the only one' },
  trace: flag('print all that happens in the one seed'),
  cause: {
    choices: [...CAUSES, 'none'] as const,
    describe: 'put this cause, and no other, into every world',
  },
  scale: flag('what a request and a probe cost with 10 to 10,000 servers, instead'),
  many: flag('what many proxies and servers cost each other, and how even --subset is, instead'),
  requests: number(1_000_000, 'with --scale: requests for each number of servers'),
  json: JSON_FLAG,
} as const;
const EPILOGUE = `Exit codes: 0 every promise was kept · 1 one was not, or 1,000 seeds or more have not reached all that worlds have to reach · 2 bad usage · 130 ended early with Ctrl-C, with no promise broken by then`;

await runScript(SCRIPT_NAME, 'What was run by then is printed above.', async (signal) => {
  const args = process.argv.slice(2);
  const flags = commandLine(args, SCRIPT_NAME)
    .usage(
      "$0 [OPTIONS]\n\nRuns the proxy's own code in worlds in which time, network and chance are simulated. A seed decides all that happens, on every machine; what is promised of the proxy is checked at every step.",
    )
    .options(FLAGS)
    .example('$0 --seeds 100000', 'a night of it')
    .example('$0 --seed 42 --trace', 'what happens in one of them')
    .example('$0 --seeds 500 --cause poison', 'worlds with requests that kill servers')
    .epilogue(EPILOGUE)
    .parseSync();
  if (flags.many) {
    const many = measureMany();
    console.log(flags.json ? JSON.stringify(many) : formatMany(many));
    return;
  }
  if (flags.scale) {
    await scale(requireWhole('--requests', flags.requests, 1000, 100_000_000), flags.json, signal);
    return;
  }
  const isOne = flags.seed !== undefined && !args.some((arg) => /^--seeds(=|$)/.test(arg));
  const count = isOne ? 1 : requireWhole('--seeds', flags.seeds, 1, MAX_SEED);
  const firstSeed = requireWhole('--seed', flags.seed ?? 1, 0, MAX_SEED);
  const only = flags.cause ?? null;
  if (!flags.trace) await simulate(firstSeed, count, only, flags.json, signal);
  else if (count === 1) await trace(firstSeed, only, signal);
  else throw new UsageError('--trace prints one seed: give it with --seed, without --seeds.');
});

async function scale(requests: number, isJson: boolean, signal: AbortSignal): Promise<void> {
  const rows = await runOneStep(
    signal,
    'What requests and probes cost',
    ({ phase }) => measureScale(requests, signal, (size) => phase(`${size.toLocaleString('en')} servers`)),
    ({ length }) => `${length} sizes measured`,
    { isOnStderr: isJson },
  );
  console.log(isJson ? JSON.stringify({ rows }) : `\n${formatScale(rows)}`);
}

async function trace(seed: number, only: Only, signal: AbortSignal): Promise<void> {
  const { log, violation } = await runTraced(seed, only, signal);
  for (const line of log) console.log(line);
  if (violation === null) return;
  console.error(`\n${violation.invariant}: ${violation.detail}`);
  process.exitCode = 1;
}

async function runTraced(seed: number, only: Only, signal: AbortSignal): Promise<SeedResult> {
  const results: SeedResult[] = [];
  const onResult = (result: SeedResult): boolean => results.push(result) > 0;
  await runSeeds({ firstSeed: seed, count: 1, only: () => only, isTracing: true, signal, onResult });
  return results[0] as SeedResult;
}

async function simulate(
  firstSeed: number,
  count: number,
  only: Only,
  isJson: boolean,
  signal: AbortSignal,
): Promise<void> {
  const tally = newTally();
  const runAll = ({ phase }: Progress): Promise<void> => {
    const onResult = (result: SeedResult): boolean => {
      addResult(tally, result);
      if (tally.seeds % PROGRESS_EACH_SEEDS === 0) phase(`${tally.seeds} of ${count}`);
      return true;
    };
    return runSeeds({ firstSeed, count, only: () => only, signal, onResult });
  };
  const summary = () => `${formatTally(tally)}, ${tally.failures.length} with a promise broken`;
  try {
    await runOneStep(signal, 'Simulated worlds', runAll, summary, { isOnStderr: isJson });
  } finally {
    // Also when it was interrupted: what has been found by then must not be lost.
    const verdict = verdictOf(tally, { only, isInterrupted: signal.aborted });
    if (verdict === 'fail') process.exitCode = 1;
    const [first] = tally.failures;
    if (isJson) {
      const failures = tally.failures.map(({ log: _log, ...failure }) => failure);
      const never = gapsIn(tally.reached);
      console.log(JSON.stringify({ verdict, ...tally, failures, table: tableOf(), never }));
    } else {
      console.log(`\n${formatReached(tally.reached, only)}\n`);
      if (first === undefined) console.log(`Every promise was kept. ${formatTally(tally)}.`);
      else {
        const { log } = signal.aborted ? first : await runTraced(first.seed, only, signal);
        console.log(formatFailure(first, log, only));
      }
      if (first === undefined && verdict === 'fail') console.log('The run fails all the same: see "never".');
    }
  }
}
