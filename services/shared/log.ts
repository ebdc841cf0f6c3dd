// shell · a process's log: text for a terminal, JSON lines for machines. Not on the data path: that counts, it does not log.
// Must never load anything when a line is written: a process that has run out of descriptors has to say so.
import { printable } from './printable.ts';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type Line = { level: LogLevel; message: string; [detail: string]: unknown };
export type Log = (line: Line) => void;

/**
 * Makes the process's log; it writes to standard error so that standard output stays the program's own.
 * @param role   which program writes: `proxy`, `server`
 * @param level  the least important level that is written
 * @param format `text` for people, `json` for machines
 */
export function createLog(role: string, level: LogLevel, format: 'text' | 'json'): Log {
  const output = process.stderr;
  const leastImportant = LOG_LEVELS.indexOf(level);
  // The reader of the log has gone: no reason to stop serving.
  output.on('error', () => {});
  return (line) => {
    if (LOG_LEVELS.indexOf(line.level) > leastImportant) return;
    const at = new Date().toISOString();
    const text =
      format === 'json' ? JSON.stringify({ ...line, role, timestamp: at }) : asText(at, role, line);
    // Ids and policies are a peer's words: they must not move the cursor or begin lines of their own.
    output.write(`${printable(text)}\n`);
  };
}

function asText(at: string, role: string, { level, message, ...details }: Line): string {
  const extra = Object.entries(details).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${at} ${level.padEnd(5)} ${role}: ${message}${extra.join('')}`;
}
