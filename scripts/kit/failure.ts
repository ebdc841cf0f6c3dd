// pure · a failure that a person can act on: what failed, what to do next, and the command's exit code.
import { UsageError } from '../../services/shared/config.ts';

/** Exit codes of the commands: 1 something failed, 2 the machine or the command line is not as needed, 3 unknown. */
export type FailureExitCode = 1 | 2 | 3;

export class Failure extends Error {
  override name = 'Failure';
  readonly next: string;
  readonly tail: string;
  readonly exitCode: FailureExitCode;

  /**
   * @param what one sentence: what failed
   * @param next what to do about it
   * @param details.tail the last lines of the command that failed
   * @param details.exitCode 1 unless the machine itself is the reason
   */
  constructor(
    what: string,
    next: string,
    details: { tail?: string; exitCode?: FailureExitCode; cause?: unknown } = {},
  ) {
    super(what, { cause: details.cause });
    this.next = next;
    this.tail = details.tail ?? '';
    this.exitCode = details.exitCode ?? 1;
  }

  /** The whole message as it is shown. */
  toText(): string {
    const tail = this.tail === '' ? '' : `\n\n${this.tail.replaceAll(/^/gm, '    ')}\n`;
    return `${this.message}${tail}\n${this.next}`;
  }
}

/** The same with exit code 3 instead of 1, which would mean that what was tested failed: the test could not be made. */
export function asUnknown(error: unknown): unknown {
  if (error instanceof UsageError || (error instanceof Failure && error.exitCode !== 1)) return error;
  const { message, stack = '' } = error as Error;
  const { next, tail } =
    error instanceof Failure ? error : { next: 'This shows nothing about the proxy.', tail: stack };
  return new Failure(message, next, { tail, exitCode: 3, cause: error });
}
