// The command line: what each wish comes to, and the sentence for each that can't be.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../services/shared/config.ts';
import { type BenchOptions, parseBenchCommand } from './options.ts';
import { PARTS } from './plan.ts';
import { TARGETS } from './targets/index.ts';

test('without options everything is measured', () => {
  assert.deepEqual(parseBenchCommand([], {}), {
    parts: [...PARTS],
    targets: TARGETS.map(({ name }) => name).filter(
      (name) =>
        !['six-servers', 'watched', 'logged', 'baseline'].includes(name) && !name.startsWith('workers-'),
    ),
    modes: ['oneshot', 'keep'],
    payloads: [64, 1000],
    connections: [1, 64, 512],
    repetitions: 5,
    seconds: 2,
    size: { servers: 6, policies: 3 },
    baseline: null,
    reportFolder: null,
    isJson: false,
  });
});

const wishes: [string, string[], Partial<BenchOptions>][] = [
  [
    'quick',
    ['--quick'],
    { parts: ['throughput'], payloads: [64], connections: [64], repetitions: 1, seconds: 1 },
  ],
  [
    'quick, but longer',
    ['--quick', '--seconds', '0.5', '--part', 'latency'],
    { parts: ['latency'], seconds: 0.5 },
  ],
  ['parts in their usual order', ['--part', 'pipeline,latency'], { parts: ['latency', 'pipeline'] }],
  ['one payload', ['--payloads', '300'], { payloads: [300] }],
  ['the same twice', ['--connections', '8,8'], { connections: [8] }],
  [
    'a version to compare with',
    ['--baseline', 'HEAD~1'],
    {
      parts: ['throughput', 'latency', 'pipeline'],
      targets: ['direct', 'baseline', 'policy-proxy'],
      baseline: 'HEAD~1',
    },
  ],
  [
    'a version to compare with, and somebody else',
    ['--baseline', '../old', '--targets', 'nginx', '--quick'],
    { parts: ['throughput'], targets: ['nginx', 'baseline', 'policy-proxy'], repetitions: 1 },
  ],
  [
    'many servers',
    ['--servers', '1000', '--policies', '100', '--quick'],
    {
      parts: ['throughput'],
      targets: ['six-servers', 'policy-proxy'],
      payloads: [64],
      connections: [64],
      size: { servers: 1000, policies: 100 },
    },
  ],
  [
    'many servers in two versions',
    ['--servers', '1000', '--baseline', 'HEAD'],
    { targets: ['six-servers', 'baseline', 'policy-proxy'], size: { servers: 1000, policies: 3 } },
  ],
  ['two servers for each of many policies', ['--policies', '50'], { size: { servers: 100, policies: 50 } }],
  ['fewer servers than policies', ['--servers', '2'], { size: { servers: 2, policies: 2 } }],
  ['for machines', ['--json', '--report', '/tmp/x'], { isJson: true, reportFolder: '/tmp/x' }],
];
for (const [name, args, expected] of wishes) {
  test(`options: ${name}`, () => {
    const options = parseBenchCommand(args, {});
    assert.deepEqual({ ...options, ...expected }, options);
  });
}

test('the environment counts where the command line is silent', () => {
  assert.equal(parseBenchCommand([], { BENCH_REPEAT: '3' }).repetitions, 3);
  assert.equal(parseBenchCommand(['--repeat', '2'], { BENCH_REPEAT: '3' }).repetitions, 2);
});

const mistakes: [string[], RegExp][] = [
  [['--part', 'speed'], /^--part is "speed": choose among throughput, /],
  [['--targets', ','], /^--targets is ",": choose among direct, /],
  [['--modes', 'open'], /^--modes is "open"/],
  [['--payloads', '1'], /^each of --payloads must be a whole number from 2 to 1024/],
  [['--payloads', 'big'], /^each of --payloads must be a whole number/],
  [['--connections', ''], /^--connections must not be empty/],
  [['--repeat', '0'], /^--repeat must be a whole number from 1/],
  [['--seconds', '0.05'], /^--seconds must be a number from 0\.1 to 60\.$/],
  [['--seconds', '61'], /^--seconds must be a number/],
  [['--seconds', 'many'], /^--seconds must be a number/],
  [['--report', ' '], /^--report is empty/],
  [['--part', 'pipeline', '--targets', 'nginx'], /^There is nothing to measure of nginx/],
  [
    ['--part', 'throughput', '--modes', 'keep', '--targets', 'haproxy,direct,nginx'],
    /^There is nothing to measure of haproxy and nginx/,
  ],
  [['--targets', 'baseline'], /^--targets names baseline: say which version/],
  [['--baseline', ''], /^--baseline is empty/],
  [['--no-baseline'], /^--baseline is empty/],
  [['--no-report'], /^--report is empty/],
  [['--servers', '0'], /^--servers must be a whole number from 1 to 10000/],
  [['--policies', '7', '--servers', '6'], /^--policies must be a whole number from 1 to 6/],
  [['--policies', '6000'], /^--servers must be a whole number/],
  [['fast'], /fast/],
  [['--fast'], /fast/],
];
for (const [args, message] of mistakes) {
  test(`refused: ${args.join(' ')}`, () => {
    assert.throws(
      () => parseBenchCommand(args, {}),
      (error: unknown) => error instanceof UsageError && message.test(error.message),
    );
  });
}
