// test · keeper and workers whose messages are late: both in the test's own thread, with a channel between them.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { clientOf, eventually, fakeServer, request, stopMeanwhile } from '../../../test-support/cluster.ts';
import type { Peer } from '../../../test-support/peers.ts';
import { openSystemWorld } from '../core/system-world.ts';
import { readProxyOptions } from '../options.ts';
import type { Launch, Thread } from './crew.ts';
import { createKeeper } from './keeper.ts';
import type { ToKeeper, ToWorker } from './messages.ts';
import { type KeeperTally, WorkerTally } from './shared/tally.ts';
import { createWorker } from './worker.ts';

const ORDER = { by: 'a test', reason: '' };
const CLIENTS = 32;

/**
 * A proxy with two workers, the second of which gets no messages while `hold` is on; the next one that is to listen can't
 * when `refusePort` was called; `skip` sets the clock forward.
 */
async function proxyOf(t: TestContext) {
  const options = {
    ...readProxyOptions([], {}),
    host: '127.0.0.1',
    port: 0,
    adminPort: 0,
    startupMs: 0,
    drainTimeoutMs: 0,
    workers: 2,
  };
  const { world: system } = await openSystemWorld(options, () => {}, 'boot');
  let aheadMs = 0;
  const world = { ...system, clock: { ...system.clock, now: () => system.clock.now() + aheadMs } };
  const lines: string[] = [];
  const threads: Thread[] = [];
  let isHeld = false;
  let isPortRefused = false;
  const late: (() => void)[] = [];
  const says: ((message: ToKeeper) => void)[] = [];
  const launch: Launch = (start, onMessage, onGone) => {
    const { port1: keepers, port2: workers } = new MessageChannel();
    const worker = createWorker(options, start, world, (message) => workers.postMessage(message), {
      accessLogDropped: () => 0,
      close: async () => {},
    });
    keepers.on('message', onMessage);
    says.push(onMessage);
    workers.on('message', (message: ToWorker) => {
      if (isHeld && start.index === 1) late.push(() => worker.receive(message));
      else worker.receive(message);
    });
    workers.postMessage({ kind: 'ready' });
    const thread: Thread = {
      post: (message) => {
        if (message.kind === 'open' && isPortRefused) {
          isPortRefused = false;
          workers.postMessage({ kind: 'unopened', code: 'EMFILE', message: 'too many open files', port: 1 });
        } else keepers.postMessage(message);
      },
      end: async () => {
        keepers.close();
        onGone('it has stopped');
      },
    };
    threads.push(thread);
    return thread;
  };
  const keeper = createKeeper(options, ({ message }) => void lines.push(message), world, launch);
  const port = await keeper.open();
  const proxy = { port, adminPort: 0, events: keeper.sources.events, stop: () => keeper.stop() };
  const peers: Peer[] = [];
  t.after(() => {
    for (const { socket } of peers) socket.destroy();
    stopMeanwhile(proxy);
  });
  return {
    proxy,
    keeper,
    peers,
    lines,
    threads,
    says,
    skip: (ms: number): void => {
      aheadMs += ms;
    },
    refusePort: (): void => {
      isPortRefused = true;
    },
    hold: (): void => {
      isHeld = true;
    },
    release: (): void => {
      isHeld = false;
      for (const deliver of late.splice(0)) deliver();
    },
  };
}

// The id of a refusal says which start of a worker it is from.
async function workerOf(client: Peer): Promise<number> {
  client.send(request('x', { policy: 'none' }));
  const { trace } = await client.nextFrame();
  return Number(/^bootw(\d)-/.exec(trace)?.[1]) - 1;
}

