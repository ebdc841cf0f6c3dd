// The whole cluster in real containers, under load, while its parts are killed, frozen, restarted and scaled.
// How soon is for the chaos scenarios to say: here only the order of events counts.
// One cluster for all tests, in a project and on ports of its own; each test leaves it whole.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { exitCodeOf, networksOf } from '../../test-support/containers.ts';
import { type EventWatch, watchEvents } from '../../test-support/event-stream.ts';
import { freePortBelowEphemeral } from '../../test-support/peers.ts';
import { type Program, startProgram } from '../../test-support/programs.ts';
import { bringUp, type Cluster, takeDown } from '../cluster/cluster.ts';
import { DockerCluster, type Replica } from '../cluster/docker.ts';
import { attempt, run } from '../kit/command.ts';
import { fetchPolicies, type ServerRow, waitForServers } from '../kit/policies.ts';
import { CACHE, ROOT } from '../kit/project.ts';
import type { LoadResult } from '../load/result.ts';

const PROJECT = 'policy-proxy-e2e';
const SERVICES = ['server-p1', 'server-p2', 'server-p3'];
const SERVERS = 6;
const env: Record<string, string> = { SERVERS_PER_POLICY: '2' };
const cluster: Cluster = { project: PROJECT, env };
const containers = new DockerCluster(PROJECT, env);
// What Compose waits as well before it kills.
const GRACE_S = 12;
let adminUrl = '';
let proxyAddress = '';
let events: EventWatch;

before(async () => {
  await takeDown(cluster);
  const [port, adminPort] = [await freePortBelowEphemeral(), await freePortBelowEphemeral()];
  proxyAddress = `127.0.0.1:${port}`;
  // On one address of this machine only.
  Object.assign(env, { PROXY_PUBLISH_PORT: proxyAddress, PROXY_PUBLISH_ADMIN_PORT: String(adminPort) });
  adminUrl = `http://127.0.0.1:${adminPort}`;
  await bringUp(cluster);
  await whole();
  events = await watchEvents(adminUrl);
});

after(async () => {
  events?.close();
  await takeDown(cluster);
  assert.deepEqual(await containers.replicas(), [], 'no container is left');
  assert.deepEqual(await networksOf(PROJECT), [], 'no network is left');
});

/** Waits until `count` servers are in rotation. */
async function whole(count = SERVERS, timeoutMs = 30_000): Promise<void> {
  await waitForServers({ adminUrl, count, timeoutMs });
}

async function compose(...args: string[]): Promise<string> {
  return await run('docker', ['compose', '--project-name', PROJECT, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
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

/** A load run in a process of its own that lasts `seconds`, or until it is stopped; `result` ends with it. */
function load(
  seconds = 120,
  { rate = 500, args = [] as string[] } = {},
): { result: () => Promise<LoadResult>; stop: () => void } {
  const to = args.includes('--proxy') ? [] : ['--proxy', proxyAddress];
  const flags = ['--rate', String(rate), '--duration', String(seconds), '--json'];
  const program = startProgram('scripts/load.ts', [...flags, ...to, ...args]);
  return {
    result: async () => {
      await program.exited((seconds + 20) * 1000);
      return JSON.parse(program.stdout()) as LoadResult;
    },
    stop: () => program.child.kill('SIGINT'),
  };
}

/** Ends a load and checks what it has seen until then. */
async function endLossless(running: ReturnType<typeof load>): Promise<void> {
  running.stop();
  assertNothingLost(await running.result());
}

/** Runs one of the project's commands on this cluster. */
function command(file: string, settings: Record<string, string> = {}, args: string[] = []): Program {
  return startProgram(file, args, { environment: { ...env, COMPOSE_PROJECT_NAME: PROJECT, ...settings } });
}

async function succeeds(program: Program): Promise<string> {
  assert.equal(await program.exited(120_000), 0, `${program.stdout()}${program.stderr()}`);
  return program.stdout();
}

/** Waits until the load has arrived: the proxy has answered some more requests. */
async function underLoad(): Promise<void> {
  const startedAt = await served();
  const deadlineMs = performance.now() + 20_000;
  while ((await served()) < startedAt + 100) assert.ok(performance.now() < deadlineMs, 'no load arrived');
}

async function rows(): Promise<ServerRow[]> {
  return (await fetchPolicies(adminUrl)).policies.flatMap(({ servers }) => servers);
}

async function served(): Promise<number> {
  return (await rows()).reduce((sum, row) => sum + row.served, 0);
}

function assertNothingLost(result: LoadResult): void {
  const { ok, due, wrong, errorReplies, lost, strayAnswers, errors, lostBy, dropped, faultsDue } = result;
  const byPolicy = Object.entries(result.policies).map(([policy, counts]) => `${policy}: ${counts.ok} ok`);
  const startedMs = Date.parse(result.startedAt);
  const happened = events.events
    .filter(({ atMs }) => atMs >= startedMs)
    .map(({ atMs, type, policy, id, why }) => `${atMs - startedMs} ms: ${type} ${policy} ${id}, ${why}`);
  const counts = JSON.stringify({ ok, due, errors, lostBy, dropped, faultsDue, byPolicy });
  const seen = [counts, ...happened].join('\n');
  assert.deepEqual([wrong, lost, errorReplies, strayAnswers], [0, 0, 0, 0], seen);
  // What the generator did not manage to send is the machine's; that something was sent and answered is not.
  assert.ok(ok > 0 && dropped < due, seen);
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
      proxyAddress,
    ]);
    assert.equal(await client.exited(), 0, client.stderr());
    assert.match(client.stdout(), /Transmission successfully received by server/);
  });
}

