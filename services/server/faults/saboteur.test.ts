// test · the server's faults over real sockets: what clients and probes see, and what healing does.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectPeer, PATIENCE_MS, type Peer, timer, within } from '../../../test-support/peers.ts';
import { PROBE_PAYLOAD } from '../../shared/health-probe.ts';
import { formatAnswer } from '../../shared/packet.ts';
import { AnswerServer } from '../answer.ts';
import { type Faults, NO_FAULTS } from './misbehaviour.ts';
import { Saboteur } from './saboteur.ts';

const LONG_MS = 60_000;
const PROBE = 'health';

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');
const request = (payload: string, srcid: string | number = 111) => ({
  type: 0,
  srcid,
  privPoliId: 2,
  payload,
});

async function serve(t: TestContext, faults: Partial<Faults> = {}) {
  const server = new AnswerServer('s1');
  const saboteur = new Saboteur('s1');
  const set = (changed: Partial<Faults>) => saboteur.setFaults({ ...NO_FAULTS, ...changed });
  server.letStandIn(saboteur);
  set(faults);
  const port = await server.listen(0, '127.0.0.1');
  const peers: Peer[] = [];
  t.after(async () => {
    for (const peer of peers) peer.socket.destroy();
    await server.drain(0).catch(() => {});
  });
  const connect = () => {
    const peer = connectPeer(port);
    peers.push(peer);
    return peer;
  };
  const answered = async (count: number) => {
    const deadline = performance.now() + PATIENCE_MS;
    while (server.answered < count) {
      assert.ok(performance.now() < deadline, `${server.answered} of ${count} requests arrived`);
      await sleep(1);
    }
  };
  return { server, set, connect, answered };
}

async function payloads(peer: Peer, count: number): Promise<string[]> {
  const digests: string[] = [];
  while (digests.length < count) digests.push((await peer.nextFrame()).payload);
  return digests;
}

for (const srcid of [111, PROBE]) {
  test(`delay: each answer to ${srcid} is held back, and the order is kept`, async (t) => {
    const { connect } = await serve(t, { delayMs: 120 });
    const peer = connect();
    const isFirstDue = timer(119);
    for (const payload of ['a', 'b', 'c']) peer.send(request(payload, srcid));
    assert.deepEqual(await payloads(peer, 3), ['a', 'b', 'c'].map(sha1));
    assert.ok(isFirstDue());
    const isSecondDue = timer(119);
    peer.send(request('d', srcid));
    assert.deepEqual(await payloads(peer, 1), [sha1('d')]);
    assert.ok(isSecondDue());
  });
}

test('delay: what is held back goes out first when the delay becomes shorter, or ends', async (t) => {
  const { set, connect, answered } = await serve(t, { delayMs: LONG_MS });
  const peer = connect();
  peer.send(request('a'));
  await answered(1);
  set({ delayMs: LONG_MS - 1 });
  peer.send(request('b'));
  await answered(2);
  assert.equal(peer.received(), '');
  set({});
  peer.send(request('c'));
  assert.deepEqual(await payloads(peer, 3), ['a', 'b', 'c'].map(sha1));
});

test('delay: a connection that it has touched is an ordinary one afterwards', async (t) => {
  const { server, set, connect, answered } = await serve(t, { delayMs: LONG_MS });
  const peer = connect();
  peer.send(request('a'));
  await answered(1);
  set({});
  set({});
  assert.deepEqual(await payloads(peer, 1), [sha1('a')]);
  peer.send('{"type":0,"srcid":1,"privPoliId":2,');
  peer.send('"payload":"b"}');
  assert.deepEqual(await payloads(peer, 1), [sha1('b')]);
  const drained = server.drain(LONG_MS);
  assert.equal(await peer.ended(), 'fin');
  peer.close();
  await within(drained, PATIENCE_MS, 'end of the drain');
});

test('delay: a peer that half-closes behind its request still gets the answer', async (t) => {
  const { connect } = await serve(t, { delayMs: 80 });
  const peer = connect();
  peer.send(request('last'));
  peer.close();
  assert.deepEqual(await payloads(peer, 1), [sha1('last')]);
  assert.equal(await peer.ended(), 'fin');
});

