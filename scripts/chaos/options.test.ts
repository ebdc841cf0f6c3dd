// The command line of `npm run chaos`, and plans that are read from a file.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../../services/shared/config.ts';
import { makePlan } from './make-plan.ts';
import { parseChaosCommand } from './options.ts';
import { formatPlan, type Plan, type PlannedFault } from './plan.ts';
import { readPlan } from './read-plan.ts';
import { findScenario, SCENARIOS } from './scenarios/index.ts';
import type { Scenario } from './scenarios/scenario.ts';

test('without options: the tour, seed 1, 500 requests a second', () => {
  const options = parseChaosCommand([], {});
  assert.deepEqual(options.scenarios, ['tour']);
  assert.deepEqual([options.seed, options.rate, options.durationSeconds], [1, 500, null]);
});

test('given twice, the last one counts', () => {
  assert.deepEqual(parseChaosCommand(['--scenario', 'kill', '--scenario', 'pause'], {}).scenarios, ['pause']);
});

test('all scenarios, several, and settings from the environment', () => {
  assert.equal(parseChaosCommand(['--scenario', 'all'], {}).scenarios.length, SCENARIOS.length);
  assert.deepEqual(parseChaosCommand(['-s', 'kill, pause,kill'], {}).scenarios, ['kill', 'pause']);
  assert.equal(parseChaosCommand([], { CHAOS_SEED: '9' }).seed, 9);
});

const BAD: [string[], RegExp][] = [
  [['--scenario', 'kil'], /There is no scenario "kil": choose among control, /],
  [['--scenario', 'all', '--duration', '60'], /one scenario at a time/],
  [['--seed', '-1'], /--seed/],
  [['--seed', '1.5'], /--seed/],
  [['--rate', '0'], /--rate/],
  [['--rate', '99999'], /--rate/],
  [['--duration', 'long'], /--duration/],
  [['--policy', '4'], /--policy is "4": the cluster has the policies 1, 2, 3\./],
  [['pause'], /Unknown argument: pause/],
  [['--scenaro', 'kill'], /scenaro/],
  [['--report', ''], /--report must not be empty/],
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

const PLAN: Plan = makePlan(findScenario('tour') as Scenario, {
  seed: 3,
  rate: 500,
  policies: ['1', '2', '3'],
  serversPerPolicy: 2,
  faultsMs: null,
  onlyPolicy: null,
});

async function reading(text: string | null): Promise<Plan> {
  const folder = await mkdtemp(join(tmpdir(), 'plan-'));
  const file = join(folder, 'plan.json');
  try {
    if (text !== null) await writeFile(file, text);
    return await readPlan(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('every plan that is made can be read again', async () => {
  for (const scenario of SCENARIOS) {
    const plan = makePlan(scenario, { ...PLAN, faultsMs: null, onlyPolicy: null });
    assert.deepEqual(await reading(formatPlan(plan)), plan);
  }
});

const KILL: PlannedFault = {
  id: 1,
  kind: 'kill',
  targets: ['server-p1-1'],
  atMs: 20_000,
  forMs: 3_000,
  params: {},
};
const SCALE: Partial<PlannedFault> = {
  kind: 'scale',
  targets: ['server-p1'],
  params: { replicas: 50_000 },
};
const TWICE: readonly PlannedFault[] = [KILL, { ...KILL, id: 2, kind: 'pause', atMs: 22_000 }];

const BAD_PLANS: [string, string | null, RegExp][] = [
  ['no file', null, /can't be read \(ENOENT\)/],
  ['no JSON', '{', /is not JSON/],
  ['another document', '[]', /is not a plan: the document/],
  ['an unknown scenario', formatPlan({ ...PLAN, scenario: 'x' }), /scenario: is not one of control/],
  ['a foreign container', formatPlan(withTarget('postgres-1')), /faults\.0\.targets\.0/],
  ['another variable for Compose', formatPlan({ ...PLAN, settings: { PATH: '/' } }), /settings/],
  ['a fault before its time', withFault({ atMs: 0 }), /fault 1 \(kill\) lies outside the part with faults/],
  ['a proxy that is to be paused', withFault({ kind: 'pause', targets: ['proxy-1'] }), /takes servers/],
  ['a million replicas', withFault(SCALE), /fault 1 \(scale\) needs params\.replicas from 1 to 20/],
  [
    'a tight loop',
    withFault({ kind: 'flap', params: { everyMs: 0 } }),
    /needs a params\.everyMs of at least 200/,
  ],
  [
    'two faults on one replica',
    formatPlan({ ...PLAN, faults: TWICE }),
    /faults 1 and 2 hold the same replica/,
  ],
  [
    'the same id twice',
    formatPlan({ ...PLAN, faults: TWICE.map((one) => ({ ...one, id: 1 })) }),
    /the same id/,
  ],
  ['a negative time', formatPlan({ ...PLAN, phases: { ...PLAN.phases, quietMs: -1 } }), /phases\.quietMs/],
];
for (const [name, text, message] of BAD_PLANS) {
  test(`a plan is refused: ${name}`, async () => {
    await assert.rejects(
      reading(text),
      (error: unknown) => error instanceof UsageError && message.test(error.message),
    );
  });
}

function withTarget(target: string): Plan {
  return { ...PLAN, faults: [{ ...KILL, targets: [target] }] };
}

function withFault(change: Partial<PlannedFault>): string {
  return formatPlan({ ...PLAN, faults: [{ ...KILL, ...change }] });
}
