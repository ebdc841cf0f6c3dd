// `npm run chaos` as people call it, against a cluster of its own: a sound proxy passes, a broken one fails, and whatever
// ends the orchestrator leaves a cluster that the next start heals.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BREAKAGES, breakProxy } from '../../test-support/broken-proxies.ts';
import { networksOf } from '../../test-support/containers.ts';
import { freePortBelowEphemeral } from '../../test-support/peers.ts';
import { type Program, startProgram } from '../../test-support/programs.ts';
import type { Journal } from '../chaos/journal.ts';
import { formatPlan, type Plan, type PlannedFault } from '../chaos/plan.ts';
import { makePlan } from '../chaos/plans.ts';
import { scenarioOf } from '../chaos/scenarios/index.ts';
import { takeDown } from '../cluster/cluster.ts';
import { DockerCluster } from '../cluster/docker.ts';
import { countInRotation, fetchPolicies } from '../kit/policies.ts';

const PROJECT = 'policy-proxy-chaos-test';
const RUN_MS = 90_000;
const TRIES = 3;
const EXIT_UNKNOWN = 3;
const environment: Record<string, string> = {
  COMPOSE_PROJECT_NAME: PROJECT,
  SERVERS_PER_POLICY: '2',
  // No fault stops a proxy here, but whoever puts another one in its place or takes the cluster down waits for that.
  PROXY_LAME_DUCK: '0',
};
const cluster = new DockerCluster(PROJECT);
let folder = '';
let plans = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chaos-test-'));
  environment.PROXY_PUBLISH_PORT = String(await freePortBelowEphemeral());
  environment.PROXY_PUBLISH_ADMIN_PORT = String(await freePortBelowEphemeral());
  await takeDown({ project: PROJECT, env: environment });
});

after(async () => {
  await takeDown({ project: PROJECT, env: environment });
  assert.deepEqual(await cluster.replicas(), [], 'no container is left');
  assert.deepEqual(await networksOf(PROJECT), [], 'no network is left');
  await rm(folder, { recursive: true, force: true });
});

type Phases = Plan['phases'];
type Faults = readonly Omit<PlannedFault, 'id'>[];

/** Enough for a sound proxy to pass. */
const WHOLE: Phases = { warmUpMs: 1_500, controlMs: 2_000, faultsMs: 5_500, quietMs: 3_500, afterMs: 1_500 };
/** Enough to see that something is wrong, or that the cluster works. */
const BRIEF: Phases = { warmUpMs: 500, controlMs: 1_000, faultsMs: 0, quietMs: 0, afterMs: 1_000 };

/** Writes a plan of one of the scenarios, with faults and phases of its own. */
async function shortPlan(scenario: string, phases: Phases, faults: Faults): Promise<string> {
  const wishes = {
    seed: 1,
    rate: 300,
    services: { 'server-p1': '1', 'server-p2': '2', 'server-p3': '3' },
    serversPerPolicy: 2,
    faultsMs: null,
    onlyPolicy: null,
  };
  const plan: Plan = {
    ...makePlan(scenarioOf({ scenario }), wishes),
    phases,
    faults: faults.map((fault, index) => ({ id: index + 1, ...fault })),
  };
  const file = join(folder, `${scenario}-${plans}.json`);
  plans += 1;
  await writeFile(file, formatPlan(plan));
  return file;
}

/**
 * Freezes one server of each policy: then no policy is left whose latency would be compared on a machine that is busy with
 * tests.
 */
function frozen(phases: Phases, forMs: number): Promise<string> {
  const atMs = phases.warmUpMs + phases.controlMs + 100;
  const faults = ['server-p1-1', 'server-p2-1', 'server-p3-1'].map((server) => {
    return { kind: 'pause', targets: [server], atMs, forMs, params: {} } as const;
  });
  return shortPlan('pause', phases, faults);
}

const unharmed = (): Promise<string> => shortPlan('control', BRIEF, []);
const frozenFor = (forMs: number) => () => frozen({ ...BRIEF, faultsMs: forMs + 500, afterMs: 0 }, forMs);

/** In which plan, and by which criterion, each broken proxy has to be found, whatever else it fails. */
const FOUND_BY: Readonly<Record<string, [plan: () => Promise<string>, criterion: string]>> = {
  // For longer than it may go unnoticed, by more than a busy machine explains.
  'health checks off': [frozenFor(4_500), 'detection of pause'],
  'sticky pick': [unharmed, 'back in rotation'],
  'swapped answers': [unharmed, 'no wrong answer'],
  // Until what the frozen servers were sent has failed.
  'no retry': [frozenFor(3_000), 'errors'],
};

function chaos(args: string[], more: Record<string, string> = {}): Program {
  return startProgram('scripts/chaos.ts', args, { environment: { ...environment, HOME: '/root', ...more } });
}

