// shell · the command line of `npm run guard`. Runs before anything is started.
// Must never write bounds that nobody asked for.
import { commandLine, UsageError } from '../../services/shared/config.ts';

export const SCRIPT_NAME = 'npm run guard --';

export type GuardOptions = { isWriting: boolean; isJson: boolean };

const FLAGS = {
  write: {
    type: 'boolean',
    default: false,
    describe: 'measure several times and write new bounds, with a margin, into test-support/cost/bounds.json',
  },
  json: {
    type: 'boolean',
    default: false,
    describe: 'one JSON document on standard output, progress on standard error',
  },
} as const;

const EPILOGUE = `It counts what does not depend on the machine's speed: what the proxy allocates for a request, and the system calls that it makes. strace counts the latter; where it is missing it is fetched (Debian), and where it may not trace they are not measured, and said not to be. npm test holds the same bounds.

Exit codes: 0 all that was measured is within its bounds · 1 something is over its bound · 2 bad usage, or the machine is not what it takes · 3 unknown: the heap could not be measured · 130 ended early with Ctrl-C`;

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError
 */
export function parseGuardCommand(args: readonly string[]): GuardOptions {
  const flags = commandLine(args, SCRIPT_NAME)
    .usage(
      '$0 [OPTIONS]\n\nMeasures what a request costs the proxy and holds it against bounds in the repository.',
    )
    .options(FLAGS)
    .example('$0 --write', 'after a change that costs more, or less, on purpose')
    .epilogue(EPILOGUE)
    .parseSync();
  if (flags._.length > 0)
    throw new UsageError(`"${flags._.join(' ')}" is not understood: options begin with --.`);
  return { isWriting: flags.write, isJson: flags.json };
}
