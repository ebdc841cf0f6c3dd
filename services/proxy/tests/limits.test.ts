// test · floods: whoever sends too much, too slowly or reads nothing meets a limit, and nobody else notices.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  ask,
  clientOf,
  eventually,
  fakeServer,
  policies,
  request,
  testProxy,
} from '../../../test-support/cluster.ts';
import { connectPeer, type Frame, within } from '../../../test-support/peers.ts';
import type { RunningProxy } from '../proxy.ts';

// A connection that sends nothing but what is refused is closed; one good request among them makes it go on.
const NOBODY_SERVES = `${JSON.stringify(request('x', { policy: 'none' }))}\n`;
const BATCH = `${'{"type":9}\n'.repeat(49)}${NOBODY_SERVES}`;
const BATCH_PACKETS = 50;
const LINE_FEED = 10;
const SETUP = { type: 1, id: 1, privPoliId: 1, listenport: 9 };

function socketTo(t: TestContext, proxy: RunningProxy, localAddress = '127.0.0.1'): Socket {
  const socket = connect({ host: '127.0.0.1', port: proxy.port, localAddress });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return socket;
}

async function refusalsOf(proxy: RunningProxy): Promise<Record<string, number>> {
  return (await policies(proxy)).proxy.refusals;
}

async function served(proxy: RunningProxy): Promise<void> {
  assert.equal((await ask(proxy)).type, 2);
}

test('one source gets so many connections, others get theirs', async (t) => {
  // Of several workers each lets in its share.
  const proxy = await testProxy(t, { maxConnectionsPerSource: 3, workers: 1 });
  const peers = [clientOf(proxy), clientOf(proxy), clientOf(proxy)];
  await Promise.all(peers.map((peer) => peer.connected()));
  // Connected is not yet accepted, and several sockets accept in no certain order.
  await eventually(async () => (await policies(proxy)).proxy.connections === 3);
  const fourth = clientOf(proxy);
  const refusal: Frame = await fourth.nextFrame();
  assert.equal(refusal.code, 'OVERLOADED');
  assert.match(refusal.payload, /127\.0\.0\.1 has 3 connections open/);
  const other = socketTo(t, proxy, '127.0.0.2');
  other.write(`${JSON.stringify(request('x', { policy: 'none' }))}\n`);
  const [reply] = (await other.take(1).toArray()) as Buffer[];
  assert.match(String(reply), /NO_SERVER/);
  peers[0]?.close();
  await eventually(async () => {
    const late = clientOf(proxy);
    late.send(request('x', { policy: 'none' }));
    return (await late.nextFrame()).code === 'NO_SERVER';
  });
});

test('one source gets so many new servers in', async (t) => {
  const proxy = await testProxy(t, { maxSetupsPerSource: 5 });
  const peer = clientOf(proxy);
  for (let id = 1; id <= 1000; id += 1) peer.send({ ...SETUP, id, listenport: id });
  const replies: Frame[] = [];
  for (let id = 1; id <= 1000; id += 1) replies.push(await peer.nextFrame());
  assert.equal(replies.filter(({ status }) => status === 'registered').length, 5);
  assert.match(replies[999]?.payload, /More than 5 new servers from 127\.0\.0\.1 in 10 s/);
  assert.equal((await refusalsOf(proxy)).REGISTRATION_REFUSED, 995);
});

test('a connection on which nothing comes is closed, a session is not', async (t) => {
  const proxy = await testProxy(t, { idleTimeoutMs: 300 });
  const server = await fakeServer(t, proxy, 1);
  const session = await server.join({ session: true, keepAlive: true });
  const idle = clientOf(proxy);
  await idle.connected();
  assert.equal(await idle.ended(), 'fin');
  assert.equal(session.socket.destroyed, false);
  await served(proxy);
});

test('a client that reads no replies is cut off, and what waits for it stays small', async (t) => {
  const proxy = await testProxy(t, { clientTimeoutMs: 300, idleTimeoutMs: 60_000 });
  await (await fakeServer(t, proxy, 1)).join({ keepAlive: true });
  const socket = socketTo(t, proxy);
  socket.pause();
  // For as long as the proxy reads: it stops when the replies no longer go out.
  const send = (): void => {
    while (socket.writable && socket.writableLength < 1_000_000) socket.write(BATCH);
  };
  const sending = setInterval(send, 5);
  t.after(() => clearInterval(sending));
  await eventually(async () => {
    await served(proxy);
    return (await refusalsOf(proxy)).TOO_SLOW === 1;
  }, 20_000);
  await eventually(async () => (await policies(proxy)).proxy.connections <= 1);
});

test('a client that reads slowly gets every reply', async (t) => {
  const proxy = await testProxy(t, { clientTimeoutMs: 400 });
  const socket = socketTo(t, proxy);
  const count = 60_000;
  socket.write(BATCH.repeat(count / BATCH_PACKETS));
  let replies = 0;
  // Now and then a little, so that the proxy has to wait for it again and again.
  socket.on('data', (chunk: Buffer) => {
    replies += chunk.toString().split('\n').length - 1;
    socket.pause();
    setTimeout(() => socket.resume(), 2);
  });
  await eventually(async () => replies === count, 30_000);
  assert.equal((await refusalsOf(proxy)).TOO_SLOW, undefined);
});

