// The command line of `npm run bench` → what is to be measured.
import {
  commandLine,
  given,
  requireWhole,
  UsageError,
  withEnvironment,
} from '../../services/shared/config.ts';
import { MAX_PAYLOAD_BYTES } from '../../services/shared/packet.ts';
import { flag } from '../kit/script.ts';
import { type Choice, cellsOf, MODES, PARTS, targetsOf } from './plan.ts';
import { TARGETS } from './targets/index.ts';
import { USUAL_SIZE } from './targets/policy-proxy.ts';
import type { Size } from './targets/target.ts';

export const SCRIPT_NAME = 'npm run bench --';

export type BenchOptions = Choice & {
  repetitions: number;
  /** Seconds that are counted of each run, after its warm-up. */
  seconds: number;
  size: Size;
  /** The version to compare with, a folder or a commit; null when there is none. */
  baseline: string | null;
  /** Where the report goes instead of reports/. */
  reportFolder: string | null;
  isJson: boolean;
};

// The generator tells its payloads apart by the first two bytes.
const MIN_PAYLOAD_BYTES = 2;
const MAX_SERVERS = 10_000;
// A run for less than that shows nothing.
const SECONDS = { min: 0.1, max: 60 };
const NAMES = TARGETS.map(({ name }) => name);
const WORKERS = ['workers-1', 'workers-2', 'workers-4'];
const ON_REQUEST = ['six-servers', 'watched', 'logged', ...WORKERS, 'baseline'];
const FULL = {
  part: PARTS.join(','),
  targets: NAMES.filter((name) => !ON_REQUEST.includes(name)).join(','),
  modes: MODES.join(','),
  payloads: '64,1000',
  connections: '1,64,512',
  repeat: 5,
  seconds: 2,
};
const MIDDLE = { part: 'throughput', payloads: '64', connections: '64' };
const QUICK = { ...MIDDLE, repeat: 1, seconds: 1 };
const MANY_SERVERS = { ...MIDDLE, targets: 'six-servers,policy-proxy' };
const COMPARISON = { targets: 'direct,policy-proxy' };

const FLAGS = {
  part: { type: 'string', alias: 'p', describe: `one part or several with commas (${FULL.part})` },
  targets: { type: 'string', describe: 'what is measured, of the targets below' },
  baseline: { type: 'string', alias: 'b', describe: 'a version to compare with: a commit, or a folder' },
  servers: { type: 'number', describe: `registered servers of each target (${USUAL_SIZE.servers})` },
  policies: { type: 'number', describe: `policies, which the servers have in turn (${USUAL_SIZE.policies})` },
  modes: { type: 'string', describe: `how throughput is measured (${FULL.modes})` },
  payloads: { type: 'string', describe: `bytes of each payload (${FULL.payloads})` },
  connections: { type: 'string', describe: `connections at a time (${FULL.connections})` },
  repeat: { type: 'number', describe: `repetitions, each of which runs everything once (${FULL.repeat})` },
  seconds: { type: 'number', describe: `seconds of each run (${FULL.seconds})` },
  quick: flag('a first look: 64 bytes, 64 connections, a second each'),
  report: { type: 'string', describe: 'folder for the report (reports/TIME-bench)' },
  json: flag('one JSON document on standard output'),
} as const;

const EPILOGUE = `Parts:
  throughput  closed loop, one request in flight per connection: as many as go through
              (oneshot: a connection for each request; keep: one request after another on each connection)
  latency     open loop: 1,000 requests a second on a connection each, what each target adds to "direct"
  pipeline    one connection with 64 requests in flight

Targets (all but six-servers, watched, logged, those with workers and baseline; with --baseline direct and both versions, with --servers or --policies six-servers and policy-proxy):
${TARGETS.map(({ name, description }) => `  ${name.padEnd(18)}  ${description}`).join('\n')}
In keep and pipeline the peers do not take part: in TCP mode they choose a server once per connection.

Everything takes about 12 minutes, --quick half a minute. The machine should have nothing else to do. Peers and gcc that are missing are installed with apt-get where root runs this.

Exit codes: 0 done · 1 something was lost, wrong or refused in a run, or not everything could be measured · 2 bad usage, or something is not installed · 3 the output could not be written · 130 ended early with Ctrl-C, 143 by SIGTERM (what was measured is still reported)`;