test('delay: a refusal comes behind what is held back, then the end', async (t) => {
  const { connect } = await serve(t, { delayMs: 80 });
  const peer = connect();
  peer.send(`${JSON.stringify(request('before'))}GET / HTTP/1.1\r\n`);
  assert.deepEqual(await payloads(peer, 1), [sha1('before')]);
  assert.equal((await peer.nextFrame()).code, 'BAD_JSON');
  assert.equal(await peer.ended(), 'fin');
});

for (const ending of ['close', 'reset'] as const) {
  test(`delay: nothing is left of a connection that its peer has ended (${ending})`, async (t) => {
    const { server, set, connect, answered } = await serve(t, { delayMs: LONG_MS });
    const peer = connect();
    peer.send(request('a'));
    await answered(1);
    if (ending === 'reset') peer.reset();
    else peer.socket.destroy();
    set({ delayMs: 1 });
    await within(server.drain(LONG_MS), PATIENCE_MS, 'end of the drain');
  });
}

test('delay: no more is read than may wait, and nothing is lost or torn when it ends', async (t) => {
  const { server, set, connect } = await serve(t, { delayMs: LONG_MS });
  const total = 120_000;
  const peer = connect();
  peer.send(`${JSON.stringify(request('x'))}\n`.repeat(total));
  let last = -1;
  for (let same = 0; same < 10; last = server.answered) {
    await sleep(20);
    same = server.answered === last && last > 0 ? same + 1 : 0;
  }
  assert.ok(last < 10_000, `${last} wait in memory`);
  set({});
  const answer = formatAnswer('s1', 111, sha1('x'));
  const deadline = performance.now() + LONG_MS;
  while (peer.pendingFrames() < total) {
    assert.ok(performance.now() < deadline, `${peer.pendingFrames()} of ${total} answers came`);
    await sleep(10);
  }
  assert.ok(peer.received() === answer.repeat(total));
});

test('drain: what is held back goes out when it is due in time, then the end', async (t) => {
  const { server, connect, answered } = await serve(t, { delayMs: 150 });
  const [busy, idle] = [connect(), connect()];
  busy.send(request('late'));
  await idle.connected();
  await answered(1);
  const drained = server.drain(LONG_MS);
  assert.equal(await idle.ended(), 'fin');
  assert.equal(busy.received(), '');
  assert.deepEqual(await payloads(busy, 1), [sha1('late')]);
  assert.equal(await busy.ended(), 'fin');
  for (const peer of [busy, idle]) peer.close();
  await within(drained, PATIENCE_MS, 'end of the drain');
});

test('drain: ends by its deadline whatever is held back', async (t) => {
  const { server, connect, answered } = await serve(t, { delayMs: LONG_MS });
  const peer = connect();
  peer.send(request('never'));
  await answered(1);
  const isDue = timer(149);
  await within(server.drain(150), PATIENCE_MS, 'end of the drain');
  assert.ok(isDue());
  await peer.ended();
  assert.equal(peer.received(), '');
});

test('mute: a probe of a proxy that takes it for an old server is answered too', async (t) => {
  const { connect } = await serve(t, { isMute: true });
  const [probe, client] = [connect(), connect()];
  client.send({ ...request('not a probe'), srcid: 0 });
  probe.send({ ...request(PROBE_PAYLOAD), srcid: 0 });
  assert.deepEqual(await payloads(probe, 1), [sha1(PROBE_PAYLOAD)]);
  assert.equal(client.received(), '');
});

test('burn: each request costs CPU time, and is answered right', async (t) => {
  const { connect } = await serve(t, { burnMs: 60 });
  const peer = connect();
  const before = process.cpuUsage();
  peer.send(JSON.stringify(request('a')) + JSON.stringify(request('b', PROBE)));
  assert.deepEqual(await payloads(peer, 2), ['a', 'b'].map(sha1));
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system >= 120_000, `${user + system} µs`);
});

