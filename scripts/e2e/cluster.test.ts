// The whole cluster in real containers, under load, while its parts are killed, frozen, restarted and scaled.
// How soon is for the chaos scenarios to say: here only the order of events counts.
// One cluster for all tests, in a project and on ports of its own; each test leaves it whole.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { exitCodeOf } from '../../test-support/containers.ts';
import { type EventWatch, watchEvents } from '../../test-support/event-stream.ts';
import { startProgram } from '../../test-support/programs.ts';
import {
  assertNothingLost,
  type RunningLoad,
  succeeds,
  testCluster,
} from '../../test-support/test-cluster.ts';
import { bringUp } from '../cluster/cluster.ts';
import type { Replica } from '../cluster/docker.ts';
import { attempt, run } from '../kit/command.ts';
import { waitForServers } from '../kit/policies.ts';
import { ROOT } from '../kit/project.ts';

const SERVICES = ['server-p1', 'server-p2', 'server-p3'];
const SERVERS = 6;
// What Compose waits as well before it kills.
const GRACE_S = 12;
const cluster = await testCluster('policy-proxy-e2e');
const { containers, load, underLoad, command } = cluster;
let events: EventWatch;

before(async () => {
  await bringUp(cluster);
  await whole();
  events = await watchEvents(cluster.adminUrl);
});

after(async () => {
  events?.close();
  await cluster.remove();
});

/** Waits until `count` servers are in rotation. */
async function whole(count = SERVERS): Promise<void> {
  await waitForServers({ adminUrl: cluster.adminUrl, count, timeoutMs: 30_000 });
}

/** Ends a load that must have lost nothing. */
async function endLossless(running: RunningLoad): Promise<void> {
  running.stop();
  assertNothingLost(await running.result(), events.events);
}

async function compose(...args: string[]): Promise<string> {
  return await run('docker', ['compose', '--project-name', cluster.project, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...cluster.env },
    timeoutMs: 60_000,
    failure: { what: `docker compose ${args.join(' ')} failed`, next: 'Look at its output.' },
  });
}

async function docker(...args: string[]): Promise<string> {
  const result = await attempt('docker', args, { timeoutMs: 20_000 });
  assert.ok(result.isOk, result.tail);
  return result.tail;
}

