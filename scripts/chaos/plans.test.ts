// Plans: the same seed gives the same bytes, and no plan asks for what can't be done or must not be.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { UsageError } from '../../services/shared/config.ts';
import type { ServerService } from '../cluster/services.ts';
import { parseChaosCommand } from './options.ts';
import { formatPlan, type Plan, type PlannedFault, serviceOf } from './plan.ts';
import { makePlan, type PlanWishes, plansOf, readPlan } from './plans.ts';
import { SCENARIOS, scenarioOf } from './scenarios/index.ts';

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed);
const WISHES: PlanWishes = {
  seed: 1,
  rate: 500,
  services: { 'server-p1': '1', 'server-p2': '2', 'server-gold': '3' },
  serversPerPolicy: 2,
  faultsMs: null,
  onlyPolicy: null,
};
/** Docker takes its time to start a container, and a server to be back in rotation. */
const BACK_MS = 3_000;
/** A restart is over when Docker says so. */
const RESTART_MS = 2_000;

/** Every replica that a fault touches; scaling and updates leave a policy its servers. */
function replicasOf({ kind, targets }: PlannedFault): readonly string[] {
  return kind === 'scale' || kind === 'update' ? [] : targets;
}

function endMs({ kind, atMs, forMs }: PlannedFault): number {
  return atMs + Math.max(forMs, kind === 'restart' ? RESTART_MS : 0);
}

function overlapping(plan: Plan, marginMs: number): string[] {
  return plan.faults.flatMap((fault, index) =>
    plan.faults
      .slice(index + 1)
      .filter((later) => later.atMs < endMs(fault) + marginMs)
      .flatMap((later) => replicasOf(later).filter((replica) => replicasOf(fault).includes(replica)))
      .map((replica) => `${replica} in fault ${fault.id} and a later one`),
  );
}

/** Moments at which no server of some policy is left alone. */
function emptied({ faults, services, serversPerPolicy }: Plan): string[] {
  return faults.flatMap(({ atMs }) => {
    const hit = faults.filter((fault) => fault.atMs <= atMs && endMs(fault) > atMs).flatMap(replicasOf);
    return Object.keys(services)
      .filter(
        (service) => new Set(hit.filter((name) => serviceOf(name) === service)).size >= serversPerPolicy,
      )
      .map((service) => `${service} at ${atMs}`);
  });
}

for (const scenario of SCENARIOS) {
  describe(scenario.name, () => {
    const plans = SEEDS.map((seed) => makePlan(scenario, { ...WISHES, seed }));

    test('the same seed gives the same bytes, another seed another plan', () => {
      for (const seed of SEEDS) {
        const again = makePlan(scenario, { ...WISHES, seed });
        assert.equal(formatPlan(again), formatPlan(plans[seed] as Plan));
      }
      const different = new Set(plans.map(({ faults }) => JSON.stringify(faults)));
      assert.ok(scenario.name === 'control' || different.size > 1);
    });

    test('faults are numbered in the order of time, and lie within their phase', () => {
      for (const { faults, phases } of plans) {
        const fromMs = phases.warmUpMs + phases.controlMs;
        assert.deepEqual(
          faults.map(({ id }) => id),
          faults.map((_, index) => index + 1),
        );
        for (const [index, { atMs, forMs }] of faults.entries()) {
          assert.ok(atMs >= Math.max(fromMs, faults[index - 1]?.atMs ?? 0));
          assert.ok(atMs + forMs <= fromMs + phases.faultsMs, `ends at ${atMs + forMs}`);
        }
      }
    });

    test('targets are replicas of the cluster', () => {
      for (const { faults, services, serversPerPolicy, proxies } of plans) {
        const names = Object.keys(services);
        const servers = names.flatMap((service) =>
          Array.from({ length: serversPerPolicy }, (_, i) => `${service}-${i + 1}`),
        );
        const all = new Set([...servers, ...names, 'proxy', 'node-2', 'node-3']);
        for (let number = 1; number <= proxies; number += 1) all.add(`proxy-${number}`);
        for (const { targets } of faults) for (const target of targets) assert.ok(all.has(target), target);
      }
    });

    test('no replica is hit while another fault holds it, or before it can be back', () => {
      const marginMs = scenario.name === 'pause-short' ? 0 : BACK_MS;
      for (const plan of plans) assert.deepEqual(overlapping(plan, marginMs), [], `seed ${plan.seed}`);
    });

    test('no policy loses its last server, unless that is what it is about', () => {
      if (scenario.name === 'kill-all') return;
      for (const plan of plans) assert.deepEqual(emptied(plan), [], `seed ${plan.seed}`);
    });

    test('--policy keeps to the servers of one policy', () => {
      for (const seed of SEEDS) {
        const { faults } = makePlan(scenario, { ...WISHES, seed, onlyPolicy: '2' });
        const hit = new Set(faults.flatMap(({ targets }) => targets.map(serviceOf)));
        // Two servers that swap are of different policies by their nature.
        const expected =
          scenario.name === 'swap' ? Object.keys(WISHES.services) : ['server-p2', 'proxy', 'node'];
        assert.ok([...hit].every((service) => expected.includes(service)));
      }
    });
  });
}

test('--duration sets the length of the part with faults; of control, that of the control phase', () => {
  for (const scenario of SCENARIOS) {
    const { phases } = makePlan(scenario, { ...WISHES, faultsMs: 45_000 });
    assert.equal(scenario.name === 'control' ? phases.controlMs : phases.faultsMs, 45_000);
  }
});

