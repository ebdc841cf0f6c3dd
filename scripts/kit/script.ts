// shell · what every command has: the kinds of its options, how it ends on signals, and how a failure is shown.
import { UsageError } from '../../services/shared/config.ts';
import { EXIT_CODES, onStopSignal } from '../../services/shared/signals.ts';
import { Failure } from './failure.ts';

const EXIT_OUTPUT_GONE = 3;

export const number = (value: number, describe: string) =>
  ({ type: 'number', default: value, describe }) as const;
export const flag = (describe: string) => ({ type: 'boolean', default: false, describe }) as const;
export const JSON_FLAG = flag('one JSON document on standard output, progress on standard error');

/**
 * Runs a command: a Failure is shown as its own text, a signal stops it cleanly with 130 or 143.
 * @param scriptName how a person calls the command
 * @param afterInterruption what may be left after a signal, and what to do about it
 * @param mustCleanUp it ends cleanly too when its terminal or the reader of its output goes away
 */
export async function runScript(
  scriptName: string,
  afterInterruption: string,
  main: (signal: AbortSignal) => Promise<void>,
  { mustCleanUp = false } = {},
): Promise<void> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort(new Error('interrupted'));
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // EPIPE: the reader has seen enough (`| head`).
    if (error.code !== 'EPIPE') show(`Standard output can't be written: ${error.message}.`, EXIT_OUTPUT_GONE);
    if (!mustCleanUp) process.exit();
    process.exitCode ||= EXIT_OUTPUT_GONE;
    interrupt();
  });
  onStopSignal((name) => {
    process.exitCode = EXIT_CODES[name];
    interrupt();
  });
  if (mustCleanUp) {
    process.on('SIGHUP', () => process.kill(process.pid, 'SIGTERM'));
    process.stderr.on('error', () => {});
  }
  try {
    await main(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) console.error(`\nInterrupted. ${afterInterruption}`.trimEnd());
    else if (error instanceof UsageError) show(`${error.message}\nTry: ${scriptName} --help`, 2);
    else if (error instanceof Failure) show(error.toText(), error.exitCode);
    else throw error;
  }
}

function show(text: string, exitCode: number): void {
  console.error(`\n${text}`);
  process.exitCode = exitCode;
}

/** Whether standard output is a terminal that shows colours (https://no-color.org). */
export function isColoured(): boolean {
  return process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}