for (const srcid of [111, PROBE]) {
  test(`lie: ${srcid} gets the digest of something else`, async (t) => {
    const { set, connect } = await serve(t, { lieProbability: 1 });
    const peer = connect();
    peer.send(request('a', srcid));
    const { payload, ...rest } = await peer.nextFrame();
    assert.deepEqual(rest, { type: 2, srcid: 's1', destid: srcid, payloadsize: 40 });
    assert.match(payload, /^[0-9a-f]{40}$/);
    assert.notEqual(payload, sha1('a'));
    set({});
    peer.send(request('a', srcid));
    assert.deepEqual(await payloads(peer, 1), [sha1('a')]);
  });
}

test('mute: requests get nothing, probes their answer, and what was before the muteness too', async (t) => {
  const { set, connect, answered } = await serve(t, { delayMs: LONG_MS });
  const [real, probe] = [connect(), connect()];
  real.send(request('before'));
  await answered(1);
  set({ isMute: true });
  real.send(request('a'));
  await answered(2);
  probe.send(request('b', PROBE));
  assert.deepEqual(await payloads(probe, 1), [sha1('b')]);
  assert.deepEqual(await payloads(real, 1), [sha1('before')]);
  assert.equal(real.pendingFrames(), 0);
});

test('mute: afterwards no answer can be taken for that of an earlier request', async (t) => {
  const { set, connect, answered } = await serve(t, { isMute: true });
  const [muted, spared] = [connect(), connect()];
  muted.send(request('a'));
  spared.send(request('b', PROBE));
  await answered(2);
  set({ isMute: true, delayMs: 1 });
  muted.send(request('probe behind it', PROBE));
  muted.send('no packet');
  await answered(3);
  assert.deepEqual(await payloads(spared, 1), [sha1('b')]);
  set({});
  assert.equal(await muted.ended(), 'fin');
  assert.equal(muted.received(), '');
  spared.send(request('c'));
  assert.deepEqual(await payloads(spared, 1), [sha1('c')]);
});

test('drain: muted connections end at once', async (t) => {
  const { server, connect, answered } = await serve(t, { isMute: true });
  const peer = connect();
  peer.send(request('a'));
  await answered(1);
  const drained = server.drain(LONG_MS);
  assert.equal(await peer.ended(), 'fin');
  peer.close();
  await within(drained, PATIENCE_MS, 'end of the drain');
});

for (const [name, faults, srcid] of [
  ['at once', {}, 111],
  ['for probes too', {}, PROBE],
  ['late', { delayMs: 60 }, 111],
] as [string, Partial<Faults>, string | number][]) {
  test(`garble: in turn an answer that is cut off and no JSON at all, then the end (${name})`, async (t) => {
    const { connect } = await serve(t, { ...faults, garbleProbability: 1 });
    const whole = formatAnswer('s1', srcid, sha1('a'));
    for (const kind of ['cut off', 'noise', 'cut off']) {
      const peer = connect();
      const isDue = timer((faults.delayMs ?? 1) - 1);
      peer.send(JSON.stringify(request('a', srcid)) + JSON.stringify(request('behind', srcid)));
      assert.equal(await peer.ended(), 'fin');
      assert.ok(isDue() || faults.delayMs === undefined);
      const text = peer.received();
      if (kind === 'noise') assert.match(text, /^<html>/);
      else assert.ok(text.length > 10 && text.length < whole.length - 2 && whole.startsWith(text), text);
      peer.close();
    }
  });
}

test('faults that are turned on in the middle of a packet count for it', async (t) => {
  const { set, connect } = await serve(t);
  const peer = connect();
  peer.send(`${JSON.stringify(request('honest'))}{"type":0,"srcid":1,"privPoliId":2,`);
  assert.deepEqual(await payloads(peer, 1), [sha1('honest')]);
  set({ lieProbability: 1 });
  peer.send('"payload":"a"}');
  assert.notEqual((await peer.nextFrame()).payload, sha1('a'));
});
