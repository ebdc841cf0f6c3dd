// shell · the manners that the scripts share: usage, signals, exit codes, and how a failure is told.
import { UsageError } from '../../services/shared/config.ts';
import { onStopSignal } from '../../services/shared/signals.ts';
import { Failure } from './failure.ts';

const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
const EXIT_OUTPUT_GONE = 3;

/** Ends the script's work: whatever is under way is ended too, and nothing is reported as a failure. */
class Interrupted extends Error {
  override name = 'Interrupted';
}

/**
 * Runs a script: a Failure is told in its own words, a signal stops it in good order with 130 or 143.
 * @param scriptName how a person calls the script
 * @param afterInterruption what may be left after a signal, and what to do about it
 * @param mustCleanUp       it ends in good order too when its terminal or the reader of its output goes away
 */
export async function runScript(
  scriptName: string,
  afterInterruption: string,
  main: (signal: AbortSignal) => Promise<void>,
  { mustCleanUp = false } = {},
): Promise<void> {
  const controller = new AbortController();
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read the output has seen enough (`| head`): there is nobody left to tell anything.
    const isSeen = error.code === 'EPIPE';
    if (!isSeen) tell(`Standard output can't be written: ${error.message}.`, EXIT_OUTPUT_GONE);
    if (!mustCleanUp) process.exit();
    process.exitCode ||= EXIT_OUTPUT_GONE;
    controller.abort(new Interrupted('interrupted'));
  });
  onStopSignal((name) => {
    process.exitCode = SIGNAL_EXIT_CODES[name];
    controller.abort(new Interrupted('interrupted'));
  });
  if (mustCleanUp) {
    // The terminal was closed: that is to end in as good order as Ctrl-C.
    process.on('SIGHUP', () => process.kill(process.pid, 'SIGTERM'));
    process.stderr.on('error', () => {});
  }
  try {
    await main(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) console.error(`\nInterrupted. ${afterInterruption}`.trimEnd());
    else if (error instanceof UsageError) tell(`${error.message}\nTry: ${scriptName} --help`, 2);
    else if (error instanceof Failure) tell(error.toText(), error.exitCode);
    else throw error;
  }
}

function tell(text: string, exitCode: number): void {
  console.error(`\n${text}`);
  process.exitCode = exitCode;
}

/** Whether standard output is for somebody who sees colours (https://no-color.org). */
export function isColoured(): boolean {
  return process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}
