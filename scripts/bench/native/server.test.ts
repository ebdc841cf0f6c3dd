// The benchmark's SHA-1 servers, compiled for real: framing, refusals, sessions, several in one process.
import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { answerTo, digestOf, request } from '../../../test-support/cluster.ts';
import { connectPeer, freePort, type Peer, scriptedServer } from '../../../test-support/peers.ts';
import { startProcess } from '../../kit/process.ts';
import { SILENT } from '../../kit/steps.ts';
import { type NativePrograms, prepareNative, startServers } from '../native.ts';

const ID = 11;

let programs: NativePrograms;
before(async () => {
  programs = await prepareNative(SILENT);
});

async function connected(t: TestContext): Promise<Peer> {
  const port = await freePort();
  const server = await startServers(programs, { first: ID - 1, count: 1, policies: 1, port });
  const peer = connectPeer(port);
  t.after(async () => {
    peer.socket.destroy();
    await server.process.stop();
  });
  await peer.connected();
  return peer;
}

test('a request may arrive in any two pieces', async (t) => {
  const peer = await connected(t);
  const packet = request('a payload {with} no escapes');
  const text = `${JSON.stringify(packet)}\n`;
  for (let cut = 0; cut <= text.length; cut += 1) {
    peer.send(text.slice(0, cut));
    await turn();
    peer.send(text.slice(cut));
    assert.deepEqual(await peer.nextFrame(), answerTo(ID, packet), `cut at ${cut}`);
  }
});

test('requests that come together are answered in order, each with its own id', async (t) => {
  const peer = await connected(t);
  const packets = [111, '111', 'health', 'Zoë', 1.5].map((srcid, index) => {
    return { ...request(`payload ${index} – ü`), srcid };
  });
  peer.send(packets.map((packet) => `${JSON.stringify(packet)}\n`).join(''));
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

for (const [name, line] of [
  ['a payload with escapes', JSON.stringify(request('a "quoted" payload'))],
  ['no payload', '{"type":0,"srcid":1}'],
  ['no client id', '{"type":0,"payload":"hello"}'],
  ['no JSON', 'GET / HTTP/1.1'],
  ['no end', `{"payload":"${'x'.repeat(20_000)}`],
] as const) {
  test(`closed without an answer: ${name}`, async (t) => {
    const peer = await connected(t);
    peer.send(name === 'no end' ? line : `${line}\n`);
    await peer.ended();
    assert.equal(peer.received(), '');
  });
}

test('it registers, echoes heartbeats, and ends when its session does', async (t) => {
  const proxy = await scriptedServer();
  t.after(proxy.close);
  const port = await freePort();
  const spec = { first: ID - 1, count: 1, policies: 1, port, proxyPort: proxy.port };
  const starting = startServers(programs, spec);
  const session = await proxy.nextConnection();
  const { incarnation, ...setup } = await session.nextFrame();
  assert.deepEqual(setup, {
    type: 1,
    id: ID,
    privPoliId: 1,
    listenport: port,
    session: true,
    keepAlive: true,
  });
  assert.equal(typeof incarnation, 'string');
  // It listens before it registers, because its first probe comes at once.
  await connectPeer(port).connected();
  assert.equal(await Promise.race([starting.then(() => 'ready'), turn('not yet')]), 'not yet');
  session.send('{"type":1,"id":11,"privPoliId":1,"status":"registered"}\n');
  const { process: server } = await starting;
  t.after(server.stop);
  session.send('{"type":3,"srcid":"proxy"}\n');
  assert.deepEqual(await session.nextFrame(), { type: 3, srcid: ID });
  session.reset();
  assert.equal(await server.ended, 'exit code 1');
  assert.match(server.tail(), /The session of server 11 has ended\./);
});

test('several servers in one process have a policy, a session, an address and an id each', async (t) => {
  const proxy = await scriptedServer();
  t.after(proxy.close);
  const port = await freePort();
  const spec = { first: 249, count: 3, policies: 2, port, proxyPort: proxy.port };
  const starting = startServers(programs, spec);
  for (const [id, policy] of [
    [250, 2],
    [251, 1],
    [252, 2],
  ]) {
    const session = await proxy.nextConnection();
    const setup = await session.nextFrame();
    assert.deepEqual([setup.id, setup.privPoliId, setup.listenport], [id, policy, port]);
    session.send('{"type":1,"status":"registered"}\n');
  }
  const { process: servers, addresses } = await starting;
  t.after(servers.stop);
  const hosts = ['127.16.0.250', '127.16.1.1', '127.16.1.2'];
  assert.deepEqual(
    addresses.map(({ host }) => host),
    hosts,
  );
  assert.deepEqual(proxy.connections.map(({ socket }) => socket.remoteAddress).sort(), hosts);
  for (const [at, host] of hosts.entries()) {
    const peer = connectPeer(port, host);
    t.after(() => peer.socket.destroy());
    peer.send(request('hello'));
    assert.deepEqual(await peer.nextFrame(), answerTo(250 + at, request('hello')));
  }
});

test('a port that is taken, and a wrong command line', async (t) => {
  const taken = await scriptedServer();
  t.after(taken.close);
  const spec = { first: 0, count: 1, policies: 1, port: taken.port };
  await assert.rejects(startServers(programs, spec), /server has ended: exit code 1/);
  const misused = await startProcess(programs.server, ['1', '1']);
  assert.equal(await misused.ended, 'exit code 2');
  assert.match(misused.tail(), /^Usage: server FIRST_NUMBER /);
});
