// shell · the command line of `npm run simulate`. Runs before anything is started.
// Must never take a seed that is none for another one.
import { commandLine, requireWhole, UsageError } from '../../services/shared/config.ts';
import { CAUSES, type Only } from './causes.ts';
import { PLANTED_BUGS } from './planted-bugs.ts';

export const SCRIPT_NAME = 'npm run simulate --';
const MAX_SEED = 0x7fff_ffff;

export type SimulateCommand =
  | {
      kind: 'seeds';
      firstSeed: number;
      count: number;
      bugName: string | null;
      only: Only;
      isJson: boolean;
    }
  | { kind: 'trace'; seed: number; only: Only }
  | { kind: 'scale'; requests: number; isJson: boolean }
  | { kind: 'plant-all'; count: number; isJson: boolean };

const FLAGS = {
  seeds: { type: 'number', default: 1000, describe: 'how many seeds to run' },
  seed: { type: 'number', describe: 'the first seed; alone, the only one' },
  trace: { type: 'boolean', default: false, describe: 'tell all that happens in the one seed' },
  plant: {
    choices: [...PLANTED_BUGS.map(({ name }) => name), 'all'],
    describe: 'plant a bug in the proxy first, to see it found; all: one after another',
  },
  cause: {
    choices: [...CAUSES, 'none'] as const,
    describe: 'put this cause, and no other, into every world',
  },
  scale: {
    type: 'boolean',
    default: false,
    describe: 'what a request and a probe cost with 10 to 10,000 servers, instead',
  },
  requests: {
    type: 'number',
    default: 1_000_000,
    describe: 'with --scale: requests for each number of servers',
  },
  json: {
    type: 'boolean',
    default: false,
    describe: 'one JSON document on standard output, also with --plant all; progress on standard error',
  },
} as const;

const EPILOGUE = `The proxy's own code runs in a world in which time, network and chance are simulated: servers crash, freeze, lie and move, clients stall and vanish, connections are split, cut and reset. A seed decides all of it, and what is promised of the proxy is checked at every step. The same seed is the same world, on every machine.

At the end a table says what was reached how often: states, causes, refusals, limits. In a run of 1,000 seeds or more all of it must be.

Exit codes: 0 every promise was kept (with --plant: the bug was found) · 1 one was not, the bug was not found, or something was never reached · 2 bad usage · 130 ended early with Ctrl-C`;

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError
 */
export function parseSimulateCommand(args: readonly string[]): SimulateCommand {
  const flags = commandLine(args, SCRIPT_NAME)
    .usage('$0 [OPTIONS]\n\nRuns the proxy in simulated worlds, and checks that it keeps its promises.')
    .options(FLAGS)
    .example('$0 --seeds 100000', 'a night of it')
    .example('$0 --seed 42 --trace', 'what happens in one of them')
    .example('$0 --plant all --seeds 200', 'whether bugs would be found')
    .example('$0 --seeds 500 --cause poison', 'worlds with requests that kill servers')
    .example('$0 --scale', 'whether costs grow with the number of servers')
    .epilogue(EPILOGUE)
    .parseSync();
  if (flags._.length > 0)
    throw new UsageError(`"${flags._.join(' ')}" is not understood: options begin with --.`);
  const isJson = flags.json;
  if (flags.scale)
    return { kind: 'scale', requests: requireWhole('--requests', flags.requests, 1000, 100_000_000), isJson };
  const hasCount = args.some((arg) => /^--seeds(=|$)/.test(arg));
  const count = flags.seed === undefined || hasCount ? requireWhole('--seeds', flags.seeds, 1, MAX_SEED) : 1;
  const firstSeed = flags.seed === undefined ? 1 : requireWhole('--seed', flags.seed, 0, MAX_SEED);
  const only = flags.cause ?? null;
  if (flags.trace) {
    if (count !== 1 || flags.plant !== undefined)
      throw new UsageError('--trace tells of one seed: give it with --seed, without --seeds and --plant.');
    return { kind: 'trace', seed: firstSeed, only };
  }
  if (flags.plant === 'all') {
    if (only !== null)
      throw new UsageError('--plant all has the causes that each bug needs: leave --cause out.');
    return { kind: 'plant-all', count, isJson };
  }
  return { kind: 'seeds', firstSeed, count, bugName: flags.plant ?? null, only, isJson };
}
