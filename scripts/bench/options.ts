// shell · the command line of `npm run bench` → what is to be measured. Runs before anything is started.
// Must never let a wish through that a run would have to doubt.
import { commandLine, requireWhole, UsageError, withEnvironment } from '../../services/shared/config.ts';
import { MAX_PAYLOAD_BYTES } from '../../services/shared/packet.ts';
import {
  type Choice,
  cellsOf,
  DEFAULT_CONNECTIONS,
  DEFAULT_PAYLOADS,
  MODES,
  PARTS,
  type Part,
  TARGETS,
  type TargetName,
  targetsOf,
} from './plan.ts';

export const SCRIPT_NAME = 'npm run bench --';

export type BenchOptions = Choice & {
  repetitions: number;
  /** Seconds that are counted of each run, after its warm-up. */
  seconds: number;
  isQuick: boolean;
  /** The version to compare with, a folder or a commit; null when there is none. */
  baseline: string | null;
  /** Where the report goes instead of reports/. */
  reportFolder: string | null;
  isJson: boolean;
};

// The generator tells its payloads apart by the first two.
const MIN_PAYLOAD_BYTES = 2;
const QUICK = { part: 'throughput', payloads: '64', connections: '64', repeat: 1, seconds: 1 };
const FULL = {
  part: PARTS.join(','),
  targets: TARGETS.filter((name) => name !== 'baseline').join(','),
  modes: MODES.join(','),
  payloads: DEFAULT_PAYLOADS.join(','),
  connections: DEFAULT_CONNECTIONS.join(','),
  repeat: 5,
  seconds: 2,
};

const VERSIONS: readonly TargetName[] = ['baseline', 'policy-proxy'];
// The parts in which several targets run.
const SIDE_BY_SIDE: readonly Part[] = ['throughput', 'latency', 'pipeline'];
const COMPARISON = { part: SIDE_BY_SIDE.join(','), targets: ['direct', ...VERSIONS].join(',') };

const FLAGS = {
  part: { type: 'string', alias: 'p', describe: `one part or several with commas (${FULL.part})` },
  targets: {
    type: 'string',
    describe: 'who is measured, of those listed below (all; with --baseline direct and both versions)',
  },
  baseline: {
    type: 'string',
    alias: 'b',
    describe:
      'another version to compare with, a commit or the folder of a checkout; not for growth and clients',
  },
  modes: {
    type: 'string',
    describe: `oneshot: a connection per request; keep: one request after another on each (${FULL.modes})`,
  },
  payloads: { type: 'string', describe: `bytes of each payload (${FULL.payloads})` },
  connections: { type: 'string', describe: `connections at a time (${FULL.connections})` },
  repeat: { type: 'number', describe: `repetitions, each of which runs everything once (${FULL.repeat})` },
  seconds: { type: 'number', describe: `seconds of each run of the first three parts (${FULL.seconds})` },
  quick: {
    type: 'boolean',
    default: false,
    describe: 'throughput only, 64 bytes and 64 connections, one repetition of a second: a first look',
  },
  report: { type: 'string', describe: 'folder for the report (reports/TIME-bench)' },
  json: {
    type: 'boolean',
    default: false,
    describe: 'one JSON document on standard output, progress on standard error',
  },
} as const;

const PARTS_TEXT = `Parts:
  throughput  closed loop: as many requests as go through, with one request in flight per connection
  latency     open loop: 1,000 requests a second on a connection each, what each target adds to "direct"
  pipeline    one connection with 64 requests in flight
  growth      the same load with up to 10,000 servers and up to 1,000 policies
  clients     memory for up to 10,000 open client connections

Targets:
  direct              no proxy: one of the six servers answers everything
  bare-node           no proxy either: a Node process that reads, looks an answer up and writes
  haproxy, haproxy-1  HAProxy in TCP mode, on a thread per processor and on one thread
  nginx               nginx's stream module with njs
  thread-per-request  a thread and an upstream connection per request, in Python; only in one cell
  baseline            the version that --baseline names, with six servers of its own
  policy-proxy        this proxy with its defaults
In keep and pipeline haproxy, nginx and thread-per-request do not take part: in TCP mode they choose a server once per
connection. Nor does bare-node in pipeline.`;

const EPILOGUE = `${PARTS_TEXT}

Everything takes about 25 minutes, the first three parts 12, --quick half a minute. The machine should have nothing else to do. HAProxy, nginx with njs and Python are Debian's: what is missing is fetched into .cache (some 350 MB) and not installed; gcc is installed where it is missing. All ratios are of runs of the same repetition, so that a machine that slows down slows down both.

Exit codes: 0 done · 1 something was lost, wrong or refused in a run, or a part could not be measured · 2 bad usage, or the machine is not what it takes · 3 the output could not be written · 130 ended early with Ctrl-C, 143 by SIGTERM (what was measured is still reported)`;

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError
 */
