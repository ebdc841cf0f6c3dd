// shell · what a script of the bootstrap says when it cannot go on, and the exit code that goes with it.
// Must never print a stack for something a person can mend.

/** Exit codes of the scripts: 1 something failed, 2 the machine or the command line is not what it takes, 3 nobody knows. */
export type FailureExitCode = 1 | 2 | 3;

/** A failure that a person can act on. */
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
