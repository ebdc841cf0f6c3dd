// shell · the command line of `npm run profile` → what is to be profiled. Runs before anything is started.
// Must never let a wish through that the generator would refuse.
import { commandLine, requireWhole, UsageError } from '../../../services/shared/config.ts';
import { MAX_PAYLOAD_BYTES } from '../../../services/shared/packet.ts';

export const SCRIPT_NAME = 'npm run profile --';

export type ProfileOptions = {
  mode: 'oneshot' | 'keep';
  connections: number;
  payloadBytes: number;
  seconds: number;
  /** Where the report goes instead of reports/. */
  reportFolder: string | null;
};

// The generator tells its payloads apart by their first bytes.
const MIN_PAYLOAD_BYTES = 8;

const FLAGS = {
  mode: {
    choices: ['oneshot', 'keep'] as const,
    default: 'keep' as const,
    describe: 'a connection per request, or one request after another on each connection',
  },
  connections: { type: 'number', default: 64, describe: 'connections at a time' },
  payload: { type: 'number', default: 64, describe: 'bytes of each payload' },
  seconds: { type: 'number', default: 5, describe: 'how long it is sampled, after a warm-up' },
  report: { type: 'string', describe: 'folder for the report (reports/TIME-profile-MODE)' },
} as const;

const EPILOGUE = `Writes flame.html, a flame graph to click into, and proxy.cpuprofile, for Chrome's DevTools and speedscope. Sampling every 200 µs slows the proxy down a little: for figures to compare take npm run bench.

Exit codes: 0 written · 1 a step failed · 2 bad usage, or the machine is not what it takes · 130 ended early with Ctrl-C`;

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError
 */
export function parseProfileCommand(args: readonly string[]): ProfileOptions {
  const flags = commandLine(args, SCRIPT_NAME)
    .usage('$0 [OPTIONS]\n\nSays where the proxy spends its time under load.')
    .options(FLAGS)
    .example('$0 --mode oneshot --seconds 10', 'a connection per request, for ten seconds')
    .epilogue(EPILOGUE)
    .parseSync();
  if (flags._.length > 0)
    throw new UsageError(`"${flags._.join(' ')}" is not understood: options begin with --.`);
  if (flags.report?.trim() === '') throw new UsageError('--report must not be empty.');
  return {
    mode: flags.mode,
    connections: requireWhole('--connections', flags.connections, 1, 10_000),
    payloadBytes: requireWhole('--payload', flags.payload, MIN_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES),
    seconds: requireWhole('--seconds', flags.seconds, 1, 600),
    reportFolder: flags.report ?? null,
  };
}
