// test · the server's data path over real sockets.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectPeer, PATIENCE_MS, type Peer, within } from '../../test-support/peers.ts';
import { AnswerServer } from './answer.ts';

/** So long waits what never comes. */
const LONG_MS = 60_000;

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');
const request = (payload: string, srcid: string | number = 111) => ({
  type: 0,
  srcid,
  privPoliId: 2,
  payload,
});

async function serve(t: TestContext): Promise<{ server: AnswerServer; port: number; connect: () => Peer }> {
  const server = new AnswerServer('s1');
  const port = await server.listen(0, '127.0.0.1');
  const peers: Peer[] = [];
  t.after(async () => {
    for (const peer of peers) peer.socket.destroy();
    await server.drain(0);
  });
  const connect = () => {
    const peer = connectPeer(port);
    peers.push(peer);
    return peer;
  };
  return { server, port, connect };
}

test('a request is answered with the SHA-1 of its payload and the ids as they came', async (t) => {
  const { connect } = await serve(t);
  const peer = connect();
  peer.send(request('hello'));
  const answer = { type: 2, srcid: 's1', destid: 111, payloadsize: 40, payload: sha1('hello') };
  assert.deepEqual(await peer.nextFrame(), answer);
  peer.send(request('', 'client "x"'));
  assert.deepEqual(await peer.nextFrame(), { ...answer, destid: 'client "x"', payload: sha1('') });
});

test('the digest is of the UTF-8 bytes, whatever way the payload is escaped', async (t) => {
  const { connect } = await serve(t);
  const peer = connect();
  peer.send('{"type":"0","srcid":1,"privPolyId":"2","payload":"\\u00e9 é 漢 🙂 \\ud83d\\ude42 }\\""}');
  assert.equal((await peer.nextFrame()).payload, sha1('é é 漢 🙂 🙂 }"'));
});

test('all requests of a chunk are answered in order, in one write', async (t) => {
  const { connect } = await serve(t);
  const peer = connect();
  let chunks = 0;
  peer.socket.on('data', () => {
    chunks += 1;
  });
  const payloads = Array.from({ length: 50 }, (_, i) => `payload ${i}`);
  peer.send(payloads.map((payload) => JSON.stringify(request(payload))).join(''));
  for (const payload of payloads) assert.equal((await peer.nextFrame()).payload, sha1(payload));
  assert.equal(chunks, 1);
});

test('requests that arrive byte by byte are answered once each', async (t) => {
  const { connect } = await serve(t);
  const peer = connect();
  peer.socket.setNoDelay(true);
  for (const byte of Buffer.from(`${JSON.stringify(request('é }'))}\n${JSON.stringify(request('two'))}`)) {
    await new Promise<void>((resolve) => peer.socket.write(Uint8Array.of(byte), () => resolve()));
  }
  assert.equal((await peer.nextFrame()).payload, sha1('é }'));
  assert.equal((await peer.nextFrame()).payload, sha1('two'));
  assert.equal(peer.pendingFrames(), 0);
});

test('a probe of the old kind is ignored, and the connection stays usable', async (t) => {
  const { connect } = await serve(t);
  const peer = connect();
  peer.send('{"type": -2}');
  peer.send(request('after'));
  assert.equal((await peer.nextFrame()).payload, sha1('after'));
});

test('a peer that half-closes behind its request still gets the answer', async (t) => {
  const { connect } = await serve(t);
  const peer = connect();
  peer.send(request('last'));
  peer.close();
  assert.equal((await peer.nextFrame()).payload, sha1('last'));
  assert.equal(await peer.ended(), 'fin');
});

const REFUSED: [string, string | Uint8Array, string][] = [
  ['bytes that are no object', 'GET / HTTP/1.1\r\n\r\n', 'BAD_JSON'],
  ['a frame that is not JSON', '{]}', 'BAD_JSON'],
  ['a frame that is too large', `{"type":0,"payload":"${'x'.repeat(9_000)}"}`, 'FRAME_TOO_LARGE'],
  ['a request without payload', '{"type":0,"srcid":1,"privPoliId":2}', 'BAD_PACKET'],
  ['a payload over 1,024 bytes', JSON.stringify(request('x'.repeat(1_025))), 'PAYLOAD_TOO_LARGE'],
  ['text without a form in UTF-8', '{"type":0,"srcid":1,"privPoliId":2,"payload":"\\ud800"}', 'BAD_PACKET'],
  [
    'bytes that are no UTF-8',
    Buffer.from('{"type":0,"srcid":1,"privPoliId":2,"payload":"\xff"}', 'latin1'),
    'BAD_JSON',
  ],
  ['a byte order mark', '\ufeff{"type":0}', 'BAD_JSON'],
  [
    'a number that is rounded',
    '{"type":0,"srcid":9007199254740993,"privPoliId":2,"payload":""}',
    'BAD_PACKET',
  ],
  ['a setup packet', '{"type":1,"id":1,"privPoliId":2,"listenport":9}', 'UNKNOWN_TYPE'],
  ['an answer', '{"type":2,"payload":"x"}', 'UNKNOWN_TYPE'],
  ['a heartbeat', '{"type":3,"srcid":1}', 'UNKNOWN_TYPE'],
  ['a type of the future', '{"type":99}', 'UNKNOWN_TYPE'],
];

