// shell · the one winston logger of a process: text for a terminal, JSON lines for machines. Not on the data path.
// Must never load anything when a line is written: a process that has run out of descriptors has to say so.
import { createRequire } from 'node:module';
import type winston from 'winston';
import { printable } from './printable.ts';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type Line = { level: LogLevel; message: string; [detail: string]: unknown };
export type Log = (line: Line) => void;

/**
 * Makes the process's log; it writes to standard error so that standard output stays the program's own. Loading winston
 * takes some 30 ms of a processor, so this has to be called before the program serves anybody.
 * @param role   which program writes: `proxy`, `server`
 * @param level  the least important level that is written
 * @param format `text` for people, `json` for machines
 */
export function createLog(role: string, level: LogLevel, format: 'text' | 'json'): Log {
  const {
    createLogger,
    format: formats,
    transports,
  } = createRequire(import.meta.url)('winston') as typeof winston;
  const { combine, timestamp, json, printf } = formats;
  const text = printf(({ timestamp: at, level: severity, message, role: _role, ...details }) => {
    const extra = Object.entries(details).map(
      ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
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
  return (line) => {
    logger.log(line);
  };
}
