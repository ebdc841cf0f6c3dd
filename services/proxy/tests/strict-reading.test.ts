// test · what the proxy reads strictly, over sockets: no server gets what its parser may die of, no policy is another one,
// and the NUL of a program in C is no packet of its own.
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { type Behaviour, clientOf, fakeServer, request, testProxy } from '../../../test-support/cluster.ts';
import { connectPeer, type Peer } from '../../../test-support/peers.ts';

const DEEP = `${'['.repeat(3900)}${']'.repeat(3900)}`;
const DEADLY: [what: string, text: string][] = [
  ['a payload', '{"type":0,"srcid":1,"privPoliId":1,"payload":"\\ud800"}'],
  ['a client id', '{"type":0,"srcid":"\\udfff","privPoliId":1,"payload":"p"}'],
  ['an unknown field', '{"type":0,"srcid":1,"privPoliId":1,"payload":"p","x":"\\ud800"}'],
  ['a field that another hides', '{"x":"\\ud800","type":0,"srcid":1,"privPoliId":1,"payload":"p","x":1}'],
  ['a name', '{"type":0,"srcid":1,"privPoliId":1,"payload":"p","\\ud800":1}'],
  ['arrays', `{"type":0,"srcid":1,"privPoliId":1,"payload":"p","x":${DEEP}}`],
  ['arrays that another field hides', `{"x":${DEEP},"type":0,"srcid":1,"privPoliId":1,"payload":"p","x":1}`],
];

for (const [what, text] of DEADLY) {
  test(`what a server's parser may die of reaches none, and the connection goes on: ${what}`, async (t) => {
    const proxy = await testProxy(t);
    const servers = await Promise.all([1, 2].map((id) => fakeServer(t, proxy, id)));
    for (const server of servers) await server.join();
    const client = clientOf(proxy);
    client.send(text);
    assert.equal((await client.nextFrame()).code, 'BAD_PACKET');
    client.send(request('good'));
    assert.equal((await client.nextFrame()).payload, hash('sha1', 'good'));
    const payloads = servers.flatMap(({ requests }) => requests.map(({ payload }) => payload));
    assert.deepEqual(payloads, ['good']);
  });
}

test('no request is served by the policy that its own is rounded to', async (t) => {
  const proxy = await testProxy(t);
  const policy = '9007199254740992';
  const server = await fakeServer(t, proxy, 1, { policy });
  await server.join();
  const replyTo = async (written: string) => {
    const client = clientOf(proxy);
    client.send(`{"type":0,"srcid":1,"privPoliId":${written},"payload":"p"}`);
    return await client.nextFrame();
  };
  for (const written of ['9007199254740993', policy, `${policy}.0`, '9007199254740992e0']) {
    assert.equal((await replyTo(written)).code, 'BAD_PACKET', written);
  }
  assert.equal((await replyTo('"9007199254740993"')).code, 'NO_SERVER');
  assert.equal((await replyTo(`"${policy}"`)).srcid, 1);
});

test('a packet with the NUL that ends a string in C gets one reply, and the connection goes on', async (t) => {
  const proxy = await testProxy(t);
  const server = await fakeServer(t, proxy, 1);
  await server.join();
  const client = clientOf(proxy);
  for (const payload of ['one', 'two', 'thrée']) {
    client.send(`${JSON.stringify(request(payload))}\0`);
    assert.equal((await client.nextFrame()).payload, hash('sha1', payload));
  }
  client.close();
  assert.equal(await client.ended(), 'fin');
  assert.equal(client.received().trimEnd().split('\n').length, 3);
});

test('a server that ends its answers with NUL keeps its connection', async (t) => {
  const proxy = await testProxy(t);
  const used = new Set<Peer>();
  const onProbe: Behaviour = (peer, frame) => {
    const { srcid: destid, payload } = frame;
    const answer = { type: 2, srcid: 1, destid, payloadsize: 40, payload: hash('sha1', payload) };
    peer.send(`${JSON.stringify(answer)}\0`);
  };
  const behave: Behaviour = (peer, frame, answer) => {
    used.add(peer);
    onProbe(peer, frame, answer);
  };
  const server = await fakeServer(t, proxy, 1, { behave, onProbe });
  await server.join({ keepAlive: true });
  // Over one connection they are with one worker, which has one to the server.
  const client = clientOf(proxy);
  for (const payload of ['1', '2', '3', '4', '5']) {
    client.send(request(payload));
    assert.equal((await client.nextFrame()).payload, hash('sha1', payload));
  }
  assert.deepEqual([server.requests.length, used.size], [5, 1]);
});

test('a setup packet with NUL behind it registers', async (t) => {
  const proxy = await testProxy(t);
  const peer = connectPeer(proxy.port);
  t.after(() => peer.socket.destroy());
  peer.send(`${JSON.stringify({ type: 1, id: 1, privPoliId: 1, listenport: 9 })}\0`);
  assert.equal((await peer.nextFrame()).status, 'registered');
  peer.close();
  assert.equal(await peer.ended(), 'fin');
  assert.equal(peer.pendingFrames(), 0);
});
