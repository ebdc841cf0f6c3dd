// Command lines: every option of every role can also come from the environment, which is read nowhere else.
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import type { Argv, Options } from 'yargs';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from './log.ts';

/** Bad usage: the message says what is wrong and what to do. Ends a program with exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The repository's folder; in a container /app, where that is. */
const HOME = join(import.meta.dirname, '..', '..');
const MAX_PORT = 65_535;
export const MAX_PROXIES = 100;

/** The options that every long-running role has. */
export const LOG_OPTIONS = {
  'log-level': {
    choices: LOG_LEVELS,
    default: 'info' as const,
    describe: 'least important level that is logged; at debug also what is no news: see docs/options.md',
  },
  'log-format': {
    choices: LOG_FORMATS,
    default: 'text' as const,
    describe: 'for people or for machines',
  },
};

/** Variables of these names are paths of files or folders. */
export const NAMES_PATH = /_(?:FILE|CERT|KEY|CA|REPORT|REPLAY)$/;

export type LogOptions = { logLevel: LogLevel; logFormat: LogFormat };

/** What LOG_OPTIONS came to; their choices have been checked where they came from. */
export function readLogOptions(values: Record<string, unknown>): LogOptions {
  return { logLevel: values['log-level'] as LogLevel, logFormat: values['log-format'] as LogFormat };
}