async function judged(report: string): Promise<Journal> {
  return JSON.parse(await readFile(join(report, 'journal.json'), 'utf8')) as Journal;
}

function findings({ judgement }: Journal): string {
  return judgement.findings
    .map(({ criterion, verdict, measured }) => `${verdict} ${criterion}: ${measured}`)
    .join('\n');
}

/** Runs until the verdict is not unknown, as it is on a machine that is too slow. */
async function decided(args: string[], report: string, more: Record<string, string> = {}): Promise<Program> {
  for (let left = TRIES; ; left -= 1) {
    await rm(report, { recursive: true, force: true });
    const program = chaos([...args, '--report', report], more);
    const code = await program.exited(RUN_MS);
    if (code !== EXIT_UNKNOWN || left === 1) return program;
  }
}

test('a sound proxy never fails, and the cluster is gone again afterwards', async () => {
  const report = join(folder, 'sound');
  const program = await decided(['--replay', await frozen(WHOLE, 4_500)], report);
  const last = program.stdout().trim().split('\n').at(-1) ?? '';
  const journal = await judged(report);
  const { verdict } = journal.judgement;
  assert.match(last, new RegExp(`${verdict}.*report\\.html`));
  assert.equal(await program.exited(), verdict === 'pass' ? 0 : EXIT_UNKNOWN, program.stderr());
  assert.notEqual(verdict, 'fail', findings(journal));
  assert.ok(journal.judgement.findings.length >= 10);
  assert.ok(journal.recording.machine.length > 0, 'the machine was watched');
  assert.deepEqual(await cluster.replicas(), [], 'as it was found: not there');
});

describe('broken proxies', () => {
  // One cluster, in which only the proxy is another one each time.
  after(() => takeDown({ project: PROJECT, env: environment }));

  for (const breakage of BREAKAGES) {
    test(`a proxy with ${breakage.name} fails`, async () => {
      const [plan, criterion] = FOUND_BY[breakage.name] ?? assert.fail('in no plan');
      const broken = await breakProxy(breakage);
      try {
        const report = join(folder, breakage.name);
        const args = ['--replay', await plan(), '--keep'];
        const program = await decided(args, report, { COMPOSE_FILE: broken.composeFile });
        assert.equal(await program.exited(), 1, `${program.stdout()}${program.stderr()}`);
        const journal = await judged(report);
        assert.equal(journal.judgement.verdict, 'fail');
        const failed = journal.judgement.findings.filter(({ verdict }) => verdict === 'fail');
        const names = failed.map((finding) => finding.criterion);
        assert.ok(names.includes(criterion), names.join(', '));
      } finally {
        await broken.remove();
      }
    });
  }
});

test('killed with SIGKILL while a server is frozen: the next start heals', async () => {
  const first = chaos(['--replay', await frozenFor(4_500)(), '--report', join(folder, 'killed')]);
  await first.printed(/pause server-p1-1/, RUN_MS);
  await untilState('server-p1-1', 'paused');
  first.child.kill('SIGKILL');
  await first.exited(RUN_MS);
  assert.equal((await cluster.find('server-p1-1')).state, 'paused');
  const second = chaos(['--replay', await unharmed(), '--report', join(folder, 'healed')]);
  assert.notEqual(await second.exited(RUN_MS), 1, `${second.stdout()}${second.stderr()}`);
  assert.match(second.stdout(), /a chaos run was killed .*pause.*all 7 replicas are whole again/);
  assert.match(second.stdout(), /no request lost/, 'the second run was made and judged');
  assert.deepEqual(await cluster.replicas(), [], 'the first run had found nothing, and so it is left');
});

test('Ctrl-C heals, reports what was measured as unknown, exits with 130, and leaves a cluster that serves', async () => {
  const report = join(folder, 'interrupted');
  const program = chaos(['--replay', await frozenFor(4_500)(), '--report', report, '--keep']);
  await program.printed(/pause server-p1-1/, RUN_MS);
  await untilState('server-p1-1', 'paused');
  program.child.kill('SIGINT');
  assert.equal(await program.exited(RUN_MS), 130, program.stderr());
  assert.equal((await judged(report)).judgement.verdict, 'unknown');
  assert.match(program.stdout(), /unknown.*report\.html/);
  const table = await fetchPolicies(`http://127.0.0.1:${environment.PROXY_PUBLISH_ADMIN_PORT}`);
  assert.equal(countInRotation(table), 6, 'what was frozen is back');
  const states = (await cluster.replicas()).map(({ name, state }) => `${name} ${state}`);
  assert.equal(states.length, 7, 'it was to be kept');
  assert.ok(
    states.every((state) => state.endsWith(' running')),
    states.join(', '),
  );
});

async function untilState(name: string, state: string): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while ((await cluster.find(name)).state !== state) {
    assert.ok(performance.now() < deadlineMs, `${name} is not ${state}`);
  }
}
