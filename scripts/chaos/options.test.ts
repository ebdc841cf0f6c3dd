// The command line of `npm run chaos`.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../../services/shared/config.ts';
import { parseChaosCommand } from './options.ts';
import { SCENARIOS } from './scenarios/index.ts';

test('without options: the tour, seed 1, 500 requests a second', () => {
  const options = parseChaosCommand([], {});
  assert.deepEqual(options.scenarios, ['tour']);
  assert.deepEqual([options.seed, options.rate, options.durationSeconds], [1, 500, null]);
});

test('given twice, the last one counts', () => {
  assert.deepEqual(parseChaosCommand(['--scenario', 'kill', '--scenario', 'pause'], {}).scenarios, ['pause']);
});

test('all scenarios, several, and settings from the environment', () => {
  const onCompose = SCENARIOS.filter(({ engine }) => engine === undefined);
  assert.equal(parseChaosCommand(['--scenario', 'all'], {}).scenarios.length, onCompose.length);
  assert.deepEqual(parseChaosCommand(['-s', 'kill, pause,kill'], {}).scenarios, ['kill', 'pause']);
  assert.equal(parseChaosCommand([], { CHAOS_SEED: '9' }).seed, 9);
});

test('each engine has scenarios of its own; of swarm all are run', () => {
  const onSwarm = SCENARIOS.filter(({ engine }) => engine === 'swarm').map(({ name }) => name);
  assert.deepEqual(parseChaosCommand(['--engine', 'swarm'], {}).scenarios, onSwarm);
  assert.deepEqual(parseChaosCommand(['--engine', 'swarm', '-s', 'node-kill'], {}).scenarios, ['node-kill']);
});

const BAD: [string[], RegExp][] = [
  [['--scenario', 'kil'], /There is no scenario "kil" with --engine compose: choose among control, /],
  [['--scenario', 'node-kill'], /no scenario "node-kill" with --engine compose/],
  [['--engine', 'swarm', '--scenario', 'kill'], /with --engine swarm: choose among task-kill, /],
  [['--engine', 'docker'], /compose/],
  [['--scenario', 'all', '--duration', '60'], /one scenario at a time/],
  [['--seed', '-1'], /--seed/],
  [['--seed', '1.5'], /--seed/],
  [['--rate', '0'], /--rate/],
  [['--rate', '99999'], /--rate/],
  [['--duration', 'long'], /--duration/],
  [['--policy', ''], /--policy is empty/],
  [['pause'], /Unknown argument: pause/],
  [['--scenaro', 'kill'], /scenaro/],
  [['--report', ''], /--report is empty/],
  [['--replay', 'plan.json', '--seed', '2'], /leave out --seed beside --replay/],
];
for (const [args, message] of BAD) {
  test(`bad usage: ${args.join(' ')}`, () => {
    assert.throws(
      () => parseChaosCommand(args, {}),
      (error: unknown) => error instanceof UsageError && message.test(error.message),
    );
  });
}

test('--replay counts from where npm was called', (t) => {
  const { INIT_CWD } = process.env;
  t.after(() => {
    if (INIT_CWD === undefined) delete process.env.INIT_CWD;
    else process.env.INIT_CWD = INIT_CWD;
  });
  process.env.INIT_CWD = '/somewhere/else';
  const { replayFile } = parseChaosCommand(['--replay', join('mine', 'plan.json')], {});
  assert.equal(replayFile, '/somewhere/else/mine/plan.json');
});