test('a scenario has as many servers as it needs, and more when there are more', () => {
  const swizzle = SCENARIOS.find(({ name }) => name === 'swizzle');
  assert.ok(swizzle);
  assert.equal(makePlan(swizzle, WISHES).serversPerPolicy, 3);
  assert.equal(makePlan(swizzle, { ...WISHES, serversPerPolicy: 5 }).serversPerPolicy, 5);
});

const PLAN: Plan = makePlan(scenarioOf({ scenario: 'tour' }), { ...WISHES, seed: 3 });

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
    const plan = makePlan(scenario, WISHES);
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
  ['an unknown scenario', formatPlan({ ...PLAN, scenario: 'x' }), /is not a plan: there is no scenario x/],
  [
    'a foreign container',
    withFault({ targets: ['postgres-1'] }),
    /fault 1 \(kill\) takes servers, not postgres-1/,
  ],
  ['a foreign path', withFault({ targets: ['../1'] }), /faults\.0\.targets\.0/],
  ['other policies than its services', formatPlan({ ...PLAN, policies: ['1'] }), /not those of its services/],
  ['another variable for Compose', JSON.stringify({ ...PLAN, settings: { PATH: '/' } }), /settings/],
  ['a fault before its time', withFault({ atMs: 0 }), /fault 1 \(kill\) lies outside the part with faults/],
  ['a proxy that is to be paused', withFault({ kind: 'pause', targets: ['proxy-1'] }), /takes servers/],
  [
    'a swap within one policy',
    withFault({ kind: 'swap', targets: ['server-p1-1', 'server-p1-2'] }),
    /takes two servers of different policies, not server-p1-1 and server-p1-2/,
  ],
  [
    'a proxy that is not there',
    withFault({ kind: 'proxy-kill', targets: ['proxy-2'] }),
    /fault 1 \(proxy-kill\) takes a proxy, not proxy-2/,
  ],
  [
    'the manager is killed',
    withFault({ kind: 'node-kill', targets: ['node-1'] }),
    /fault 1 \(node-kill\) takes a worker node, not node-1/,
  ],
  [
    'the only proxy is scaled',
    withFault({ ...SCALE, targets: ['proxy'], params: { replicas: 1 } }),
    /takes one service, not proxy/,
  ],
  ['a million replicas', withFault(SCALE), /fault 1 \(scale\) needs params\.replicas from 1 to 20/],
  [
    'a tight loop',
    withFault({ kind: 'flap', params: { everyMs: 0 } }),
    /needs a params\.everyMs of at least 200/,
  ],
  [
    'two faults on one replica',
    formatPlan({ ...PLAN, faults: TWICE }),
    /faults 1 \(kill\) and 2 \(pause\) hold server-p1-1 at the same time/,
  ],
  [
    'a service that is scaled while one of its replicas is dead',
    formatPlan({ ...PLAN, faults: [{ ...KILL, ...SCALE, id: 2, params: { replicas: 3 } }, KILL] }),
    /faults 2 \(scale\) and 1 \(kill\) hold server-p1 at the same time/,
  ],
  [
    'a replica that dies while its service is scaled',
    formatPlan({
      ...PLAN,
      faults: [KILL, { ...KILL, ...SCALE, id: 2, atMs: 21_000, params: { replicas: 3 } }],
    }),
    /faults 1 \(kill\) and 2 \(scale\) hold server-p1-1 at the same time/,
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

function withFault(change: Partial<PlannedFault>): string {
  return formatPlan({ ...PLAN, faults: [{ ...KILL, ...change }] });
}

test('a plan without services is for those of docker-compose.yml', async () => {
  const { services, ...old } = { ...PLAN, services: undefined };
  assert.equal(services, undefined);
  const names = (await reading(JSON.stringify({ ...old, faults: [] }))).services;
  assert.deepEqual(names, { 'server-p1': '1', 'server-p2': '2', 'server-p3': '3' });
});

const CLUSTER: ServerService[] = [
  { name: 'server-p1', policy: '1', replicas: 2 },
  { name: 'server-gold', policy: '4', replicas: 2 },
];

test('plans are drawn over the services that the cluster has', async () => {
  const [plan] = await plansOf(parseChaosCommand(['--scenario', 'kill', '--policy', '4'], {}), CLUSTER);
  assert.deepEqual(plan?.policies, ['1', '4']);
  assert.deepEqual(plan?.services, { 'server-p1': '1', 'server-gold': '4' });
  const targets = new Set(plan?.faults.flatMap((fault) => fault.targets));
  assert.deepEqual([...targets].toSorted(), ['server-gold-1', 'server-gold-2']);
});

test('what the cluster has not got is refused', async () => {
  await assert.rejects(
    plansOf(parseChaosCommand(['--policy', '2'], {}), CLUSTER),
    (error: unknown) =>
      error instanceof UsageError && error.message === '--policy is "2": the cluster has the policies 1, 4.',
  );
  const folder = await mkdtemp(join(tmpdir(), 'plan-'));
  const file = join(folder, 'plan.json');
  await writeFile(file, formatPlan(PLAN));
  await assert.rejects(plansOf(parseChaosCommand(['--replay', file], {}), CLUSTER), {
    name: 'UsageError',
    message: /for a cluster with the service server-p2 for policy 2/,
  });
  await rm(folder, { recursive: true });
});

test('a swap needs a second policy', async () => {
  const [one] = CLUSTER as [ServerService];
  await assert.rejects(plansOf(parseChaosCommand(['--scenario', 'swap'], {}), [one]), {
    name: 'UsageError',
    message: /no policy but 1/,
  });
});