/**
 * @param args command-line arguments without node and the file
 * @throws UsageError
 */
export function parseBenchCommand(args: readonly string[], environment = process.env): BenchOptions {
  const flags = commandLine(args, SCRIPT_NAME)
    .usage('$0 [OPTIONS]\n\nMeasures the proxy beside HAProxy, nginx and others on the same requests.')
    .options(withEnvironment('BENCH', FLAGS, environment))
    .example('$0 --quick --repeat 9 --baseline HEAD', 'what my changes come to')
    .example('$0 --part latency --targets direct,policy-proxy', 'what the proxy adds to a request')
    .example('$0 --quick --repeat 9 --targets watched,logged,policy-proxy', 'what it costs to be looked at')
    .example('$0 --servers 1000 --policies 100', 'what a request costs with many servers')
    .epilogue(EPILOGUE)
    .parseSync();
  const baseline = given('--baseline', flags.baseline);
  const usual = {
    ...FULL,
    ...(baseline === null ? {} : COMPARISON),
    ...(flags.servers === undefined && flags.policies === undefined ? {} : MANY_SERVERS),
    ...(flags.quick ? QUICK : {}),
  };
  const text = (name: 'part' | 'targets' | 'modes' | 'payloads' | 'connections'): string =>
    flags[name] ?? usual[name];
  const options: BenchOptions = {
    parts: parseNames('--part', text('part'), PARTS),
    targets: withBaseline(parseNames('--targets', text('targets'), NAMES), baseline),
    modes: parseNames('--modes', text('modes'), MODES),
    payloads: parseNumbers('--payloads', text('payloads'), MIN_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES),
    connections: parseNumbers('--connections', text('connections'), 1, 1000),
    repetitions: requireWhole('--repeat', flags.repeat ?? usual.repeat, 1, 100),
    seconds: requireSeconds(flags.seconds ?? usual.seconds),
    size: parseSize(flags),
    baseline,
    reportFolder: given('--report', flags.report),
    isJson: flags.json,
  };
  if (flags.targets !== undefined) refuseIdle(options);
  return options;
}

function parseSize(flags: { servers?: number | undefined; policies?: number | undefined }): Size {
  const { policies = USUAL_SIZE.policies } = flags;
  const { servers = Math.max(USUAL_SIZE.servers, 2 * policies) } = flags;
  requireWhole('--servers', servers, 1, MAX_SERVERS);
  const most = flags.policies === undefined ? Math.min(policies, servers) : policies;
  return { servers, policies: requireWhole('--policies', most, 1, servers) };
}

// The two versions take part in any case.
function withBaseline(targets: string[], baseline: string | null): string[] {
  if (baseline === null && targets.includes('baseline')) {
    throw new UsageError('--targets names baseline: say which version that is with --baseline.');
  }
  if (baseline === null) return targets;
  return NAMES.filter((name) => [...targets, 'baseline', 'policy-proxy'].includes(name));
}

// What was asked for and would not be done is more likely a mistake than a wish.
function refuseIdle(options: BenchOptions): void {
  const measured = targetsOf(cellsOf(options)).map(({ name }) => name);
  const idle = options.targets.filter((name) => !measured.includes(name));
  if (idle.length === 0) return;
  throw new UsageError(
    `There is nothing to measure of ${idle.join(' and ')} in what was chosen: see the end of --help.`,
  );
}

function requireSeconds(value: number): number {
  const { min, max } = SECONDS;
  if (value >= min && value <= max) return value;
  throw new UsageError(`--seconds must be a number from ${min} to ${max}.`);
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
