// test · a proxy that may have few descriptors: clients are refused in words, servers stay, and nothing ends the process.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { answerTo, request } from '../../../test-support/cluster.ts';
import { watchEvents } from '../../../test-support/event-stream.ts';
import { connectPeer, type Frame, freePort, type Peer, scriptedServer } from '../../../test-support/peers.ts';
import { type Program, startProgram } from '../../../test-support/programs.ts';
import { descriptorLimit, LISTENING_SOCKETS, lonePlacesFor, placesFor } from './descriptors.ts';

const ASKED = { workers: 1, maxConnections: 10_000, maxServers: 1024 };
const isLinux = process.platform === 'linux';

test('as many connections as are asked for, where descriptors allow it', () => {
  for (const limit of [65_536, 1_048_576, Number.POSITIVE_INFINITY])
    assert.deepEqual(placesFor(limit, ASKED), {
      maxConnections: 10_000,
      serverPlaces: 1024,
      forServers: 6400,
    });
});

test('what the process, servers and clients get is never more than there is', () => {
  for (let limit = 100; limit < 20_000; limit += 37) {
    const { maxConnections, serverPlaces } = placesFor(limit, ASKED);
    assert.ok(maxConnections + serverPlaces + LISTENING_SOCKETS + 48 <= limit, `${limit}`);
    assert.ok(maxConnections >= 1 && serverPlaces >= 1);
  }
});

test('with sessions, probes and connections for all, requests that go on alone never get more than there is', () => {
  for (const workers of [1, 2, 4]) {
    for (let limit = 400; limit < 20_000; limit += 97) {
      const places = placesFor(limit, { ...ASKED, workers });
      for (const servers of [1, 10, places.serverPlaces]) {
        for (const clients of [0, 100, places.maxConnections]) {
          const options = { upstreamConnections: 1, workers };
          const alone = lonePlacesFor(places, { servers, clients }, options) * workers;
          const ofServers = servers * (2 + workers);
          const all = clients + ofServers + alone;
          const isLeast = alone === workers;
          assert.ok(
            isLeast || all <= places.maxConnections + places.forServers,
            `${limit} ${servers} ${clients}`,
          );
        }
      }
    }
  }
});

test('the limit is read from what Linux tells', () => {
  const text =
    'Max processes             7000    7000    processes\nMax open files            120    4096    files\n';
  assert.equal(descriptorLimit(text), 120);
  assert.equal(descriptorLimit('Max open files  unlimited  unlimited  files\n'), Number.POSITIVE_INFINITY);
});

type Started = { program: Program; port: number; adminPort: number };

async function start(t: TestContext, maxDescriptors: number): Promise<Started> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const args = [String(port), '--admin-port', String(adminPort)];
  const program = startProgram('services/proxy/main.ts', args, { maxDescriptors });
  t.after(() => program.stop());
  return { program, port, adminPort };
}

async function joinServer(t: TestContext, { port, adminPort }: Started): Promise<void> {
  const server = await scriptedServer((peer) => void answerOne(peer));
  t.after(() => server.close());
  const watch = await watchEvents(`http://127.0.0.1:${adminPort}`);
  t.after(() => watch.close());
  let status: unknown;
  // Others may have all places still.
  while (status !== 'registered') {
    const setup = connectPeer(port);
    setup.send({ type: 1, id: 1, privPoliId: '1', listenport: server.port });
    ({ status } = await setup.nextFrame());
    setup.socket.destroy();
  }
  await watch.next(['admitted'], '1', 0);
}

// As the old servers do: one request, one answer, and the end of the connection.
async function answerOne(peer: Peer): Promise<void> {
  const frame = await peer.nextFrame(600_000).catch(() => null);
  if (frame === null) return;
  peer.send(answerTo(1, frame));
  peer.close();
}

test('200 idle clients of a proxy with 120 descriptors: each has a place or a refusal, and requests are served', {
  skip: !isLinux,
}, async (t) => {
  const proxy = await start(t, 120);
  await proxy.program.printed(/listening/);
  assert.match(proxy.program.stderr(), /warn .*maxConnections=10000 now=\d+ openFiles=120/);
  const now = Number(/now=(\d+)/.exec(proxy.program.stderr())?.[1]);
  await joinServer(t, proxy);
  const first = connectPeer(proxy.port);
  t.after(() => first.socket.destroy());
  first.send(request('before'));
  assert.equal((await first.nextFrame()).type, 2);
  const idle = Array.from({ length: 200 }, () => connectPeer(proxy.port));
  t.after(() => {
    for (const { socket } of idle) socket.destroy();
  });
  let refused = 0;
  for (const peer of idle)
    void peer.nextFrame(600_000).then(
      (frame) => {
        if (frame.code === 'OVERLOADED') refused += 1;
      },
      () => {},
    );
  // Every one that has no place is told.
  const wanted = idle.length + 1 - Math.min(now, Math.ceil(now * 0.9));
  while (refused < wanted) {
    first.send(request(`while ${refused} are refused`));
    assert.equal((await first.nextFrame()).type, 2);
  }
  const status = (await (await fetch(`http://127.0.0.1:${proxy.adminPort}/api/policies`)).json()) as Frame;
  assert.deepEqual(
    status.policies[0].servers.map(({ state, failed }: Frame) => [state, failed]),
    [['ready', 0]],
  );
  assert.equal(status.proxy.refusedConnections + status.proxy.acceptFailures > 0, true);
  assert.ok(readdirSync(`/proc/${proxy.program.child.pid}/fd`).length < 120);
});

test('clients that reconnect all the time do not end a proxy with 100 descriptors while it starts', {
  skip: !isLinux,
}, async (t) => {
  const proxy = await start(t, 100);
  let isOver = false;
  let answers = 0;
  const again = (): void => {
    if (isOver) return;
    const peer = connectPeer(proxy.port);
    peer.send(request('x', { policy: 'none' }));
    const leave = (): void => void peer.socket.destroy();
    void peer
      .nextFrame(600_000)
      .then(() => {
        answers += 1;
      })
      .then(leave, leave);
    peer.socket.on('close', () => setTimeout(again, 2));
  };
  t.after(() => {
    isOver = true;
  });
  for (let client = 0; client < 150; client += 1) again();
  await proxy.program.printed(/listening/);
  while (answers < 1_000 && proxy.program.child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(proxy.program.child.exitCode, null, proxy.program.stderr());
  isOver = true;
  await joinServer(t, proxy);
});
