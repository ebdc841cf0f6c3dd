// test · what the listener says and counts when this machine has run out of something; and what the log says at debug.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultsOfTests, eventually } from '../../../test-support/cluster.ts';
import { connectPeer, scriptedServer } from '../../../test-support/peers.ts';
import { systemClock } from '../../shared/clock.ts';
import type { Line } from '../../shared/log.ts';
import { LimitedLog } from '../../shared/log.ts';
import type { Connection, Network } from '../network/network.ts';
import { startProxy } from '../proxy.ts';
import type { PacketHandlers } from './client-connection.ts';
import { Listener, type ListenerOptions, type ListenerWorld } from './listener.ts';

/** A listener without a network: `accept` hands it a connection, and `fail` says that one could not be accepted. */
async function listenerOf(forwarder: object) {
  let accept: (connection: Connection) => unknown = () => assert.fail('not open');
  let fail: (error: Error) => void = () => assert.fail('not open');
  const listen: Network['listen'] = async (_host, _port, _isShared, onConnection, onFailure = fail) => {
    accept = onConnection;
    fail = onFailure;
    return { port: 1, close: () => {} };
  };
  const options = {
    maxConnections: 1_000,
    maxConnectionsPerSource: 1_000,
    serverPlaces: 1,
    maxDescriptor: 104,
  };
  const world = { network: { listen }, clock: systemClock, log: new LimitedLog(() => {}) };
  const listener = new Listener(
    options as unknown as ListenerOptions,
    world as unknown as ListenerWorld,
    { forwarder, sessions: { has: () => false, onEnded: () => {} } } as unknown as PacketHandlers,
  );
  await listener.open();
  return { listener, accept, fail };
}

test('a connection that takes one of the last descriptors is refused and counted; one line a second says so', async () => {
  const codes: string[] = [];
  const { listener, accept, fail } = await listenerOf({
    noteRefusal: (code: string) => {
      codes.push(code);
      return 'a-1';
    },
  });
  const said: string[] = [];
  let destroyed = 0;
  const socket = (descriptor: number | undefined): Connection =>
    ({
      descriptor,
      writableLength: 0,
      write: (data: string) => said.push(data),
      destroy: () => {
        destroyed += 1;
      },
    }) as unknown as Connection;
  assert.notEqual(accept(socket(103)), null);
  assert.notEqual(accept(socket(undefined)), null);
  assert.equal(accept(socket(104)), null);
  assert.equal(accept(socket(105)), null);
  fail(Object.assign(new Error('accept'), { code: 'ENFILE' }));
  assert.match(said.join(''), /^(.*OVERLOADED.*run out of file descriptors.*\n){2}$/);
  assert.deepEqual([codes, destroyed], [['OVERLOADED', 'OVERLOADED'], 2], 'and closed at once');
  assert.deepEqual(listener.counters, { refusedConnections: 0, acceptFailures: 3 });
  const lines: Line[] = [];
  for (let second = 0; second < 3; second += 1) listener.logRefused((line) => lines.push(line));
  assert.deepEqual(
    lines.map(({ level, count, open }) => [level, count, open]),
    [['warn', 3, 2]],
  );
});

test('a connection that has just come is not taken for a quiet one', async () => {
  const { listener, accept } = await listenerOf({});
  let ended = 0;
  const end = (): void => {
    ended += 1;
  };
  accept({ writableLength: 0, end, destroy: end } as unknown as Connection);
  const seen = [1_000, 1_100, 1_101].map((nowMs) => {
    listener.closeQuiet(nowMs, 100, 1);
    return ended;
  });
  assert.deepEqual(seen, [0, 0, 1]);
});

test('at debug the log says which probes fail, which sessions begin and end, and which connections are cut or refused', async (t) => {
  const lines: Line[] = [];
  const own = { port: 0, adminPort: 0, host: '127.0.0.1', startupMs: 0, idleTimeoutMs: 300, maxServers: 1 };
  const proxy = await startProxy({ ...defaultsOfTests(), ...own, maxConnections: 2 }, (line) =>
    lines.push(line),
  );
  t.after(() => proxy.stop());
  const server = await scriptedServer((peer) => peer.reset());
  t.after(() => server.close());
  const session = connectPeer(proxy.port);
  session.send({ type: 1, id: 1, privPoliId: 1, listenport: server.port, session: true });
  assert.equal((await session.nextFrame()).status, 'registered');
  session.socket.destroy();
  const idle = connectPeer(proxy.port);
  assert.equal(await idle.ended(), 'fin');
  idle.socket.destroy();
  const many = Array.from({ length: 6 }, () => connectPeer(proxy.port));
  t.after(() => {
    for (const { socket } of many) socket.destroy();
  });
  const has = (message: string): boolean =>
    lines.some((line) => line.level === 'debug' && line.message === message);
  for (const message of [
    'probe failed',
    'session opened',
    'session ended',
    'connection ended',
    'connections refused: no place is free',
  ])
    await eventually(async () => has(message));
});
