// pure · log lines that peers provoke: a few each second, the others counted, so that a flood of them stays a trickle.
// Must never drop one without counting it.
import type { Line } from '../../shared/log.ts';

const LINES_A_SECOND = 10;

export class RefusalLog {
  readonly #log: (line: Line) => void;
  readonly #level: Line['level'];
  #lines = 0;

  /** @param level of the line that says how many were left out */
  constructor(log: (line: Line) => void, level: Line['level'] = 'warn') {
    this.#log = log;
    this.#level = level;
  }

  /** Writes the line, unless there were too many within this second. */
  tell(line: Line): void {
    this.#lines += 1;
    if (this.#lines <= LINES_A_SECOND) this.#log(line);
  }

  /** A second is over: says how many lines were left out. */
  nextSecond(): void {
    const leftOut = this.#lines - LINES_A_SECOND;
    this.#lines = 0;
    if (leftOut > 0) this.#log({ level: this.#level, message: 'more of the like were left out', leftOut });
  }
}
