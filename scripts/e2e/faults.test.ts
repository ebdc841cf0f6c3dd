// Every fault against a real engine, in a project of its own: it happens, it is seen to have happened, it is healed, and
// nothing of it is left. One cluster for all tests; each test leaves it whole.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { cutOff } from '../../test-support/containers.ts';
import { startProgram } from '../../test-support/programs.ts';
import { testCluster } from '../../test-support/test-cluster.ts';
import type { ArmedFault, FaultContext } from '../chaos/faults/fault.ts';
import { FAULTS } from '../chaos/faults/index.ts';
import type { FaultKind } from '../chaos/plan.ts';
import { bringUp } from '../cluster/cluster.ts';
import { DockerCluster } from '../cluster/docker.ts';
import { healCluster, healLeftovers } from '../cluster/heal.ts';
import { isFaulty, readFaults, setFaults } from '../cluster/server-faults.ts';
import { openUndo, readUndo } from '../cluster/undo.ts';
import { run } from '../kit/command.ts';
import { waitForServers } from '../kit/policies.ts';
import { ROOT } from '../kit/project.ts';

const PROJECT = 'policy-proxy-faults-test';
const SERVERS = 6;
const own = await testCluster(PROJECT, { FAULTS: '1' });
const { env, adminUrl, proxyAddress, containers: cluster } = own;

before(async () => {
  await bringUp(own);
  await whole();
});

after(() => own.remove());

async function whole(): Promise<void> {
  await waitForServers({ adminUrl, count: SERVERS, timeoutMs: 20_000 });
}

type SeenHit = { target: string; fromMs: number; healMs: number | null; healedMs: number | null };
type Armed = { fault: ArmedFault; hits: SeenHit[]; end: AbortController };

/** Arms a fault, and writes down whom it hits. */
function arm(kind: FaultKind, targets: string[], params: Record<string, number> = {}): Armed {
  const hits: SeenHit[] = [];
  const end = new AbortController();
  const context: FaultContext = {
    fault: { id: 1, kind, targets, params, atMs: 0, forMs: 0 },
    cluster,
    signal: end.signal,
    hit({ name }) {
      const hit: SeenHit = { target: name, fromMs: performance.now(), healMs: null, healedMs: null };
      hits.push(hit);
      return {
        struck: () => {},
        healing: () => {
          hit.healMs ??= performance.now();
        },
        healed: () => {
          hit.healedMs ??= performance.now();
        },
      };
    },
  };
  return { fault: FAULTS[kind](context), hits, end };
}

async function assertNothingLeft(): Promise<void> {
  assert.deepEqual(await healCluster(cluster), []);
}

function assertHealed(hits: SeenHit[]): void {
  for (const hit of hits) assert.ok(hit.healedMs !== null && hit.healedMs > hit.fromMs, JSON.stringify(hit));
}

/** Which servers the proxy finds under a service's name. */
async function namesOf(service: string): Promise<string[]> {
  const script = `require('dns').promises.resolve4('${service}').then((all) => console.log(all.sort().join()))`;
  const found = await run('docker', ['exec', `${PROJECT}-proxy-1`, 'node', '-e', script], {
    timeoutMs: 10_000,
    failure: { what: 'The look-up failed', next: 'Look at its output.' },
  });
  return found.trim().split(',');
}

type Case = { kind: FaultKind; targets: string[]; params?: Record<string, number>; evidence: RegExp };

const P1 = ['server-p1-1', 'server-p1-2'];
const CASES: Case[] = [
  { kind: 'kill', targets: P1, evidence: /^server-p1-1 has ended with 137; server-p1-2 has ended with 137$/ },
  { kind: 'stop', targets: ['server-p2-1'], evidence: /^server-p2-1 has ended with 0$/ },
  { kind: 'restart', targets: ['server-p3-1'], evidence: /^server-p3-1 started at 20/ },
  { kind: 'pause', targets: P1, evidence: /^server-p1-1 is paused; server-p1-2 is paused$/ },
  { kind: 'slow', targets: ['server-p2-2'], params: { delayMs: 150 }, evidence: /says delayMs 150$/ },
  { kind: 'lie', targets: ['server-p3-2'], params: { probability: 0.5 }, evidence: /lieProbability 0.5$/ },
  { kind: 'mute', targets: ['server-p1-1'], evidence: /isMute true$/ },
  { kind: 'garble', targets: ['server-p2-1'], evidence: /garbleProbability 1$/ },
  { kind: 'proxy-kill', targets: ['proxy-1'], evidence: /^proxy-1 has ended with 137$/ },
  { kind: 'proxy-stop', targets: ['proxy-1'], evidence: /^proxy-1 has ended with 0$/ },
  {
    kind: 'swap',
    targets: ['server-p3-1', 'server-p1-2'],
    evidence: /^server-p3-1 (\S+) → (\S+); server-p1-2 \2 → \1$/,
  },
];

