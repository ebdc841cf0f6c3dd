// test · the benchmark's SHA-1 server, compiled for real: framing, refusals, slow readers, and its session.
import assert from 'node:assert/strict';
import net from 'node:net';
import { before, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { answerTo, digestOf, request } from '../../../test-support/cluster.ts';
import { connectPeer, freePort, type Peer, scriptedServer, within } from '../../../test-support/peers.ts';
import { startProcess } from '../../kit/process.ts';
import { SILENT } from '../../kit/progress.ts';
import { type NativePrograms, prepareNative, startServer } from '../native.ts';

const ID = 11;

let programs: NativePrograms;
before(async () => {
  programs = await prepareNative(SILENT);
});

async function connected(t: TestContext): Promise<Peer> {
  const port = await freePort();
  const server = await startServer(programs, { id: ID, policy: 1, port });
  const peer = connectPeer(port);
  t.after(async () => {
    peer.socket.destroy();
    await server.stop();
  });
  await peer.connected();
  return peer;
}

test('a request may arrive in any two pieces', async (t) => {
  const peer = await connected(t);
  const packet = request('a payload {with} no escapes');
  const text = JSON.stringify(packet);
  for (let cut = 0; cut <= text.length; cut += 1) {
    peer.send(text.slice(0, cut));
    await turn();
    peer.send(text.slice(cut));
    assert.deepEqual(await peer.nextFrame(), answerTo(ID, packet), `cut at ${cut}`);
  }
});

test('requests that come together are answered in order, each with its own id', async (t) => {
  const peer = await connected(t);
  const packets = [111, '111', 'health', 'Zoë', 1.5, '"'].map((srcid, index) => ({
    note: { nested: ['}', { deeper: '\\"' }], empty: {} },
    ...request(`payload ${index} – ü`),
    type: index % 2 === 0 ? 0 : '0',
    srcid,
  }));
  peer.send(packets.map((packet) => JSON.stringify(packet)).join(' \n\t'));
  for (const packet of packets) assert.deepEqual(await peer.nextFrame(), answerTo(ID, packet));
});

test('an answer is the line that the generator expects', async (t) => {
  const peer = await connected(t);
  peer.send(request('hello'));
  await peer.nextFrame();
  const line = `{"type":2,"srcid":11,"destid":111,"payloadsize":40,"payload":"${digestOf('hello')}"}\n`;
  assert.equal(peer.received(), line);
});

test('a half-closed connection still gets its answer', async (t) => {
  const peer = await connected(t);
  peer.send(request());
  peer.close();
  assert.deepEqual(await peer.nextFrame(), answerTo(ID, request()));
  assert.equal(await peer.ended(), 'fin');
});

test('a probe of the old kind is ignored', async (t) => {
  const peer = await connected(t);
  peer.send({ type: -2 });
  peer.send(request());
  assert.deepEqual(await peer.nextFrame(), answerTo(ID, request()));
});

const refused: [string, string | object][] = [
  ['a payload with escapes', request('a "quoted" payload')],
  ['no payload', { type: 0, srcid: 1 }],
  ['no client id', { type: 0, payload: 'hello' }],
  ['another type', { ...request(), type: 1 }],
];
for (const [name, packet] of refused) {
  test(`refused, and the connection closed: ${name}`, async (t) => {
    const peer = await connected(t);
    peer.send(packet);
    assert.equal((await peer.nextFrame()).type, -1);
    await peer.ended();
  });
}

for (const bytes of ['GET / HTTP/1.1\r\n', '[1]', '{type:0}', `{"payload":"${'x'.repeat(20_000)}`]) {
  test(`closed without a word: ${bytes.slice(0, 20)}`, async (t) => {
    const peer = await connected(t);
    peer.send(bytes);
    await peer.ended();
    assert.equal(peer.received(), '');
  });
}

test('a peer that is slow to read gets every answer', async (t) => {
  const count = 60_000;
  const port = await freePort();
  const server = await startServer(programs, { id: ID, policy: 1, port });
  t.after(server.stop);
  const socket = net.connect({ port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  let lines = 0;
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      for (const byte of chunk) lines += byte === 0x0a ? 1 : 0;
      if (lines === count) resolve();
    });
  });
  socket.pause();
  const isFlushed = socket.write(`${JSON.stringify(request())}\n`.repeat(count));
  assert.ok(!isFlushed);
  // Until both ends are full: the server has answers that it can't send.
  await new Promise((resolve) => setTimeout(resolve, 300));
  socket.resume();
  await within(done, 10_000, `${count} answers`);
});

test('it registers, echoes heartbeats, and registers again when its session ends', async (t) => {
  const proxy = await scriptedServer();
  t.after(proxy.close);
  const port = await freePort();
  const starting = startServer(programs, { id: 'eleven', policy: 1, port, proxyPort: proxy.port });
  const first = await proxy.nextConnection();
  const { incarnation, ...setup } = await first.nextFrame();
  const wanted = { type: 1, id: 'eleven', privPoliId: 1, listenport: port, session: true, keepAlive: true };
  assert.deepEqual(setup, wanted);
  assert.equal(typeof incarnation, 'string');
  // It listens before it registers, because its first probe comes at once.
  await connectPeer(port).connected();
  assert.equal(await Promise.race([starting.then(() => 'ready'), turn('not yet')]), 'not yet');
  first.send({ type: 1, id: 'eleven', privPoliId: 1, status: 'registered' });
  const server = await starting;
  t.after(server.stop);
  first.send({ type: 3, srcid: 'proxy' });
  assert.deepEqual(await first.nextFrame(), { type: 3, srcid: 'eleven' });
  first.reset();
  const second = await proxy.nextConnection(1_000);
  assert.deepEqual(await second.nextFrame(), { ...wanted, incarnation });
});

test('it waits for a proxy that is not there yet', async (t) => {
  const proxyPort = await freePort();
  const starting = startServer(programs, { id: 1, policy: 1, port: await freePort(), proxyPort });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const proxy = await scriptedServer((peer) => peer.send({ type: 1 }), { port: proxyPort });
  t.after(proxy.close);
  await (await starting).stop();
});

test('a port that is taken, and a wrong command line', async (t) => {
  const taken = await scriptedServer();
  t.after(taken.close);
  const spec = { id: 1, policy: 1, port: taken.port };
  await assert.rejects(startServer(programs, spec), /server has ended: exit code 1/);
  const misused = await startProcess(programs.server, ['--id', '1', '--policy', '1']);
  assert.equal(await misused.ended, 'exit code 2');
  assert.match(misused.tail(), /--port PORT/);
});
