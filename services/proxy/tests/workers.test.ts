// test · a proxy with several workers: one table, one turn and one set of counters for all of them.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import {
  ask,
  type Behaviour,
  clientOf,
  digestOf,
  eventOf,
  eventually,
  type FakeServer,
  fakeServer,
  lastSeq,
  policies,
  request,
  rowOf,
  stopMeanwhile,
  testProxy,
} from '../../../test-support/cluster.ts';
import type { Peer } from '../../../test-support/peers.ts';
import { scrape } from '../../../test-support/scrape.ts';
import { openSystemWorld } from '../core/system-world.ts';
import { readProxyOptions } from '../options.ts';
import type { RunningProxy } from '../proxy.ts';
import { EventLog } from '../status/events.ts';
import type { Thread } from '../workers/crew.ts';
import { createKeeper } from '../workers/keeper.ts';
import { launchThreads } from '../workers/thread.ts';

const KEPT = { keepAlive: true, session: true };
// So many connections are with every worker: that one of four has none has a chance of one in 10^8.
const CONNECTIONS = 64;

/** Servers that note in `order` which of them was asked. */
async function serversOf(t: TestContext, proxy: RunningProxy, ids: number[], order: number[] = []) {
  const behave =
    (id: number): Behaviour =>
    (_peer, _frame, answer) => {
      order.push(id);
      answer();
    };
  return Promise.all(ids.map((id) => fakeServer(t, proxy, id, { behave: behave(id) })));
}

async function joinAll(servers: readonly FakeServer[]): Promise<void> {
  for (const server of servers) await server.join(KEPT);
}

/** Connections that every worker has some of: all have had an answer. */
async function clientsOf(proxy: RunningProxy, count = CONNECTIONS): Promise<Peer[]> {
  const clients = Array.from({ length: count }, () => clientOf(proxy));
  for (const client of clients) await askOver(client);
  return clients;
}

async function askOver(client: Peer, payload = 'hello'): Promise<void> {
  client.send(request(payload));
  assert.equal((await client.nextFrame()).payload, digestOf(payload));
}

for (const workers of [2, 4]) {
  test(`with ${workers} workers, 1,000 requests over many connections go round in strict order`, async (t) => {
    // On a machine that is busy none is taken for a server that has fallen silent, and so left out of the turn.
    const patience = { requestTimeoutMs: 20_000, attemptTimeoutMs: 20_000, healthTimeoutMs: 20_000 };
    const proxy = await testProxy(t, { workers, ...patience });
    const order: number[] = [];
    // Nor for one whose session is silent: they have none.
    for (const server of await serversOf(t, proxy, [1, 2, 3], order)) await server.join({ keepAlive: true });
    const clients = await clientsOf(proxy);
    order.length = 0;
    for (let sent = 0; sent < 1000; sent += 1)
      await askOver(clients[sent % CONNECTIONS] as Peer, `request ${sent}`);
    const [first = 0, second = 0, third = 0] = order;
    assert.deepEqual(new Set([first, second, third]), new Set([1, 2, 3]));
    assert.deepEqual(
      order,
      Array.from({ length: 1000 }, (_, at) => [first, second, third][at % 3]),
    );
  });
}

test('of requests of all workers at once, no server gets more than one more than another', async (t) => {
  const proxy = await testProxy(t, { workers: 4 });
  const servers = await serversOf(t, proxy, [1, 2, 3]);
  await joinAll(servers);
  const clients = await clientsOf(proxy);
  for (let round = 0; round < 20; round += 1) await Promise.all(clients.map((client) => askOver(client)));
  const counts = servers.map(({ requests }) => requests.length);
  assert.equal(
    counts.reduce((sum, count) => sum + count),
    21 * CONNECTIONS,
  );
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join(' '));
});

test('an eviction takes a server from all workers and sets the turn to 0, and it comes back to all', async (t) => {
  const proxy = await testProxy(t, { workers: 4 });
  let isAlive = true;
  const order: number[] = [];
  const [one, three] = (await serversOf(t, proxy, [1, 3], order)) as [FakeServer, FakeServer];
  const two = await fakeServer(t, proxy, 2, {
    behave: (_peer, _frame, answer) => {
      order.push(2);
      answer();
    },
    onProbe: (peer, _frame, answer) => (isAlive ? answer() : peer.reset()),
  });
  await joinAll([one, two, three]);
  const clients = await clientsOf(proxy);
  isAlive = false;
  const { seq } = await eventOf(proxy, 'evicted', 2);
  order.length = 0;
  for (const client of clients) await askOver(client);
  assert.deepEqual(
    order,
    Array.from({ length: CONNECTIONS }, (_, at) => [1, 3][at % 2]),
  );
  isAlive = true;
  await eventOf(proxy, 'admitted', 2, { after: seq });
  order.length = 0;
  for (const client of clients) await askOver(client);
  assert.equal(order.filter((id) => id === 2).length, Math.floor(CONNECTIONS / 3));
});