for (const { kind, targets, params, evidence } of CASES) {
  test(`${kind} of ${targets.join(' and ')} is proven, healed twice, and leaves nothing`, async () => {
    // A process that has just been started is deaf to SIGTERM, and one that is not up has no address.
    await whole();
    const { fault, hits } = arm(kind, targets, params);
    try {
      await fault.inject();
      const proof = await fault.prove();
      assert.match(proof.evidence, evidence);
      assert.ok(proof.isProven, proof.evidence);
    } finally {
      await fault.heal();
      await fault.heal();
    }
    assert.deepEqual(
      hits.map(({ target }) => target),
      targets,
    );
    assertHealed(hits);
    await assertNothingLeft();
  });
}

test('partition: it is not found under its name, and afterwards it is again', async () => {
  const before = await namesOf('server-p2');
  const { fault, hits } = arm('partition', ['server-p2-1']);
  const aliases = await cluster.aliasesOf(await cluster.find('server-p2-1'));
  await fault.inject();
  assert.deepEqual(await fault.prove(), { isProven: true, evidence: 'server-p2-1 is on no network' });
  assert.equal((await namesOf('server-p2')).length, 1);
  await fault.heal();
  await fault.heal();
  assert.deepEqual(await cluster.aliasesOf(await cluster.find('server-p2-1')), aliases);
  assert.deepEqual(await namesOf('server-p2'), before);
  assertHealed(hits);
  await assertNothingLeft();
});

test('flap: one hit per pause until it is healed', async () => {
  const { fault, hits } = arm('flap', ['server-p1-1'], { onMs: 100, everyMs: 300 });
  await fault.inject();
  assert.equal(hits.length, 1);
  const second = 3;
  const deadlineMs = performance.now() + 20_000;
  while (hits.length < second) {
    assert.ok(performance.now() < deadlineMs, 'it does not go on');
    await cluster.replicas();
  }
  const proof = await fault.prove();
  assert.ok(proof.isProven || /in 2 of 3/.test(proof.evidence), proof.evidence);
  await fault.heal();
  await fault.heal();
  assertHealed(hits);
  assert.equal((await cluster.find('server-p1-1')).state, 'running');
  await assertNothingLeft();
});

test('flap: when the run is ended it resumes the replica by itself', async () => {
  const { fault, hits, end } = arm('flap', ['server-p1-1'], { onMs: 60_000, everyMs: 90_000 });
  await fault.inject();
  end.abort();
  await cluster.waitUntil(
    await cluster.find('server-p1-1'),
    'is still frozen',
    ({ State }) => !State.Paused,
    { withinMs: 20_000 },
  );
  await fault.heal();
  assertHealed(hits);
});

test('burn: under load the quota holds it back', async () => {
  await whole();
  const flags = ['--rate', '150', '--duration', '4', '--proxy', proxyAddress];
  const load = startProgram('scripts/load.ts', flags);
  const { fault, hits } = arm('burn', ['server-p1-1'], { burnMs: 5, cpuPercent: 5 });
  try {
    await fault.inject();
    const proof = await fault.prove();
    assert.ok(proof.isProven, proof.evidence);
  } finally {
    await fault.heal();
    await fault.heal();
    await load.stop();
  }
  assertHealed(hits);
  await assertNothingLeft();
});

test('exit: the restart policy brings it back, and it crashes again', async () => {
  const { fault, hits } = arm('exit', ['server-p3-1'], { times: 2 });
  await fault.inject();
  const proof = await fault.prove();
  assert.ok(proof.isProven, proof.evidence);
  const deadlineMs = performance.now() + 20_000;
  while (hits.length < 2 || hits.at(-1)?.healedMs === null) {
    assert.ok(performance.now() < deadlineMs, JSON.stringify(hits));
    await cluster.replicas();
  }
  await fault.heal();
  await fault.heal();
  assert.equal(hits.length, 2);
  assertHealed(hits);
  await assertNothingLeft();
});

test('exit: healed in the middle of a crash', async () => {
  const { fault, hits } = arm('exit', ['server-p3-1'], { times: 9 });
  await fault.inject();
  await fault.heal();
  assert.equal(hits.length, 1);
  assertHealed(hits);
  await assertNothingLeft();
});

test('scale: up and back, and only that service', async () => {
  const { containerId } = await cluster.find('server-p1-1');
  const { fault, hits } = arm('scale', ['server-p1'], { replicas: 3 });
  const dead = await cluster.find('server-p2-1');
  await cluster.kill(dead);
  await fault.inject();
  const proof = await fault.prove();
  assert.ok(proof.isProven, proof.evidence);
  assert.equal((await cluster.find('server-p2-1')).state, 'exited', 'Compose has not healed it');
  await cluster.start(dead);
  await fault.heal();
  await fault.heal();
  assert.equal((await cluster.replicas()).length, SERVERS + 1);
  assert.equal((await cluster.find('server-p1-1')).containerId, containerId);
  assert.deepEqual(hits, []);
  await assertNothingLeft();
});

