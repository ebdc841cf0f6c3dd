// shell · the command line of `npm run fuzz`. Runs before anything is started.
// Must never take a seed or a number that is none for another one.
import { randomInt } from 'node:crypto';
import { commandLine, requireWhole, UsageError } from '../../services/shared/config.ts';

export const SCRIPT_NAME = 'npm run fuzz --';
const MAX_SEED = 0x7fff_ffff;

const PLACES = ['in-process', 'sockets'] as const;

export type Place = (typeof PLACES)[number];

export type FuzzOptions = {
  seconds: number;
  seed: number;
  /** The one input that is replayed, or null. */
  input: number | null;
  places: readonly Place[];
  isJson: boolean;
};

const FLAGS = {
  seconds: { type: 'number', default: 60, describe: 'how long, in both places together' },
  seed: { type: 'number', describe: 'decides every input; drawn and printed when it is not given' },
  input: { type: 'number', describe: 'with --seed: only the input of this number' },
  only: { choices: PLACES, describe: 'only the framing and packet code, or only a running proxy' },
  json: {
    type: 'boolean',
    default: false,
    describe: 'one JSON document on standard output, progress on standard error',
  },
} as const;

const EPILOGUE = `Valid, mutated and hostile byte streams: first against the framing and packet code in-process, where a plain second reading of the protocol has to agree and every branch has to be taken; then over hostile connections against a proxy of its own, while a normal client checks that each of its requests is answered right and in time. An input that finds something is written into reports/.

Exit codes: 0 nothing found · 1 something was found, or a branch was not taken · 2 bad usage · 130 ended early with Ctrl-C`;

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError
 */
export function parseFuzzCommand(args: readonly string[]): FuzzOptions {
  const flags = commandLine(args, SCRIPT_NAME)
    .usage('$0 [OPTIONS]\n\nSends the proxy what nobody should send, and checks that it keeps its promises.')
    .options(FLAGS)
    .example('$0 --seconds 60', 'some hundred thousand inputs')
    .example('$0 --seed 7 --input 12345', 'one input again')
    .example('$0 --only sockets --seconds 600', 'ten minutes against a running proxy')
    .epilogue(EPILOGUE)
    .parseSync();
  if (flags._.length > 0)
    throw new UsageError(`"${flags._.join(' ')}" is not understood: options begin with --.`);
  if (flags.input !== undefined && flags.seed === undefined)
    throw new UsageError('--input needs --seed: without it the number says nothing.');
  return {
    seconds: requireWhole('--seconds', flags.seconds, 1, 86_400),
    seed: flags.seed === undefined ? randomInt(MAX_SEED) : requireWhole('--seed', flags.seed, 0, MAX_SEED),
    input: flags.input === undefined ? null : requireWhole('--input', flags.input, 0, MAX_SEED),
    places: flags.only === undefined ? PLACES : [flags.only],
    isJson: flags.json,
  };
}