/** The environment's name for an option: `--admin-port` of prefix `PROXY` is `PROXY_ADMIN_PORT`. */
export function variableOf(prefix: string, option: string): string {
  return `${prefix}_${option.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * Lets the environment supply what the command line does not: option `--admin-port` of prefix `PROXY` is `PROXY_ADMIN_PORT`.
 * Its paths count from the repository's folder.
 * @returns the same options, with the environment's value as their default and its name in their description
 * @throws UsageError when the environment's value is not of the option's kind
 */
export function withEnvironment<T extends Record<string, Options>>(
  prefix: string,
  options: T,
  environment: NodeJS.ProcessEnv = process.env,
): T {
  const entries = Object.entries(options).map(([name, option]) => {
    const variable = variableOf(prefix, name);
    const value = environment[variable];
    const described = { ...option, describe: `${option.describe ?? ''} [${variable}]` };
    return [
      name,
      value === undefined || value === ''
        ? described
        : { ...described, default: typed(option, variable, value) },
    ];
  });
  return Object.fromEntries(entries) as T;
}

function typed(option: Options, variable: string, value: string): unknown {
  if (option.choices !== undefined && !option.choices.includes(value)) {
    throw new UsageError(`${variable} is "${value}": it must be one of ${option.choices.join(', ')}.`);
  }
  switch (option.type) {
    case 'number': {
      const number = Number(value);
      if (!Number.isFinite(number)) throw new UsageError(`${variable} is "${value}": it must be a number.`);
      return number;
    }
    case 'boolean':
      if (!['1', '0', 'true', 'false'].includes(value)) {
        throw new UsageError(`${variable} is "${value}": it must be true or false.`);
      }
      return value === '1' || value === 'true';
    default:
      return NAMES_PATH.test(variable) ? settingPath(value) : value;
  }
}

/**
 * What `options` come to when nothing is on the command line. A server of the cluster starts this way: without
 * yargs, which takes longer to load than the server takes to register.
 */
export function defaultValues(options: Record<string, Options>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, option.default]));
}

/**
 * A yargs parser with the manners that all programs here share: strict, exit code 2 with one clear sentence on bad usage.
 * @param args command-line arguments without node and the file
 * @throws UsageError for a bare `--`: yargs would pass over all that follows it
 */
export function commandLine(args: readonly string[], scriptName: string): Argv {
  if (args.includes('--')) {
    throw new UsageError(
      `"${args.slice(args.indexOf('--')).join(' ')}" is not understood: leave out this --.`,
    );
  }
  const yargs = createRequire(import.meta.url)('yargs') as typeof import('yargs')['default'];
  return (
    yargs(args)
      .scriptName(scriptName)
      .strict()
      // Given twice, the last one counts: nothing here takes a list.
      .parserConfiguration({ 'duplicate-arguments-array': false })
      .version(false)
      .help()
      .alias('help', 'h')
      // yargs takes any other word for no.
      .middleware((values) => requireBooleans(args, values), true)
      .wrap(Math.min(110, process.stdout.columns ?? 110))
      .fail((message, error) => {
        throw error instanceof UsageError ? error : new UsageError(inWords(message ?? error.message));
      })
  );
}

// yargs counts arguments, and does not say which one is missing.
function inWords(message: string): string {
  return message.startsWith('Not enough non-option arguments') ? 'An argument is missing.' : message;
}

function requireBooleans(args: readonly string[], values: Record<string, unknown>): void {
  for (const arg of args) {
    const [, name = '', word] = /^--([^=]+)=(.*)$/.exec(arg) ?? [];
    if (values[name] === false && word !== 'false') {
      throw new UsageError(`--${name} is "${word}": it must be true or false.`);
    }
  }
}

/** Throws UsageError unless `value` is a whole number from `min` to `max`. */
export function requireWhole(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new UsageError(`${name} must be a whole number from ${min} to ${max}.`);
  }
  return value;
}

/**
 * A text from the command line; null when it is not there.
 * @throws UsageError when it is there and empty: an option that came to nothing may be a protection that is missing
 */
export function given(option: string, value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw new UsageError(`${option} is empty: give it a value, or leave it out.`);
}

export type HostPort = { host: string; port: number };

/** Splits `host:port` or `[v6]:port`; throws UsageError when it is neither. */
export function parseHostPort(name: string, text: string): HostPort {
  const address = splitHostPort(text);
  if (address === null)
    throw new UsageError(`${name} is "${text}": it must be host:port, for example 127.0.0.1:10000.`);
  requireWhole(`the port of ${name}`, address.port, 1, MAX_PORT);
  return address;
}

/** The same for what a peer has sent: null when it is neither. */
export function hostPortOf(text: string): HostPort | null {
  const address = splitHostPort(text);
  return address !== null && address.port >= 1 && address.port <= MAX_PORT ? address : null;
}

function splitHostPort(text: string): HostPort | null {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  return host === undefined ? null : { host, port: Number(match?.[3]) };
}

/** Splits one or several of them, with commas between; throws UsageError when one is neither. */
export function parseHostPorts(name: string, text: string): HostPort[] {
  return text.split(',').map((one) => parseHostPort(name, one.trim()));
}

/** Ports of this machine, one for each proxy: from `first` to `last`, on one address or (0.0.0.0) on all. */
export type PublishedPorts = { host: string; first: number; last: number };

/**
 * Reads `10000`, `10000-10002`, `127.0.0.1:10000` or `127.0.0.1:10000-10002`.
 * @throws UsageError that begins with `name`
 */
export function parsePublished(name: string, text: string): PublishedPorts {
  const [, host = '0.0.0.0', begin, end = begin] =
    /^(?:(\[[\da-f:]+\]|[\d.]+):)?(\d+)(?:-(\d+))?$/i.exec(text) ?? [];
  const [first, last] = [Number(begin), Number(end)];
  if (first >= 1 && last >= first && last <= MAX_PORT) return { host, first, last };
  throw new UsageError(
    `${name} is "${text}": it must be a port from 1 to 65535, or as many as there are proxies, 10000-10002, or either on an address of this machine: 127.0.0.1:10000.`,
  );
}

/**
 * Where the cluster's proxies are reached on this machine: where Compose publishes them, as host:port with commas between.
 * With PROXIES there are as many, on the ports from the first one on.
 * @throws UsageError when PROXY_PUBLISH_PORT is nothing that `parsePublished` reads, or PROXIES no number of proxies
 */
export function publishedProxy(environment: NodeJS.ProcessEnv): string {
  const text = environment.PROXY_PUBLISH_PORT || '10000';
  const { host, first, last } = parsePublished('PROXY_PUBLISH_PORT', text);
  const reached = host === '0.0.0.0' || host === '[::]' ? '127.0.0.1' : host;
  const count = requireWhole('PROXIES', Number(environment.PROXIES || last - first + 1), 1, MAX_PROXIES);
  return Array.from({ length: count }, (_, index) => `${reached}:${first + index}`).join();
}

/** A path from the environment or from .env, counted from the repository's folder as Compose counts it, wherever npm was called. */
export function settingPath(path: string): string {
  return resolve(HOME, path);
}

/**
 * A path on a command line, counted from where npm was called: npm goes to the project's own folder before it runs
 * anything, and leaves the caller's in INIT_CWD.
 */
export function callerPath(path: string, { INIT_CWD }: NodeJS.ProcessEnv = process.env): string {
  return resolve(INIT_CWD ?? '', path);
}

/** An id from the command line: digits become a number, as the packets of the original have them. */
export function parseId(text: string): string | number {
  return /^(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}

/**
 * Runs a program's main function: usage errors are one sentence with exit code 2, anything unforeseen with its stack.
 * @param scriptName how a person calls the program, for the hint at `--help`
 */
export async function runMain(scriptName: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\nTry: ${scriptName} --help`);
      process.exitCode = 2;
      return;
    }
    throw error;
  }
}
