// The log of a process, by winston. All of it is loaded at the start: without descriptors nothing can be loaded later.
import { createRequire } from 'node:module';
import type winston from 'winston';
import { textValue } from './log-value.ts';
import { printable } from './printable.ts';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
export type Line = { level: LogLevel; message: string; [detail: string]: unknown };
export type Log = (line: Line) => void;
/** The log of this process, and the least important level that it writes. */
export type ProcessLog = { log: Log; setLevel(level: LogLevel): void };

/**
 * Makes the process's log; it writes to standard error so that standard output stays the program's own. Loading winston
 * takes some 30 ms of a processor, so this has to be called before the program serves.
 * @param role   which program writes: `proxy`, `server`
 * @param level  the least important level that is written
 * @param format `text` for people, `json` for machines
 */
export function createLog(role: string, level: LogLevel, format: LogFormat): ProcessLog {
  const {
    createLogger,
    format: formats,
    transports,
  } = createRequire(import.meta.url)('winston') as typeof winston;
  const { combine, timestamp, json, printf } = formats;
  const text = printf(({ timestamp: at, level: severity, message, role: _role, ...details }) => {
    const extra = Object.entries(details)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => ` ${key}=${textValue(value)}`);
    // Ids and policies are a peer's words: they must not move the cursor or begin lines of their own.
    return printable(`${String(at)} ${severity.padEnd(5)} ${role}: ${String(message)}${extra.join('')}`);
  });
  // Machines pass it on to terminals.
  const shown = printf((line) => printable(String(line[Symbol.for('message')])));
  // The reader of the log has gone: no reason to stop serving.
  process.stderr.on('error', () => {});
  const logger = createLogger({
    level,
    defaultMeta: { role },
    format: combine(timestamp(), format === 'json' ? combine(json(), shown) : text),
    transports: [new transports.Stream({ stream: process.stderr })],
  });
  return {
    log: (line) => {
      logger.log(line);
    },
    setLevel: (wanted) => {
      logger.level = wanted;
    },
  };
}

const LINES_A_SECOND = 10;

/** For lines that peers provoke: ten each second, the others counted. */
export class LimitedLog {
  readonly #log: Log;
  readonly #level: LogLevel;
  #lines = 0;

  /** @param level of the line that says how many were left out */
  constructor(log: Log, level: LogLevel = 'warn') {
    this.#log = log;
    this.#level = level;
  }

  /** Writes the line, unless there were too many within this second. */
  write(line: Line): void {
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
