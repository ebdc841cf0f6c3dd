// shell · the command line of `npm run soak`. Runs before anything is started.
// Must never let a wish through that a run would have to doubt.
import { commandLine, requireWhole, UsageError, withEnvironment } from '../../services/shared/config.ts';

export const SCRIPT_NAME = 'npm run soak --';
const MAX_SEED = 2 ** 31 - 1;
const MIN_MINUTES = 0.05;
// The load can be asked for a day.
const MAX_MINUTES = 1_400;

export type SoakOptions = {
  minutes: number;
  rate: number;
  seed: number;
  /** Where the report goes instead of reports/. */
  reportFolder: string | null;
  isJson: boolean;
};

const FLAGS = {
  minutes: { type: 'number', default: 10, describe: 'how long the churn goes on' },
  rate: { type: 'number', default: 500, describe: 'requests a second all along' },
  seed: {
    type: 'number',
    default: 1,
    describe: 'decides what is done when: the same seed does the same again',
  },
  report: { type: 'string', describe: 'folder for the report (reports/TIME-soak)' },
  json: {
    type: 'boolean',
    default: false,
    describe: 'one JSON document on standard output, progress on standard error',
  },
} as const;

const EPILOGUE = `A proxy and six servers, processes of their own on this machine's loopback: no Docker. About once a second something is done: a server is killed, frozen or restarted, another one comes and goes, with a session or without one, connections are reset, left idle, left in the middle of a packet or filled with garbage. Of each policy one healthy server remains, so that nothing may be lost. An evicted server is forgotten after 5 s, not 60 s; all else is as it is by default, and the proxy collects its garbage every 10 s, so that what is left is what it holds.

It fails when memory grows by more than 1 MB a minute in the second half, when the proxy has other open files or connections at rest after it than before it, when its table is not the servers that live, and when a request was lost, wrong or refused. Under two minutes it is unknown whether memory grows.

Exit codes: 0 pass · 1 fail · 2 bad usage, or the machine is not what it takes · 3 unknown: the run proves nothing, or could not be made · 130 ended early with Ctrl-C (what was measured is still reported)`;

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError
 */
export function parseSoakCommand(args: readonly string[], environment = process.env): SoakOptions {
  const flags = commandLine(args, SCRIPT_NAME)
    .usage(
      '$0 [OPTIONS]\n\nLoad and constant churn on a real proxy: does it leak, and does it lose anything?',
    )
    .options(withEnvironment('SOAK', FLAGS, environment))
    .example('$0 --minutes 2', 'the shortest run that is judged for memory')
    .example('$0 --minutes 10 --seed 7', 'another choice of servers and times')
    .example('$0 --minutes 480 --rate 1000', 'a night of it')
    .epilogue(EPILOGUE)
    .parseSync();
  if (flags._.length > 0)
    throw new UsageError(`"${flags._.join(' ')}" is not understood: options begin with --.`);
  return {
    minutes: requireMinutes(flags.minutes),
    rate: requireWhole('--rate', flags.rate, 10, 5_000),
    seed: requireWhole('--seed', flags.seed, 0, MAX_SEED),
    reportFolder: flags.report === undefined ? null : requireText('--report', flags.report),
    isJson: flags.json,
  };
}

/** The command that does the same again. */
export function commandOf({ minutes, rate, seed }: SoakOptions): string {
  return `${SCRIPT_NAME} --minutes ${minutes} --rate ${rate} --seed ${seed}`;
}

function requireMinutes(value: unknown): number {
  if (typeof value === 'number' && value >= MIN_MINUTES && value <= MAX_MINUTES) return value;
  throw new UsageError(`--minutes must be a number from ${MIN_MINUTES} to ${MAX_MINUTES}.`);
}

function requireText(name: string, text: string): string {
  if (text.trim() !== '') return text;
  throw new UsageError(`${name} must not be empty.`);
}
