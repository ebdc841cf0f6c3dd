// test · accepted connections over real sockets, in both ways in which they can be read.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connectPeer, within } from '../../../test-support/peers.ts';
import { acceptDirectly } from './accepted-socket.ts';
import type { Connection, Listening, Receiver } from './network.ts';
import { listenForSockets, receiveFrom, systemNetwork } from './system-network.ts';

const HOST = '127.0.0.1';
const MEGABYTE = 1_000_000;

class Recorder implements Receiver {
  readonly connection: Connection;
  readonly told: string[] = [];
  onTold: () => void = () => {};

  constructor(connection: Connection) {
    this.connection = connection;
  }

  onRead(chunk: Buffer): void {
    this.#tell(`read ${chunk.toString('latin1')}`);
    // The bytes are not ours any longer than this.
    chunk.fill(0);
  }

  onEnd(): void {
    this.#tell('end');
  }

  onDrain(): void {
    this.#tell('drain');
  }

  onClose(): void {
    this.#tell('close');
  }

  #tell(what: string): void {
    this.told.push(what);
    this.onTold();
  }

  async until(what: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.onTold = () => {
      if (this.told.includes(what)) resolve();
    };
    this.onTold();
    await within(promise, 20_000, `${what}; there was ${this.told.join(', ')}`);
  }
}

type Accept = (connection: Connection) => Receiver | null;

const WAYS: Record<string, (accept: Accept) => Promise<Listening>> = {
  directly: (accept) => systemNetwork.listen(HOST, 0, false, accept),
  'as Node has it': (accept) =>
    listenForSockets({ host: HOST, port: 0, isShared: false }, (socket) =>
      receiveFrom(socket, accept(socket)),
    ),
};

for (const [way, listen] of Object.entries(WAYS)) {
  const start = async (t: TestContext) => {
    const accepted = Promise.withResolvers<Recorder>();
    const listening = await listen((connection) => {
      const recorder = new Recorder(connection);
      accepted.resolve(recorder);
      return recorder;
    });
    const peer = connectPeer(listening.port, HOST);
    t.after(() => {
      listening.close();
      peer.socket.destroy();
    });
    const recorder = await within(accepted.promise, 20_000, 'connection');
    t.after(() => recorder.connection.destroy());
    return { peer, recorder, listening };
  };

  test(`${way}: what comes is told in its order, the end once, the close last`, async (t) => {
    const { peer, recorder } = await start(t);
    peer.send('one');
    await recorder.until('read one');
    peer.send('two');
    await recorder.until('read two');
    peer.close();
    await recorder.until('end');
    recorder.connection.write('bye', 'latin1');
    recorder.connection.end(() => {});
    assert.equal(await peer.ended(), 'fin');
    assert.equal(peer.received(), 'bye');
    await recorder.until('close');
    assert.deepEqual(recorder.told, ['read one', 'read two', 'end', 'close']);
  });

  test(`${way}: whoever is destroyed as soon as its end is told is closed, and told no more`, async (t) => {
    const { peer, recorder } = await start(t);
    recorder.onEnd = () => {
      recorder.told.push('end');
      recorder.connection.destroy();
    };
    peer.close();
    await recorder.until('close');
    assert.deepEqual(recorder.told, ['end', 'close']);
    assert.equal(await peer.ended(), 'fin');
  });

  test(`${way}: a reset is no end, and no error that anybody has to catch`, async (t) => {
    const { peer, recorder } = await start(t);
    peer.send('one');
    await recorder.until('read one');
    peer.reset();
    await recorder.until('close');
    assert.deepEqual(recorder.told, ['read one', 'close']);
  });

  test(`${way}: nothing comes while it is paused, and all of it afterwards`, async (t) => {
    const { peer, recorder } = await start(t);
    let bytes = 0;
    recorder.onRead = (chunk) => {
      bytes += chunk.length;
      if (bytes === chunk.length) recorder.connection.pause();
    };
    const whole = Buffer.alloc(MEGABYTE, 'x');
    peer.send(whole);
    peer.close();
    // A reader that does not pause has had it all by the time of a second connection's exchange.
    const other = await start(t);
    other.peer.send('x');
    await other.recorder.until('read x');
    const atPause = bytes;
    assert.ok(atPause > 0 && atPause < MEGABYTE, `${atPause} bytes`);
    recorder.connection.resume();
    await recorder.until('end');
    assert.equal(bytes, MEGABYTE);
  });

  test(`${way}: a drain is told when what had to wait is sent`, async (t) => {
    const { peer, recorder } = await start(t);
    peer.socket.pause();
    let written = 0;
    while (recorder.connection.writableLength === 0) {
      recorder.connection.write('y'.repeat(MEGABYTE), 'latin1');
      written += MEGABYTE;
    }
    peer.socket.resume();
    await recorder.until('drain');
    assert.equal(recorder.connection.writableLength, 0);
    recorder.connection.end(() => {});
    assert.equal(await peer.ended(), 'fin');
    assert.equal(peer.received().length, written);
  });

  test(`${way}: one that nobody receives can still be told why`, async (t) => {
    const listening = await listen((connection) => {
      connection.end('no room\n', () => connection.destroy());
      return null;
    });
    t.after(() => listening.close());
    const peer = connectPeer(listening.port, HOST);
    t.after(() => peer.socket.destroy());
    await peer.ended();
    assert.equal(peer.received(), 'no room\n');
  });

  test(`${way}: when it stops to listen those that are connected stay`, async (t) => {
    const { peer, recorder, listening } = await start(t);
    listening.close();
    peer.send('one');
    await recorder.until('read one');
    const late = connectPeer(listening.port, HOST);
    assert.equal(await late.ended(), 'ECONNREFUSED');
  });
}

test('a server that has none of what is needed is left as it is', () => {
  const server = createServer();
  const fail = (): null => assert.fail('nobody can have connected');
  assert.equal(acceptDirectly(server, fail), false);
  Reflect.set(server, '_handle', {});
  assert.equal(acceptDirectly(server, fail), false);
});

async function listeningByNode(t: TestContext) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  t.after(() => server.close());
  server.listen(0, HOST);
  await once(server, 'listening');
  return { server, sockets };
}

test('with a version of Node that nobody has tried, Node accepts', async (t) => {
  const { server, sockets } = await listeningByNode(t);
  const fail = (): null => assert.fail('taken');
  assert.equal(acceptDirectly(server, fail, '99.1.0'), false);
  const peer = connectPeer((server.address() as AddressInfo).port, HOST);
  t.after(() => peer.socket.destroy());
  await once(server, 'connection');
  assert.equal(sockets.length, 1);
  for (const socket of sockets) socket.destroy();
});

test('what Node itself has to say of a listening socket is left to it', async (t) => {
  const { server, sockets } = await listeningByNode(t);
  assert.equal(
    acceptDirectly(server, () => assert.fail('nobody has connected')),
    true,
  );
  const failed = Promise.withResolvers<NodeJS.ErrnoException>();
  server.on('error', failed.resolve);
  const { _handle: handle } = server as unknown as { _handle: { onconnection(status: number): void } };
  handle.onconnection(-24);
  assert.equal((await failed.promise).code, 'EMFILE');
  assert.deepEqual(sockets, []);
});

test('an accept that fails does not end the proxy', async (t) => {
  const servers: Server[] = [];
  const listening = await listenForSockets(
    { host: HOST, port: 0, isShared: false },
    () => {},
    (server) => void servers.push(server),
  );
  t.after(() => listening.close());
  for (const server of servers) server.emit('error', new Error('accept EMFILE'));
  assert.equal(servers.length, 1);
});
