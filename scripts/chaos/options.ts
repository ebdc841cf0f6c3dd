// shell · the command line of `npm run chaos` → what is to be done. Runs before anything is touched.
import {
  callerPath,
  commandLine,
  given,
  requireWhole,
  UsageError,
  withEnvironment,
} from '../../services/shared/config.ts';
import { FROM_FLAGS, rolesFrom } from '../cluster/older-image.ts';
import { MAX_SEED } from '../kit/random.ts';
import { flag, JSON_FLAG, number } from '../kit/script.ts';
import { DEFAULT_SCENARIO, SCENARIOS } from './scenarios/index.ts';

export const SCRIPT_NAME = 'npm run chaos --';
const ALL = 'all';

/** What is to be done; null: as the scenario, the cluster or the folder reports/ has it. Paths are absolute. */
export type ChaosOptions = ReturnType<typeof parseChaosCommand>;

const FLAGS = {
  engine: {
    choices: ['compose', 'swarm'],
    default: 'compose',
    describe: 'the cluster of Docker Compose, or a swarm of three nodes that is made for the run',
  },
  scenario: {
    type: 'string',
    alias: 's',
    describe: `name of a scenario (--list shows them), several with commas, or "${ALL}" (${DEFAULT_SCENARIO}; of swarm, ${ALL})`,
  },
  list: { ...flag('list the scenarios and faults, do nothing'), alias: 'l' },
  seed: number(1, 'decides when and whom: the same seed does the same again'),
  rate: number(500, 'requests a second while it lasts'),
  duration: { type: 'number', describe: "seconds of the part with faults (the scenario's own)" },
  policy: { type: 'string', describe: 'hit only servers of this policy (any)' },
  'plan-only': flag('print the plan, do nothing'),
  replay: { type: 'string', describe: 'run a plan.json again' },
  keep: flag('leave the cluster up, healed, instead of as it was found'),
  report: { type: 'string', describe: 'folder for the report (reports/TIME-SCENARIO)' },
  ...FROM_FLAGS,
  json: JSON_FLAG,
} as const;

const EPILOGUE = `Sets up what is missing, as npm start does, and puts the cluster back as it was found. Touches only containers of this Compose project. Ctrl-C heals what is broken and reports what was measured so far as unknown.

Exit codes: 0 pass · 1 fail · 2 bad usage, or the machine lacks something that this needs · 3 unknown: the run proves nothing, or could not be made · 130 ended early with Ctrl-C`;

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError
 */
export function parseChaosCommand(args: readonly string[], environment = process.env) {
  const flags = commandLine(args, SCRIPT_NAME)
    .usage(
      '$0 [OPTIONS]\n\nBreaks the cluster on purpose, under load, and judges what the proxy makes of it.\nWithout options: a tour of two minutes through kill, restart, pause, partition and a restart of the proxy.',
    )
    .options(withEnvironment('CHAOS', FLAGS, environment))
    .example('$0 --scenario pause --seed 7', 'one scenario, with another choice of servers and times')
    .example('$0 --scenario all', 'every scenario, with a shortened soak')
    .example('$0 --engine swarm', 'tasks, services and nodes of a swarm of three nodes')
    .example('$0 --replay reports/latest/plan.json', 'the last run again')
    .epilogue(EPILOGUE)
    .parseSync();
  const scenario = flags.scenario ?? (flags.engine === 'swarm' ? ALL : DEFAULT_SCENARIO);
  const isAll = scenario === ALL;
  const decided = args.find((arg) => /^(--(engine|scenario|seed|rate|duration|policy)\b|-s)/.test(arg));
  if (flags.replay !== undefined && decided !== undefined) {
    throw new UsageError(`A plan decides everything by itself: leave out ${decided} beside --replay.`);
  }
  if (isAll && flags.duration !== undefined) {
    throw new UsageError(`--duration is for one scenario at a time, not for "${ALL}".`);
  }
  const from = rolesFrom(flags);
  if (flags.engine === 'swarm' && (from.proxy ?? from.servers) !== null) {
    throw new UsageError('Other commits are for --engine compose.');
  }
  const replayFile = given('--replay', flags.replay);
  return {
    engine: flags.engine,
    scenarios: parseScenarios(scenario, flags.engine),
    isAll,
    isListed: flags.list,
    seed: requireWhole('--seed', flags.seed, 0, MAX_SEED),
    rate: requireWhole('--rate', flags.rate, 10, 5_000),
    durationSeconds:
      flags.duration === undefined ? null : requireWhole('--duration', flags.duration, 5, 86_400),
    onlyPolicy: given('--policy', flags.policy),
    isPlanOnly: flags.planOnly,
    replayFile: replayFile && callerPath(replayFile),
    isKept: flags.keep,
    reportFolder: given('--report', flags.report),
    from,
    isJson: flags.json,
  };
}

function parseScenarios(text: string, engine: string): string[] {
  const known = SCENARIOS.filter((each) => (each.engine ?? 'compose') === engine).map(({ name }) => name);
  if (text === ALL) return known;
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (known.includes(name)) continue;
    throw new UsageError(
      `There is no scenario "${name}" with --engine ${engine}: choose among ${known.join(', ')}, or ${ALL}.`,
    );
  }
  return [...new Set(names)];
}
