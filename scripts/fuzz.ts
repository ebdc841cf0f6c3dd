// `npm run fuzz`: sends hostile bytes to the framing and packet code, and to a running proxy. The parts are in fuzz/.
import { randomInt } from 'node:crypto';
import { commandLine, requireWhole, UsageError } from '../services/shared/config.ts';
import { fuzzInProcess } from './fuzz/in-process.ts';
import { type FuzzOptions, PLACES, runFuzz, SCRIPT_NAME } from './fuzz/run.ts';
import { fuzzOverSockets } from './fuzz/sockets.ts';
import { MAX_SEED } from './kit/random.ts';
import { JSON_FLAG, number, runScript } from './kit/script.ts';

const EXIT_FOUND = 1;

const FLAGS = {
  seconds: number(60, 'how long, in both places together'),
  seed: { type: 'number', describe: 'decides every input; drawn and printed when it is not given' },
  input: { type: 'number', describe: 'with --seed: only the input of this number' },
  only: { choices: PLACES, describe: 'only the framing and packet code, or only a running proxy' },
  json: JSON_FLAG,
} as const;

const EPILOGUE = `First against the framing and packet code in-process, where a second reading of the protocol must agree; then over hostile connections against a proxy of its own, while a normal client checks each of its own replies. An input that finds something is written into reports/.

Exit codes: 0 nothing found · 1 something was found · 2 bad usage · 130 ended early with Ctrl-C, nothing found by then`;

await runScript(SCRIPT_NAME, '', async (signal) => {
  const options = readOptions(process.argv.slice(2));
  const hasFound = await runFuzz(options, { 'in-process': fuzzInProcess, sockets: fuzzOverSockets }, signal);
  if (hasFound) process.exitCode = EXIT_FOUND;
});

function readOptions(args: readonly string[]): FuzzOptions {
  const flags = commandLine(args, SCRIPT_NAME)
    .usage(
      '$0 [OPTIONS]\n\nSends valid, mutated and hostile bytes, and checks that the proxy keeps its promises.',
    )
    .options(FLAGS)
    .example('$0 --seconds 60', 'some hundred thousand inputs')
    .example('$0 --seed 7 --input 12345', 'one input again')
    .example('$0 --only sockets --seconds 600', 'ten minutes against a running proxy')
    .epilogue(EPILOGUE)
    .parseSync();
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
