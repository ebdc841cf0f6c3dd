// shell · the one winston logger of a process. Text for a terminal, JSON lines for machines.
// Must never be called per request: the data path counts, it does not log.
import { createRequire } from 'node:module';
import type winston from 'winston';
import { printable } from './printable.ts';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type Log = winston.Logger;

/**
 * Makes the process's logger; it writes to standard error so that standard output stays the program's own.
 * @param role     who is speaking: `proxy`, `server`, `client`
 * @param level    the least important level that is written
 * @param format   `text` for people, `json` for machines
 */
export function createLog(role: string, level: LogLevel, format: 'text' | 'json'): Log {
  // Loaded here so that a program which can't wait may import this file and make its log a moment later.
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
    const line = `${String(at)} ${severity.padEnd(5)} ${role}: ${String(message)}${extra.join('')}`;
    return printable(line);
  });
  // Machines pass it on to terminals.
  const shown = printf((line) => printable(String(line[Symbol.for('message')])));
  // Whoever read the log has gone: no reason to stop serving.
  process.stderr.on('error', () => {});
  return createLogger({
    level,
    defaultMeta: { role },
    format: combine(timestamp(), format === 'json' ? combine(json(), shown) : text),
    transports: [new transports.Stream({ stream: process.stderr })],
  });
}