test('requests on a worker that has not heard of a change wait until it has, and nobody else does', async (t) => {
  const { proxy, keeper, peers, hold, release } = await proxyOf(t);
  const servers = await Promise.all([1, 2, 3].map((id) => fakeServer(t, proxy, id)));
  for (const server of servers) peers.push(await server.join({ keepAlive: true }));
  const clients = Array.from({ length: CLIENTS }, () => clientOf(proxy));
  peers.push(...clients);
  const byWorker: [Peer[], Peer[]] = [[], []];
  for (const client of clients) byWorker[(await workerOf(client)) as 0 | 1].push(client);
  const [informed, behind] = byWorker;
  assert.ok(informed.length > 0 && behind.length > 0);
  hold();
  const { table, registry } = keeper.sources;
  const drained = table.findById('1', 2) ?? assert.fail();
  registry.drain(drained, ORDER);
  for (const client of behind) client.send(request());
  for (let round = 0; round < 4; round += 1) {
    for (const client of informed) {
      client.send(request());
      assert.notEqual((await client.nextFrame()).srcid, 2);
    }
  }
  assert.deepEqual(new Set(behind.map((client) => client.pendingFrames())), new Set([0]));
  release();
  for (const client of behind) assert.notEqual((await client.nextFrame()).srcid, 2);
  const [one, two, three] = servers.map(({ requests }) => requests.length);
  assert.equal(two, 0);
  assert.ok(Math.abs((one ?? 0) - (three ?? 0)) <= 1, `${one} and ${three}`);
});

test('a request that failed before the trial of its server does not fail the trial, though it is told of later', async (t) => {
  const { proxy, keeper, peers, says } = await proxyOf(t);
  for (const id of [1, 2]) peers.push(await (await fakeServer(t, proxy, id)).join({ keepAlive: true }));
  const upstream = keeper.sources.table.findById('1', 1) ?? assert.fail();
  const sinceMs = performance.now();
  upstream.health = { ...upstream.health, state: 'trial', sinceMs };
  const fail = (atMs: number): void =>
    says[0]?.({ kind: 'failure', ref: 1, failure: 'silent', request: null, atMs });
  const ejections = (): number => proxy.events.since(0).filter(({ type }) => type === 'ejected').length;
  fail(sinceMs - 1);
  assert.equal(ejections(), 0);
  fail(sinceMs + 1);
  assert.equal(ejections(), 1);
});

test('a policy whose servers are gone is forgotten by the keeper too', async (t) => {
  const { proxy, keeper, peers, skip } = await proxyOf(t);
  const server = await fakeServer(t, proxy, 1);
  peers.push(await server.join({ keepAlive: true }));
  const { table, registry } = keeper.sources;
  registry.forget(table.findById('1', 1) ?? assert.fail(), ORDER);
  assert.ok(table.route('1'));
  skip(61_000);
  await eventually(async () => table.route('1') === undefined);
  // And known again as soon as it has one.
  await server.join({ keepAlive: true });
  const client = clientOf(proxy);
  peers.push(client);
  client.send(request());
  assert.equal((await client.nextFrame()).srcid, 1);
});

test('a server that leaves does not wait for what a worker had that has ended', async (t) => {
  const { proxy, keeper, peers, threads } = await proxyOf(t);
  peers.push(await (await fakeServer(t, proxy, 1)).join({ keepAlive: true }));
  const upstream = keeper.sources.table.findById('1', 1) ?? assert.fail();
  new WorkerTally((upstream.tally as KeeperTally).buffer, 0).inFlight = 1;
  upstream.health = { ...upstream.health, state: 'leaving' };
  threads[0]?.post({ kind: 'stop', otherProxies: null });
  await threads[0]?.end();
  assert.equal(upstream.tally.inFlight, 0);
  assert.equal(proxy.events.since(0).at(-1)?.type, 'left');
});

test('a worker that takes the place of another and can not listen is replaced in its turn', async (t) => {
  const { keeper, threads, lines, refusePort } = await proxyOf(t);
  refusePort();
  // What listens in this process, and not in a thread that ends, has to be closed.
  threads[0]?.post({ kind: 'stop', otherProxies: null });
  await threads[0]?.end();
  await eventually(async () => threads.length === 4 && keeper.listeningWorkers === 2);
  assert.match(lines.join('\n'), /a worker can not listen/);
});
