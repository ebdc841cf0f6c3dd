// shell · the server's log, loaded once the server is at work. Not on the data path.
// Must never lose a line, or load winston before the first registration: that would hold up every restart.
import { createLog, type Log, type LogLevel } from '../shared/log.ts';

export type Line = { level: LogLevel; message: string; [detail: string]: unknown };

export type LaterLog = {
  write(line: Line): void;
  /** Loads the logger now, and writes what has been kept. */
  flush(): void;
};

/** Keeps lines, with the time they were written at, until `afterMs` after the first one. */
export function logLater(level: LogLevel, format: 'text' | 'json', afterMs: number): LaterLog {
  const kept: Line[] = [];
  let log: Log | null = null;
  let timer: NodeJS.Timeout | null = null;

  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    log ??= createLog('server', level, format);
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
      timer ??= setTimeout(flush, afterMs);
    },
  };
}
