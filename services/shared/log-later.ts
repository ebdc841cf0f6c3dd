// shell · a role's log, loaded once the role is at work. Not on the data path.
// Must never lose a line, or load winston at once: that would hold up every restart.
import { createLog, type Log, type LogLevel } from './log.ts';

const LOAD_AFTER_MS = 150;

export type Line = { level: LogLevel; message: string; [detail: string]: unknown };

export type LaterLog = {
  write(line: Line): void;
  /** Loads the logger now, and writes what has been kept. */
  flush(): void;
};

/** Keeps lines, with the time they were written at, until a moment after the first one. @see createLog */
export function logLater(role: string, level: LogLevel, format: 'text' | 'json'): LaterLog {
  const kept: Line[] = [];
  let log: Log | null = null;
  let timer: NodeJS.Timeout | null = null;

  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    log ??= createLog(role, level, format);
    for (const line of kept.splice(0)) log.log(line);
  };
  return {
    flush,
    write: (line) => {
      if (log !== null) {
        log.log(line);
        return;
      }
      kept.push({ timestamp: new Date().toISOString(), ...line });
      timer ??= setTimeout(flush, LOAD_AFTER_MS);
    },
  };
}
