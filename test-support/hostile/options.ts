// The command line of `npm run hostile`.
import { commandLine, requireWhole, UsageError, withEnvironment } from '../../services/shared/config.ts';
import type { HostileCase } from './case.ts';
import { CASES } from './cases/index.ts';
import type { Size } from './scene.ts';

export const SCRIPT_NAME = 'npm run hostile --';
const FULL_SECONDS = 60;
const QUICK_SECONDS = 10;

export type HostileOptions = { cases: readonly HostileCase[]; size: Size; isJson: boolean };

const FLAGS = {
  only: { type: 'string', alias: 'o', describe: 'cases, or the beginnings of their names, with commas' },
  quick: { type: 'boolean', default: false, describe: `fewer rounds, ${QUICK_SECONDS} s of c4-one-server` },
  seconds: { type: 'number', describe: `seconds of c4-one-server (${FULL_SECONDS})` },
  json: {
    type: 'boolean',
    default: false,
    describe: 'one JSON document on standard output, progress on standard error',
  },
} as const;

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError
 */
export function parseHostileCommand(args: readonly string[], environment = process.env): HostileOptions {
  const width = Math.max(...CASES.map(({ name }) => name.length));
  const list = CASES.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`).join('\n');
  const flags = commandLine(args, SCRIPT_NAME)
    .usage('$0 [OPTIONS]\n\nHostile peers, one kind a case, against a real proxy with its defaults.')
    .options(withEnvironment('HOSTILE', FLAGS, environment))
    .example('npm run hostile', 'all of them, about six minutes')
    .example('$0 --quick', 'about three minutes')
    .example('$0 --only d7,e9-one-slow', 'these only')
    .epilogue(
      `Cases:\n${list}\n\nExit codes: 0 all held · 1 one did not hold · 2 bad usage · 3 the machine was too slow to tell, or a case could not be run · 130 ended early with Ctrl-C`,
    )
    .wrap(null)
    .parseSync();
  if (flags._.length > 0)
    throw new UsageError(`"${flags._.join(' ')}" is not understood: options begin with --.`);
  const seconds = flags.seconds ?? (flags.quick ? QUICK_SECONDS : FULL_SECONDS);
  return {
    cases: flags.only === undefined ? CASES : casesOf(flags.only),
    size: { isSmall: flags.quick, seconds: requireWhole('--seconds', seconds, 1, 600) },
    isJson: flags.json,
  };
}

function casesOf(text: string): HostileCase[] {
  const wanted = text.split(',').map((name) => name.trim().toLowerCase());
  const unknown = wanted.find((start) => start === '' || !CASES.some(({ name }) => name.startsWith(start)));
  if (unknown !== undefined)
    throw new UsageError(
      `--only names "${unknown}": choose among ${CASES.map(({ name }) => name).join(', ')}.`,
    );
  return CASES.filter(({ name }) => wanted.some((start) => name.startsWith(start)));
}