for (const [name, bytes, code] of REFUSED) {
  test(`${name}: what came before is answered, then ${code}, then the end`, async (t) => {
    const { connect } = await serve(t);
    const peer = connect();
    const around = ['before', 'behind'].map((payload) => Buffer.from(JSON.stringify(request(payload))));
    peer.send(Buffer.concat([around[0] as Buffer, Buffer.from(bytes as string), around[1] as Buffer]));
    assert.equal((await peer.nextFrame()).payload, sha1('before'));
    const refusal = await peer.nextFrame();
    assert.deepEqual([refusal.type, refusal.code], [-1, code]);
    assert.equal(await peer.ended(), 'fin');
    assert.equal(peer.pendingFrames(), 0);
  });
}

test('a peer that breaks its connection harms nobody else', async (t) => {
  const { connect } = await serve(t);
  const [broken, other] = [connect(), connect()];
  broken.send('{"type":0,"payl');
  other.send(request('one'));
  await other.nextFrame();
  broken.reset();
  await broken.ended();
  other.send(request('two'));
  assert.equal((await other.nextFrame()).payload, sha1('two'));
});

test('a peer that does not read is not read from either, and gets everything once it does', async (t) => {
  const { server, connect } = await serve(t);
  const peer = connect();
  const total = 120_000;
  peer.socket.pause();
  peer.send(`${JSON.stringify(request('x'))}\n`.repeat(total));
  const stalledAt = await standsStill(() => server.answered);
  assert.ok(stalledAt < total, `all ${stalledAt} were answered into memory`);
  peer.socket.resume();
  const deadline = performance.now() + LONG_MS;
  while (peer.pendingFrames() < total) {
    assert.ok(performance.now() < deadline, `${peer.pendingFrames()} of ${total} answers came`);
    await sleep(10);
  }
  const first = `${peer.received().split('\n', 1)[0]}\n`;
  assert.equal(JSON.parse(first).payload, sha1('x'));
  assert.ok(peer.received() === first.repeat(total), 'no answer is torn or different');
});

test('drain: idle connections end, begun packets are answered first, silent ones are cut off at the deadline', async (t) => {
  const { server, port, connect } = await serve(t);
  const [idle, begun, silent] = [connect(), connect(), connect()];
  for (const peer of [idle, begun, silent]) {
    peer.send(request('hello'));
    await peer.nextFrame();
  }
  const [half, rest] = ['{"type":0,"srcid":1,"privPoliId":2,', '"payload":"late"}'];
  for (const peer of [begun, silent]) {
    await new Promise<void>((resolve) => peer.socket.write(half, () => resolve()));
  }
  // Time stands still until the test says that it is up.
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const drained = server.drain(400);
  idle.socket.on('end', () => idle.close());
  assert.equal(await idle.ended(), 'fin');
  t.mock.timers.tick(399);
  begun.send(rest);
  assert.equal((await begun.nextFrame()).payload, sha1('late'));
  assert.equal(await begun.ended(), 'fin');
  begun.close();
  t.mock.timers.tick(1);
  t.mock.timers.reset();
  await within(drained, PATIENCE_MS, 'end of the drain');
  assert.notEqual(await silent.ended(), 'fin of its own');
  const late = connectPeer(port);
  assert.equal(await late.ended(), 'ECONNREFUSED');
});

async function standsStill(read: () => number): Promise<number> {
  const deadline = performance.now() + LONG_MS;
  let last = -1;
  for (let same = 0; same < 10; ) {
    assert.ok(performance.now() < deadline, 'never stood still');
    await sleep(20);
    same = read() === last && last > 0 ? same + 1 : 0;
    last = read();
  }
  return last;
}
