// test · clients that hold every place: servers get in all the same, other clients are told, and one source can't have all.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  ask,
  clientOf,
  defaultsOfTests,
  eventually,
  fakeServer,
  policies,
  request,
  testProxy,
} from '../../../test-support/cluster.ts';
import type { Frame, Peer } from '../../../test-support/peers.ts';
import type { RunningProxy } from '../proxy.ts';
import { SourceLimit, sourceLimit } from './source-limit.ts';

const PLACES = 4;
// One source may take them all, also where each worker lets in its share of what that may have.
const LIMITS = { maxConnections: PLACES, maxConnectionsPerSource: PLACES * defaultsOfTests().workers };

/** Takes all places of clients, and returns one that has one. */
async function fill(proxy: RunningProxy): Promise<Peer> {
  const peers = Array.from({ length: PLACES }, () => clientOf(proxy));
  await eventually(async () => (await policies(proxy)).proxy.connections >= PLACES);
  return peers[0] as Peer;
}

function from(t: TestContext, proxy: RunningProxy, localAddress: string): Socket {
  const socket = connect({ host: '127.0.0.1', port: proxy.port, localAddress });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return socket;
}

async function firstReply(socket: Socket): Promise<Frame> {
  const [reply] = (await socket.take(1).toArray()) as Buffer[];
  return JSON.parse(String(reply));
}

test('a server registers, and keeps its session, while clients hold all places', async (t) => {
  const proxy = await testProxy(t, LIMITS);
  const client = await fill(proxy);
  const server = await fakeServer(t, proxy, 1);
  const session = await server.join({ session: true, keepAlive: true });
  client.send(request());
  assert.equal((await client.nextFrame()).type, 2);
  // Longer than it may be there without having registered.
  assert.equal((await session.nextFrame()).type, 3);
  session.send({ type: 3, srcid: 1 });
  assert.equal((await session.nextFrame()).type, 3);
  assert.equal(session.socket.destroyed, false);
});

test('a client that finds no place is told, whether it asks or says nothing', async (t) => {
  const proxy = await testProxy(t, LIMITS);
  await fill(proxy);
  const reply = await ask(proxy, request('x', { client: 7 }));
  assert.deepEqual([reply.code, reply.destid], ['OVERLOADED', 7]);
  assert.match(reply.payload, new RegExp(`${PLACES} connections`));
  const silent = clientOf(proxy);
  assert.equal((await silent.nextFrame()).code, 'OVERLOADED');
  assert.equal(await silent.ended(), 'fin');
  const { requests, refusals } = (await policies(proxy)).proxy;
  assert.deepEqual([requests, refusals], [0, { OVERLOADED: 2 }]);
});

test('a client from where no server may come is refused at once', async (t) => {
  const proxy = await testProxy(t, { ...LIMITS, registerFrom: ['127.0.0.2'] });
  await fill(proxy);
  const client = clientOf(proxy);
  assert.equal((await client.nextFrame()).code, 'OVERLOADED');
  assert.equal((await policies(proxy)).proxy.refusedConnections, 1);
  const setup = from(t, proxy, '127.0.0.2');
  setup.write(`${JSON.stringify({ type: 1, id: 1, privPoliId: 1, listenport: 9 })}\n`);
  assert.equal((await firstReply(setup)).status, 'registered');
});

test('strangers that take places kept for servers leave some to the servers that are known', async (t) => {
  const proxy = await testProxy(t, { ...LIMITS, maxServers: 4 });
  const server = await fakeServer(t, proxy, 1);
  (await server.join({ keepAlive: true })).close();
  await eventually(async () => (await policies(proxy)).proxy.connections === 0);
  await fill(proxy);
  const taken = [from(t, proxy, '127.0.0.2'), from(t, proxy, '127.0.0.2')];
  await eventually(async () => (await policies(proxy)).proxy.connections >= PLACES + 2);
  assert.equal((await firstReply(from(t, proxy, '127.0.0.2'))).code, 'OVERLOADED');
  assert.equal((await policies(proxy)).proxy.refusedConnections, 1);
  const peer = await server.register({ session: true, keepAlive: true });
  assert.equal(peer.socket.destroyed, false);
  for (const socket of taken) socket.destroy();
});

test('connections are counted by source only once one source could have too many', () => {
  let asked = 0;
  const peer = (address: string) => ({
    source: null,
    socket: {
      get remoteAddress() {
        asked += 1;
        return address;
      },
    },
  });
  const limit = new SourceLimit(sourceLimit({ maxConnectionsPerSource: 0, maxConnections: 100 }));
  assert.equal(limit.limit, 90);
  const connections = Array.from({ length: 89 }, () => peer('10.0.0.1'));
  for (const connection of connections) limit.add(connection);
  assert.equal(limit.fullSource(connections, peer('10.0.0.1').socket), null);
  assert.equal(asked, 0);
  connections.push(peer('::ffff:10.0.0.1'));
  assert.equal(limit.fullSource(connections, peer('10.0.0.1').socket), '10.0.0.1');
  assert.equal(limit.fullSource(connections, peer('10.0.0.2').socket), null);
  const counted = asked;
  limit.delete(connections[0] as never);
  connections.shift();
  const next = peer('10.0.0.1');
  connections.push(next);
  assert.equal(limit.fullSource(connections, next.socket), null);
  limit.add(next);
  assert.equal(limit.fullSource(connections, peer('10.0.0.1').socket), '10.0.0.1');
  assert.ok(asked - counted <= 4, 'not all of them again');
});