test('a server without the secret of the cluster does not get in', async () => {
  const before = (await rows()).length;
  const name = `${PROJECT}-stranger`;
  const withoutIt = ['--env', 'SERVER_REGISTER_TOKEN_FILE='];
  await compose('run', '--detach', '--no-deps', '--name', name, ...withoutIt, 'server-p1');
  try {
    await logged(name, /refuses this server.*asks for a token/);
    assert.equal((await rows()).length, before);
    const response = await fetch(`${adminUrl}/api/policies`);
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
  assertNothingLost(await load(3, { rate: 120, args: ['--connection', 'per-request'] }).result());
});

test('an idle cluster keeps strict order: max − min ≤ 1 over 1,000 requests', async () => {
  const before = await rows();
  const result = await load(2, { rate: 500, args: ['--connections', '1'] }).result();
  assertNothingLost(result);
  const now = await rows();
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
    (await rows()).some(({ id, served: count }) => id === third.serverId && count > 0);
  const deadlineMs = performance.now() + 20_000;
  while (!(await isServing())) assert.ok(performance.now() < deadlineMs, 'the third server gets no request');
  await containers.scale('server-p1', 2);
  await endLossless(running);
  assert.equal((await rows()).length, SERVERS);
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
    events = await watchEvents(adminUrl);
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
  events = await watchEvents(adminUrl);
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

test('two proxies: each is shown, and they are upgraded one by one without a loss', async () => {
  const settings = { PROXIES: '2', PROXY_LOG_LEVEL: 'info' };
  const said = await succeeds(command('scripts/start.ts', settings));
  assert.match(said, /6 servers are ready for each of 2 proxies/);
  const addresses = [...said.matchAll(/^ {2}proxy-\d+ on (\S+),/gm)].map(([, address]) => address);
  assert.equal(addresses.length, 2);
  const shown = await succeeds(command('scripts/status.ts', settings));
  assert.deepEqual(shown.match(/^proxy-\d+ /gm)?.length, 2);
  const running = load(120, { rate: 200, args: ['--proxy', addresses.join()] });
  await underLoad();
  const upgraded = await succeeds(command('scripts/upgrade.ts', { ...settings, PROXY_LOG_LEVEL: 'debug' }));
  assert.match(upgraded, /proxy: replaced 2, one by one/);
  await endLossless(running);
});

test('an own policy in an override file: npm start waits for its servers, and they serve', async () => {
  await mkdir(CACHE, { recursive: true });
  const override = join(CACHE, 'e2e-gold.yml');
  await writeFile(
    override,
    `services:
  server-gold:
    extends: { file: ${join(ROOT, 'docker-compose.yml')}, service: server-p1 }
    environment: { SERVER_POLICY: "4" }
    deploy: { replicas: 1 }
`,
  );
  const settings = { COMPOSE_FILE: `docker-compose.yml:${override}` };
  const said = await succeeds(command('scripts/start.ts', settings));
  assert.match(said, /7 servers are ready: 2 of policy 1, 2 of policy 2, 2 of policy 3, 1 of policy 4/);
  const result = await load(1, { rate: 50, args: ['--policies', '4'] }).result();
  assert.deepEqual([result.ok, result.lost], [result.due, 0]);
});

test('the cluster over TLS, with what npm run certs makes', async () => {
  const certs = join(CACHE, 'e2e-certs');
  await succeeds(command('scripts/certs.ts', {}, ['--dir', certs]));
  const settings = { COMPOSE_FILE: 'docker-compose.yml:docker-compose.tls.yml', CERTS: certs };
  const said = await succeeds(command('scripts/start.ts', settings));
  assert.match(said, /3 packets answered/);
  const args = ['client_packet_1.json', '--proxy', proxyAddress];
  const trusting = [...args, '--tls', '--tls-ca', join(certs, 'ca.pem')];
  assert.match(await succeeds(startProgram('services/client/main.ts', trusting)), /successfully received/);
  assert.notEqual(await startProgram('services/client/main.ts', args).exited(), 0);
});