test('a fault that fails half-way is healed where it has hit', async () => {
  const [first, second] = [await cluster.find('server-p2-1'), await cluster.find('server-p2-2')];
  await cluster.kill(second);
  const { fault, hits } = arm('pause', [first.name, second.name]);
  await assert.rejects(() => fault.inject(), /^EngineError: server-p2-2 could not be paused: .*not running/);
  assert.equal((await cluster.find(first.name)).state, 'paused');
  await fault.heal();
  assert.equal((await cluster.find(first.name)).state, 'running');
  assertHealed(hits);
  await assertNothingLeft();
  assert.equal((await cluster.find(second.name)).state, 'running');
});

test('when one target is not there, none is hit', async () => {
  const { fault, hits } = arm('kill', ['server-p1-1', 'server-p9-1']);
  await assert.rejects(() => fault.inject(), /There is no server-p9-1/);
  assert.deepEqual(hits, []);
  await fault.heal();
  await assertNothingLeft();
});

test('everything at once is healed, twice', async () => {
  const [p1, p2, p3] = [
    await cluster.find('server-p1-1'),
    await cluster.find('server-p2-1'),
    await cluster.find('server-p3-1'),
  ];
  await cluster.waitUntilChecked(p1);
  const before = await cluster.aliasesOf(p1);
  await setFaults(p3, { isMute: true, delayMs: 30 });
  await cluster.limitCpu(p1, 5);
  await cutOff(cluster, p1);
  await cluster.pause(p1);
  await cutOff(cluster, p2);
  await cluster.kill(p2);
  await cluster.kill(await cluster.find('proxy-1'));
  // As a new process would: it remembers nothing.
  assert.deepEqual(await healCluster(new DockerCluster(PROJECT)), []);
  await assertNothingLeft();
  assert.deepEqual(await cluster.aliasesOf(p1), before);
  assert.equal(isFaulty(await readFaults(await cluster.find('server-p3-1'))), false);
  assert.equal((await namesOf('server-p2')).length, 2);
});

test('a replica that is started while cut off gets its names back too', async () => {
  const replica = await cluster.find('server-p2-2');
  await cutOff(cluster, replica);
  await cluster.kill(replica);
  await cluster.start(replica);
  await assertNothingLeft();
  assert.equal((await namesOf('server-p2')).length, 2);
});

test('calls are judged by what they were to reach', async () => {
  const replica = await cluster.find('server-p1-2');
  await cluster.unpause(replica);
  await cluster.start(replica);
  await cluster.attach(replica);
  await cluster.waitUntilChecked(replica);
  await cluster.pause(replica);
  await cluster.pause(replica);
  await cluster.kill(replica);
  await cluster.kill(replica);
  await cluster.stop(replica, 1);
  await assert.rejects(() => cluster.pause(replica), /^EngineError: server-p1-2 could not be paused/);
  await cutOff(cluster, replica);
  await cutOff(cluster, replica);
  await assertNothingLeft();
});

test('what a killed run has left is healed by the next; a living one is left alone', async () => {
  const script = `
    import { DockerCluster } from './scripts/cluster/docker.ts';
    import { openUndo } from './scripts/cluster/undo.ts';
    const settings = ${JSON.stringify(env)};
    const cluster = new DockerCluster('${PROJECT}', settings);
    const replica = await cluster.find('server-p1-1');
    await cluster.waitUntilChecked(replica);
    const undo = openUndo('${PROJECT}', { services: { 'server-p2': 2 }, states: {}, settings });
    const fault = { id: 1, kind: 'partition', targets: [replica.name], atMs: 0, forMs: 9, params: {} };
    undo.note(fault, { [replica.name]: await cluster.aliasesOf(replica) });
    undo.note({ ...fault, id: 2, kind: 'scale', targets: ['server-p2'], params: { replicas: 3 } });
    await cluster.scale('server-p2', 3);
    await cluster.detach(replica, await cluster.aliasesOf(replica));
    await cluster.pause(replica);
    console.log('ready');
    setInterval(() => {}, 1000);`;
  const options = ['--input-type=module', '--eval', script];
  const owner = spawn(process.execPath, options, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(owner, 'exit');
  await Promise.race([once(owner.stdout, 'data'), exited]);
  await assert.rejects(
    () => healLeftovers(PROJECT),
    /A chaos run on policy-proxy-faults-test is under way \(pid \d+\)/,
  );
  assert.throws(() => openUndo(PROJECT, null), /is under way/);
  owner.kill('SIGKILL');
  await exited;
  assert.throws(() => openUndo(PROJECT, null), /has not been healed/);
  assert.match(
    (await healLeftovers(PROJECT)) ?? '',
    /it had injected: partition, scale\): all 7 replicas are whole/,
  );
  assert.equal(readUndo(PROJECT), null);
  assert.equal(await healLeftovers(PROJECT), null);
  await whole();
});