export function parseBenchCommand(args: readonly string[], environment = process.env): BenchOptions {
  const flags = commandLine(args, SCRIPT_NAME)
    .usage(
      '$0 [OPTIONS]\n\nMeasures the proxy beside HAProxy, nginx and a plain server on the same requests, and how its cost grows.',
    )
    .options(withEnvironment('BENCH', FLAGS, environment))
    .example('$0 --quick', 'a first look')
    .example('$0 --quick --repeat 9 --baseline HEAD', 'what my changes come to')
    .example('$0 --part latency --targets direct,policy-proxy', 'what the proxy adds to a request')
    .example('$0 --part throughput --modes oneshot --connections 512', 'one corner, five times')
    .epilogue(EPILOGUE)
    .parseSync();
  if (flags._.length > 0) {
    throw new UsageError(`"${flags._.join(' ')}" is not understood: options begin with --.`);
  }
  const baseline = flags.baseline === undefined ? null : requireText('--baseline', flags.baseline);
  const usual = { ...FULL, ...(baseline === null ? {} : COMPARISON), ...(flags.quick ? QUICK : {}) };
  const options: BenchOptions = {
    parts: parseNames('--part', flags.part ?? usual.part, PARTS),
    targets: withBaseline(parseNames('--targets', flags.targets ?? usual.targets, TARGETS), baseline),
    modes: parseNames('--modes', flags.modes ?? usual.modes, MODES),
    payloads: parseNumbers(
      '--payloads',
      flags.payloads ?? usual.payloads,
      MIN_PAYLOAD_BYTES,
      MAX_PAYLOAD_BYTES,
    ),
    connections: parseNumbers('--connections', flags.connections ?? usual.connections, 1, 1000),
    repetitions: requireWhole('--repeat', flags.repeat ?? usual.repeat, 1, 100),
    seconds: requireWhole('--seconds', flags.seconds ?? usual.seconds, 1, 60),
    isQuick: flags.quick,
    baseline,
    reportFolder: flags.report === undefined ? null : requireText('--report', flags.report),
    isJson: flags.json,
  };
  // What the environment says is meant for several commands.
  const isGiven = (name: string): boolean =>
    (flags as Record<string, unknown>)[name] !== undefined && !environment[`BENCH_${name.toUpperCase()}`];
  refuseIdle(options, isGiven);
  return options;
}

// The two versions take part whoever else was named.
function withBaseline(targets: TargetName[], baseline: string | null): TargetName[] {
  if (baseline === null && targets.includes('baseline')) {
    throw new UsageError('--targets names baseline: say which version that is with --baseline.');
  }
  if (baseline === null) return targets;
  return TARGETS.filter((name) => targets.includes(name) || VERSIONS.includes(name));
}

/** Options that choose within some parts only, and which those are. */
const CHOOSES_WITHIN: Readonly<Record<string, readonly Part[]>> = {
  targets: SIDE_BY_SIDE,
  baseline: SIDE_BY_SIDE,
  modes: ['throughput'],
  payloads: ['throughput'],
  connections: ['throughput'],
  seconds: SIDE_BY_SIDE,
};

function isOfUse(name: string, parts: readonly Part[]): boolean {
  const within = CHOOSES_WITHIN[name];
  return within === undefined || within.some((part) => parts.includes(part));
}

// What was asked for and would not be done is more likely a mistake than a wish.
function refuseIdle(options: BenchOptions, isGiven: (name: string) => boolean): void {
  const { parts, targets } = options;
  for (const [name, within] of Object.entries(CHOOSES_WITHIN)) {
    if (!isGiven(name) || isOfUse(name, parts)) continue;
    throw new UsageError(
      `--${name} says nothing about ${parts.join(' and ')}: leave it out, or add ${within.join(' or ')} to --part.`,
    );
  }
  if (options.baseline !== null && parts.some((part) => !SIDE_BY_SIDE.includes(part))) {
    throw new UsageError(
      '--baseline has nobody to compare in growth and clients: leave those out of --part.',
    );
  }
  if (!isGiven('targets')) return;
  const measured = targetsOf(cellsOf(options));
  const idle = targets.filter((name) => !measured.includes(name));
  if (idle.length === 0) return;
  throw new UsageError(
    `There is nothing to measure of ${idle.join(' and ')} in what was chosen: see the end of --help.`,
  );
}

function parseNames<T extends string>(option: string, text: string, known: readonly T[]): T[] {
  const names = split(text);
  const unknown = names.find((name) => !(known as readonly string[]).includes(name));
  if (unknown !== undefined || names.length === 0) {
    throw new UsageError(`${option} is "${text}": choose among ${known.join(', ')}, with commas between.`);
  }
  // In their usual order, each once.
  return known.filter((name) => names.includes(name));
}

function parseNumbers(option: string, text: string, min: number, max: number): number[] {
  const numbers = split(text).map((part) => requireWhole(`each of ${option}`, Number(part), min, max));
  if (numbers.length === 0) throw new UsageError(`${option} must not be empty.`);
  return [...new Set(numbers)];
}

function split(text: string): string[] {
  return String(text)
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function requireText(name: string, text: string): string {
  // Of `--no-report` the parser makes no text.
  if (typeof text === 'string' && text.trim() !== '') return text;
  throw new UsageError(`${name} must not be empty.`);
}

/**
 * The command line that measures the same again.
 * @param baseline what names the version for good, where there is one: a branch or HEAD moves on
 */
export function commandOf(options: BenchOptions, baseline: string | null): string {
  const flags: Partial<Record<keyof typeof FLAGS, string>> = {
    part: String(options.parts),
    targets: String(targetsOf(cellsOf(options))),
    ...(baseline === null ? {} : { baseline: quoted(baseline) }),
    modes: String(options.modes),
    payloads: String(options.payloads),
    connections: String(options.connections),
    repeat: String(options.repetitions),
    seconds: String(options.seconds),
  };
  const words = Object.entries(flags)
    .filter(([name]) => isOfUse(name, options.parts))
    .map(([name, value]) => `--${name} ${value}`);
  return `${SCRIPT_NAME} ${words.join(' ')}`;
}

// For a shell.
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