test('requests under way on a server that dies are answered by another, on every worker', async (t) => {
  const proxy = await testProxy(t, { workers: 4 });
  const [one, two] = (await serversOf(t, proxy, [1, 2])) as [FakeServer, FakeServer];
  await joinAll([one, two]);
  const clients = await clientsOf(proxy);
  const answered = clients.map(async (client) => {
    for (let asked = 0; asked < 20; asked += 1) await askOver(client, `${asked}`);
  });
  await two.die();
  await Promise.all(answered);
  await eventOf(proxy, 'evicted', 2);
});

test('a server registers, keeps its session, and leaves on whichever worker has its connection', async (t) => {
  const proxy = await testProxy(t, { workers: 4 });
  const servers = await serversOf(t, proxy, [1, 2, 3, 4, 5, 6, 7, 8]);
  const leases = await Promise.all(servers.map((server) => server.join(KEPT)));
  const heartbeat = await (leases[0] as Peer).nextFrame();
  assert.equal(heartbeat.type, 3);
  for (const lease of leases) lease.send({ type: 3, srcid: 'server' });
  const { policies: shown } = await policies(proxy);
  assert.deepEqual(
    shown[0].servers
      .map(({ id, session, state }: { id: number; session: boolean; state: string }) => [id, session, state])
      .sort(),
    servers.map(({ id }) => [id, true, 'ready']),
  );
  for (const [at, lease] of leases.entries()) {
    if (at > 0) lease.send({ type: 4, srcid: servers[at]?.id });
  }
  await Promise.all(servers.slice(1).map(({ id }) => eventOf(proxy, 'left', id)));
  for (let asked = 0; asked < 20; asked += 1) assert.equal((await ask(proxy)).srcid, 1);
  // The end of a session is the end of what vouches for it: a probe decides.
  leases[0]?.socket.destroy();
  const { seq } = await eventOf(proxy, 'suspect', 1);
  await eventOf(proxy, 'admitted', 1, { after: seq });
});

test('counters and limits are those of the whole proxy', async (t) => {
  // Here one source takes all places, and each worker has a share of what one may have.
  const limits = { maxConnections: CONNECTIONS + 1, maxConnectionsPerSource: 4 * CONNECTIONS };
  const proxy = await testProxy(t, { workers: 4, ...limits });
  const [server] = (await serversOf(t, proxy, [1])) as [FakeServer];
  const lease = await server.join(KEPT);
  const clients = await clientsOf(proxy);
  const { proxy: counts } = await policies(proxy);
  assert.deepEqual(
    [counts.requests, counts.answered, counts.openRequests, counts.connections],
    [CONNECTIONS, CONNECTIONS, 0, CONNECTIONS + 1],
  );
  const row = await rowOf(proxy, 1);
  assert.deepEqual([row?.sent, row?.served, row?.inFlight], [CONNECTIONS, CONNECTIONS, 0]);
  const { value } = await scrape(proxy);
  const answered = { policy: '1', outcome: 'answered' };
  assert.equal(value('policyproxy_requests_total', answered), CONNECTIONS);
  assert.equal(value('policyproxy_request_duration_seconds_count', { policy: '1' }), CONNECTIONS);
  assert.equal(value('policyproxy_connections'), CONNECTIONS + 1);
  // Every place is taken: a client gets none, whichever worker it comes to.
  for (let tries = 0; tries < 8; tries += 1) {
    const late = clientOf(proxy);
    late.send(request());
    assert.equal((await late.nextFrame()).code, 'OVERLOADED');
    late.socket.destroy();
  }
  assert.ok((await policies(proxy)).proxy.refusals.OVERLOADED >= 8);
  lease.socket.destroy();
  for (const { socket } of clients) socket.destroy();
  await eventually(async () => (await policies(proxy)).proxy.connections === 0);
});

