// The command line: what each wish comes to, and the sentence for each that can't be.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../services/shared/config.ts';
import { type BenchOptions, commandOf, parseBenchCommand } from './options.ts';
import { cellsOf, PARTS, TARGETS } from './plan.ts';

test('without options everything is measured', () => {
  assert.deepEqual(parseBenchCommand([], {}), {
    parts: [...PARTS],
    targets: TARGETS.filter((name) => name !== 'baseline'),
    modes: ['oneshot', 'keep'],
    payloads: [64, 1000],
    connections: [1, 64, 512],
    repetitions: 5,
    seconds: 2,
    isQuick: false,
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
    ['--quick', '--seconds', '3', '--part', 'latency'],
    { parts: ['latency'], seconds: 3 },
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
  // It is meant for several commands, so it may say something that this one has no use for.
  assert.deepEqual(
    parseBenchCommand(['--part', 'clients'], { BENCH_SECONDS: '3', BENCH_TARGETS: 'nginx' }).parts,
    ['clients'],
  );
});

const again = [
  '',
  '--quick',
  '--part latency',
  '--part pipeline,latency --repeat 2',
  '--part growth,clients',
  '--part clients --repeat 1',
  '--part throughput --modes keep',
  '--part throughput --modes keep --connections 7 --payloads 9,300',
  '--baseline HEAD',
  '--baseline HEAD --part pipeline',
  '--baseline HEAD --quick --modes oneshot --targets haproxy',
];
for (const words of again) {
  test(`a report's own command line measures the same again: ${words}`, () => {
    const options = parseBenchCommand(words.split(' ').filter(Boolean), {});
    const command = commandOf(options, options.baseline);
    assert.ok(command.startsWith('npm run bench -- '), command);
    const second = parseBenchCommand(command.split(' ').slice(4), {});
    assert.deepEqual(cellsOf(second), cellsOf(options));
    assert.deepEqual(
      [second.parts, second.repetitions, second.baseline],
      [options.parts, options.repetitions, options.baseline],
    );
    if (cellsOf(options).length > 0) assert.equal(second.seconds, options.seconds);
  });
}

test('a report names the version that was measured, for a shell', () => {
  const options = parseBenchCommand(['--baseline', 'HEAD'], {});
  assert.match(commandOf(options, 'a1b2c3'), / --baseline a1b2c3 /);
  assert.match(commandOf(options, "/tmp/it's here"), / --baseline '\/tmp\/it'\\''s here' /);
});

const mistakes: [string[], RegExp][] = [
  [['--part', 'speed'], /^--part is "speed": choose among throughput, /],
  [['--targets', ','], /^--targets is ",": choose among direct, /],
  [['--modes', 'open'], /^--modes is "open"/],
  [['--payloads', '1'], /^each of --payloads must be a whole number from 2 to 1024/],
  [['--payloads', 'big'], /^each of --payloads must be a whole number/],
  [['--connections', ''], /^--connections must not be empty/],
  [['--repeat', '0'], /^--repeat must be a whole number from 1/],
  [['--seconds', '0.5'], /^--seconds must be a whole number/],
  [['--report', ' '], /^--report must not be empty/],
  [['--part', 'pipeline', '--targets', 'nginx'], /^There is nothing to measure of nginx/],
  [
    ['--part', 'throughput', '--modes', 'keep', '--targets', 'haproxy,direct,nginx'],
    /^There is nothing to measure of haproxy and nginx/,
  ],
  [
    ['--part', 'growth,clients', '--targets', 'direct'],
    /^--targets says nothing about growth and clients: .* add throughput or latency or pipeline/,
  ],
  [['--part', 'latency', '--payloads', '64'], /^--payloads says nothing about latency/],
  [['--part', 'clients', '--baseline', 'HEAD'], /^--baseline says nothing about clients/],
  [['--targets', 'baseline'], /^--targets names baseline: say which version/],
  [['--baseline', ''], /^--baseline must not be empty/],
  [['--no-baseline'], /^--baseline must not be empty/],
  [['--no-report'], /^--report must not be empty/],
  [
    ['--baseline', 'HEAD', '--part', 'pipeline,clients'],
    /^--baseline has nobody to compare in growth and clients/,
  ],
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