test('packets that drip in for ever do not keep others waiting', async (t) => {
  const proxy = await testProxy(t, { clientTimeoutMs: 500 });
  await (await fakeServer(t, proxy, 1)).join({ keepAlive: true });
  const drips = Array.from({ length: 300 }, () => connectPeer(proxy.port));
  t.after(() => {
    for (const { socket } of drips) socket.destroy();
  });
  const text = JSON.stringify(request('x'.repeat(500)));
  let at = 0;
  const dripping = setInterval(() => {
    for (const { socket } of drips) if (socket.writable) socket.write(text[at] as string);
    at += 1;
  }, 20);
  t.after(() => clearInterval(dripping));
  for (let asked = 0; asked < 20; asked += 1) await served(proxy);
  const refusals = await Promise.all(drips.map((drip) => drip.nextFrame()));
  for (const { code } of refusals) assert.equal(code, 'TOO_SLOW');
});

test('a chunk of thousands of bad packets is refused packet for packet, FIN or not', async (t) => {
  const proxy = await testProxy(t);
  const batches = 400;
  const floods = Array.from({ length: 8 }, () => socketTo(t, proxy));
  const refused = floods.map((flood) => linesOf(flood, batches * BATCH_PACKETS));
  for (const [at, flood] of floods.entries()) {
    flood.write(BATCH.repeat(batches));
    if (at % 2 === 0) flood.end();
  }
  await Promise.all(refused);
});

/** Resolves when so many lines have come; there are too many for a peer that reads each of them. */
async function linesOf(socket: Socket, count: number): Promise<void> {
  let lines = 0;
  const came = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      for (const byte of chunk) if (byte === LINE_FEED) lines += 1;
      if (lines === count) resolve();
    });
  });
  await within(came, 120_000, `${count} lines`);
}

test('a connection on which 100 packets in a row are refused is closed, and the last refusal says so', async (t) => {
  const proxy = await testProxy(t);
  const server = await fakeServer(t, proxy, 1);
  await server.join({ keepAlive: true });
  const flood = clientOf(proxy);
  flood.send(`${'{}'.repeat(99)}${JSON.stringify(request('good'))}${'{}'.repeat(20_000)}`);
  assert.equal(await flood.ended(), 'fin');
  const frames: Frame[] = flood
    .received()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(frames.length, 200);
  assert.equal(frames[99]?.type, 2);
  assert.doesNotMatch(frames[198]?.payload, /closed/);
  assert.match(frames[199]?.payload, /"type" is missing.*closed.*100 packets were all refused/);
});

test('what is refused, a setup packet and requests in one write with a FIN are all replied to', async (t) => {
  const proxy = await testProxy(t);
  const server = await fakeServer(t, proxy, 1);
  const client = clientOf(proxy);
  const setup = { ...SETUP, listenport: server.port, keepAlive: true };
  const good = Array.from({ length: 5 }, (_, number) => JSON.stringify(request(`good ${number}`)));
  client.send(`${NOBODY_SERVES.repeat(80)}${JSON.stringify(setup)}${good.join('')}`);
  client.close();
  assert.equal(await client.ended(), 'fin');
  assert.equal(client.received().trimEnd().split('\n').length, 86);
  assert.equal(client.received().match(/"type":2/g)?.length, 5);
});

test('a client that waits longer than idle connections may is not cut off', async (t) => {
  const slow = { idleTimeoutMs: 300, requestTimeoutMs: 4000, attemptTimeoutMs: 4000 };
  const proxy = await testProxy(t, slow);
  const behave = (_peer: unknown, _frame: Frame, answer: () => void): void => void setTimeout(answer, 1000);
  await (await fakeServer(t, proxy, 1, { behave })).join({ keepAlive: true });
  assert.equal((await ask(proxy)).type, 2);
});

test('a client that has to wait for replies is missed as soon as it has gone', async (t) => {
  const proxy = await testProxy(t, { requestTimeoutMs: 60_000 });
  const server = await fakeServer(t, proxy, 1, { behave: () => {} });
  await server.join({ session: true, keepAlive: true });
  const gone = clientOf(proxy);
  for (let number = 0; number < 300; number += 1) gone.send(request(`x ${number}`));
  await eventually(async () => (await policies(proxy)).proxy.openRequests === 256);
  gone.reset();
  // A minute later it would be missed because its requests have failed.
  await eventually(async () => (await policies(proxy)).proxy.connections <= 1);
});

test('a packet that was begun slowly and is refused is refused once', async (t) => {
  const proxy = await testProxy(t, { clientTimeoutMs: 100, requestTimeoutMs: 60_000 });
  const answers: (() => void)[] = [];
  const server = await fakeServer(t, proxy, 1, { behave: (_peer, _frame, answer) => answers.push(answer) });
  await server.join({ session: true, keepAlive: true });
  const client = clientOf(proxy);
  client.send(`${JSON.stringify(request('x'))}{"type":`);
  await eventually(async () => answers.length === 1);
  client.send('x}');
  // Whoever is late too is told when the next look at them all has been taken.
  const late = clientOf(proxy);
  late.send('{');
  assert.equal((await late.nextFrame()).code, 'TOO_SLOW');
  for (const answer of answers) answer();
  assert.equal((await client.nextFrame()).type, 2);
  assert.equal((await client.nextFrame()).code, 'BAD_JSON');
  assert.equal(await client.ended(), 'fin');
  assert.equal(client.pendingFrames(), 0);
});