test('requests that wait are those of all workers', async (t) => {
  const proxy = await testProxy(t, { workers: 2, pipelineDepth: 1 });
  const held: (() => void)[] = [];
  const behave: Behaviour = (_peer, { payload }, answer) =>
    void (payload === 'held' ? held.push(answer) : answer());
  await (await fakeServer(t, proxy, 1, { behave })).join(KEPT);
  const clients = await clientsOf(proxy);
  for (const client of clients) client.send(request('held'));
  // Each worker has a connection to the server, with one request on it.
  await eventually(async () => (await policies(proxy)).policies[0]?.waiting === CONNECTIONS - 2);
  assert.equal((await policies(proxy)).proxy.openRequests, CONNECTIONS);
  assert.equal((await rowOf(proxy, 1))?.inFlight, 2);
  const { value } = await scrape(proxy);
  assert.equal(value('policyproxy_queue_depth', { policy: '1' }), CONNECTIONS - 2);
});

test('a stop answers what is under way on every worker, refuses what is new, and ends them all', async (t) => {
  const proxy = await testProxy(t, { workers: 4, drainTimeoutMs: 20_000 });
  const held: (() => void)[] = [];
  const behave: Behaviour = (_peer, { payload }, answer) =>
    void (payload === 'held' ? held.push(answer) : answer());
  const server = await fakeServer(t, proxy, 1, { behave });
  const lease = await server.join(KEPT);
  const clients = await clientsOf(proxy);
  for (const client of clients) client.send(request('held'));
  await eventually(async () => held.length === CONNECTIONS);
  const after = lastSeq(proxy);
  const stopped = proxy.stop();
  await eventually(async () => {
    const response = await fetch(`http://127.0.0.1:${proxy.adminPort}/readyz`);
    return response.status === 503;
  });
  for (const answer of held) answer();
  for (const client of clients) {
    assert.equal((await client.nextFrame()).payload, digestOf('held'));
    client.socket.destroy();
  }
  assert.equal(await lease.ended(), 'fin');
  lease.socket.destroy();
  await stopped;
  await assert.rejects(clientOf(proxy).connected());
  assert.deepEqual(
    proxy.events.since(after).map(({ type }) => type),
    [],
    'no server is blamed for the end of its session',
  );
});

describe('a worker that dies', () => {
  test('takes its own clients with it and nobody else, is replaced, and harms no server', async (t) => {
    const { proxy, threads, lines } = await keeperOf(t, 2);
    const servers = await serversOf(t, proxy, [1, 2, 3]);
    await joinAll(servers);
    const clients = await clientsOf(proxy);
    let isOver = false;
    const outcomes = clients.map(async (client) => {
      while (!isOver) {
        client.send(request('p'));
        // A reset may also come while the request is being written.
        const reply = await client.nextFrame().catch(() => null);
        if (reply === null) return 'broken';
        assert.equal(reply.payload, digestOf('p'));
      }
      return 'served';
    });
    const after = lastSeq(proxy);
    await threads[0]?.end();
    await eventually(async () => threads.length === 3);
    await eventually(async () => proxy.listeningWorkers() === 2);
    await clientsOf(proxy);
    isOver = true;
    const ended = await Promise.all(outcomes);
    const broken = ended.filter((outcome) => outcome === 'broken').length;
    assert.ok(broken > 0 && broken < CONNECTIONS, `${broken} of ${CONNECTIONS} connections`);
    assert.match(lines.join('\n'), /a worker has ended, and is replaced/);
    const blamed = proxy.events.since(after).filter(({ type }) => type !== 'registered');
    assert.deepEqual(blamed, [], 'its servers have lost a session through no fault of theirs');
    await eventually(async () => servers.every(({ id }) => proxy.inFlight(id) === 0));
  });
});

/** A keeper without a status listener, whose threads can be ended. */
async function keeperOf(t: TestContext, workers: number) {
  const lines: string[] = [];
  const threads: Thread[] = [];
  const defaults = readProxyOptions([], {});
  const short = { host: '127.0.0.1', port: 0, drainTimeoutMs: 1000, startupMs: 0 };
  const options = { ...defaults, ...short, workers };
  const log = ({ message }: { message: string }): void => void lines.push(message);
  const { world, tickets } = await openSystemWorld(options, log, 'boot');
  const launch = launchThreads(options, tickets);
  const keeper = createKeeper(options, log, world, (...args) => {
    const thread = launch(...args);
    threads.push(thread);
    return thread;
  });
  const port = await keeper.open();
  const { events, table } = keeper.sources;
  assert.ok(events instanceof EventLog);
  const proxy = {
    port,
    adminPort: 0,
    events,
    stop: () => keeper.stop(),
    listeningWorkers: () => keeper.listeningWorkers,
    inFlight: (id: number) => table.findById('1', id)?.tally.inFlight,
  };
  t.after(() => stopMeanwhile(proxy));
  return { proxy, threads, lines };
}