/** Waits until a container has logged it. */
async function logged(container: string, pattern: RegExp): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!pattern.test(await docker('logs', container))) {
    assert.ok(performance.now() < deadlineMs, `${container} has not logged ${pattern}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function oneOfEach(): Promise<Replica[]> {
  const found = await Promise.all(SERVICES.map((service) => containers.replicas(service)));
  return found.map(([first]) => first as Replica);
}

for (const policy of [1, 2, 3]) {
  test(`the sample packet of policy ${policy} is answered`, async () => {
    const client = startProgram('services/client/main.ts', [
      `client_packet_${policy}.json`,
      '--proxy',
      cluster.proxyAddress,
    ]);
    assert.equal(await client.exited(), 0, client.stderr());
    assert.match(client.stdout(), /Transmission successfully received by server/);
  });
}

test('a server without the secret of the cluster does not get in', async () => {
  const before = (await cluster.rows()).length;
  const name = `${cluster.project}-stranger`;
  const withoutIt = ['--env', 'SERVER_REGISTER_TOKEN_FILE='];
  await compose('run', '--detach', '--no-deps', '--name', name, ...withoutIt, 'server-p1');
  try {
    await logged(name, /refuses this server.*asks for a token/);
    assert.equal((await cluster.rows()).length, before);
    const response = await fetch(`${cluster.adminUrl}/api/policies`);
    const { proxy } = (await response.json()) as { proxy: { refusals: Record<string, number> } };
    assert.ok((proxy.refusals.REGISTRATION_REFUSED ?? 0) >= 1);
  } finally {
    await docker('rm', '--force', name);
  }
});

test('the client runs in a container too', async () => {
  const output = await compose('run', '--rm', 'client', 'client_packet_2.json');
  assert.match(output, /Transmission successfully received by server/);
});

test('no container runs as root, with capabilities, or on a writable file system', async () => {
  for (const replica of await containers.replicas()) {
    const { HostConfig, Config } = await containers.inspect(replica);
    assert.deepEqual([HostConfig.ReadonlyRootfs, HostConfig.CapDrop], [true, ['ALL']]);
    assert.notEqual(Config.User, '');
  }
});

test('a connection per request works as well', async () => {
  assertNothingLost(
    await load(3, { rate: 120, args: ['--connection', 'per-request'] }).result(),
    events.events,
  );
});

test('an idle cluster keeps strict order: max − min ≤ 1 over 1,000 requests', async () => {
  const before = await cluster.rows();
  const result = await load(2, { rate: 500, args: ['--connections', '1'] }).result();
  assertNothingLost(result, events.events);
  const now = await cluster.rows();
  for (const policy of ['1', '2', '3']) {
    const shares = now
      .filter((row) => row.policy === policy)
      .map((row) => row.served - (before.find(({ id }) => id === row.id)?.served ?? 0));
    assert.equal(shares.length, 2);
    assert.ok(Math.max(...shares) - Math.min(...shares) <= 1, `policy ${policy}: ${shares}`);
  }
});

test('one server of each policy is killed under load: nothing is lost, each is evicted, and comes back', async () => {
  const running = load();
  await underLoad();
  const victims = await oneOfEach();
  const killedMs = Date.now();
  await Promise.all(victims.map((victim) => containers.kill(victim)));
  for (const { serverId } of victims) await events.next(['evicted'], serverId, killedMs);
  await endLossless(running);
  await Promise.all(victims.map((victim) => containers.start(victim)));
  await whole();
});

test('one server of each policy is frozen under load: each is evicted, nothing is lost, and comes back', async () => {
  const victims = await oneOfEach();
  await Promise.all(victims.map((victim) => containers.waitUntilChecked(victim)));
  const running = load();
  await underLoad();
  const pausedMs = Date.now();
  await Promise.all(victims.map((victim) => containers.pause(victim)));
  try {
    for (const { serverId } of victims) await events.next(['evicted'], serverId, pausedMs);
  } finally {
    await Promise.all(victims.map((victim) => containers.unpause(victim)));
  }
  await whole();
  await endLossless(running);
});

test('a server that is frozen without any traffic is evicted', async () => {
  const victim = await containers.find('server-p2-1');
  const { serverId } = victim;
  await containers.waitUntilChecked(victim);
  const pausedMs = Date.now();
  await containers.pause(victim);
  try {
    await events.next(['evicted'], serverId, pausedMs);
  } finally {
    await containers.unpause(victim);
  }
  await whole();
});

test('a rolling restart of every server under load loses nothing', async () => {
  const replicas = (await Promise.all(SERVICES.map((service) => containers.replicas(service)))).flat();
  const running = load();
  await underLoad();
  for (const replica of replicas) {
    const restartedMs = Date.now();
    await containers.restart(replica, GRACE_S);
    await events.next(['admitted'], replica.serverId, restartedMs);
  }
  await endLossless(running);
  await whole();
});

test('a server that is stopped leaves on purpose, and exits with 0', async () => {
  const running = load();
  await underLoad();
  const victim = await containers.find('server-p3-1');
  const { serverId } = victim;
  const stoppedMs = Date.now();
  await containers.stop(victim, GRACE_S);
  await events.next(['left'], serverId, stoppedMs);
  assert.equal(await exitCodeOf(containers, victim), 0);
  await containers.start(victim);
  await endLossless(running);
  await whole();
});

test('scaling up and down under load: the new server serves, and nothing is lost', async () => {
  const running = load();
  await underLoad();
  await containers.scale('server-p1', 3);
  await whole(SERVERS + 1);
  const third = await containers.find('server-p1-3');
  const isServing = async (): Promise<boolean> =>
    (await cluster.rows()).some(({ id, served: count }) => id === third.serverId && count > 0);
  const deadlineMs = performance.now() + 20_000;
  while (!(await isServing())) assert.ok(performance.now() < deadlineMs, 'the third server gets no request');
  await containers.scale('server-p1', 2);
  await endLossless(running);
  assert.equal((await cluster.rows()).length, SERVERS);
});

for (const how of ['kill', 'stop'] as const) {
  test(`the proxy is brought down (${how}) and started again: the table becomes whole by itself`, async () => {
    const proxy = await containers.find('proxy-1');
    events.close();
    if (how === 'kill') await containers.kill(proxy);
    else await containers.stop(proxy, GRACE_S);
    assert.equal(await exitCodeOf(containers, proxy), how === 'kill' ? 137 : 0);
    await containers.start(proxy);
    await whole();
    events = await watchEvents(cluster.adminUrl);
  });
}

test('the proxy is stopped under load: whoever was connected is answered, and it exits with 0', async () => {
  const proxy = await containers.find('proxy-1');
  // Straight to the container: Docker's own forwarder of published ports would accept for a proxy that has gone.
  const running = load(3, { args: ['--proxy', `${proxy.address}:10000`, '--timeout', '2000'] });
  await underLoad();
  events.close();
  await containers.stop(proxy, GRACE_S);
  assert.equal(await exitCodeOf(containers, proxy), 0);
  const { wrong, errors, lostBy } = await running.result();
  // After it has stopped there is nobody to connect to; whoever was connected before may not be left without a reply.
  const { refused = 0, unreachable = 0, 'connect-timeout': silence = 0, ...lostWhileStopping } = lostBy;
  assert.deepEqual([wrong, lostWhileStopping], [0, {}], JSON.stringify({ errors, lostBy }));
  assert.ok(refused + unreachable + silence > 0, 'the load outlasted the proxy');
  await containers.start(proxy);
  await whole();
  events = await watchEvents(cluster.adminUrl);
});

test('upgraded under load, interrupted and continued: every container is replaced, and nothing is lost', async () => {
  const idsOf = async (): Promise<string[]> =>
    (await containers.replicas()).map(({ containerId }) => containerId);
  const before = await idsOf();
  const settings = { PROXY_LOG_LEVEL: 'debug', SERVER_LOG_LEVEL: 'debug' };
  const running = load(120, { rate: 200, args: ['--retry-for', '20000', '--attempt-timeout', '2000'] });
  await underLoad();
  events.close();
  const first = command('scripts/upgrade.ts', settings);
  await first.printed(/waiting until 2 are ready/, 60_000);
  first.child.kill('SIGINT');
  assert.equal(await first.exited(), 130, first.stderr());
  const said = await succeeds(command('scripts/upgrade.ts', settings));
  assert.match(said, /proxy: replaced/);
  await endLossless(running);
  const now = await idsOf();
  assert.deepEqual([now.length, now.filter((id) => before.includes(id))], [SERVERS + 1, []]);
  assert.match(await succeeds(command('scripts/upgrade.ts', settings)), /server-p3.*up to date/);
  assert.deepEqual(await idsOf(), now);
});
