// Every error code, provoked through a real socket. The last test fails when a code has no case here.
import assert from 'node:assert/strict';
import { after, describe, type TestContext, test } from 'node:test';
import {
  ask,
  clientOf,
  eventually,
  fakeServer,
  request,
  testProxy,
  untilRefused,
} from '../../../test-support/cluster.ts';
import { connectPeer, type Frame } from '../../../test-support/peers.ts';
import { ERROR_CODES } from '../../shared/error-codes.ts';
import { proofOf } from '../../shared/proof.ts';

const silent = (): void => {};
const seen = new Set<string>();

function expectError(reply: Frame, code: string, sentence: RegExp, wasSent = false): void {
  assert.equal(reply.type, -1);
  assert.equal(reply.code, code);
  assert.match(reply.payload, sentence);
  assert.equal(reply.payloadsize, Buffer.byteLength(reply.payload));
  assert.equal(reply.sent, wasSent);
  assert.equal(reply.retryable, ERROR_CODES[code as keyof typeof ERROR_CODES].isRetryable);
  seen.add(code);
}

async function refusal(
  t: TestContext,
  bytes: string | Uint8Array,
): Promise<{ reply: Frame; isClosed: () => Promise<string> }> {
  const proxy = await testProxy(t);
  const peer = clientOf(proxy);
  peer.send(bytes);
  return { reply: await peer.nextFrame(), isClosed: () => peer.ended() };
}

describe('packets that are no packets: one reply, then the connection is closed', () => {
  const cases: [string, string | Uint8Array, string, RegExp][] = [
    ['text', 'GET / HTTP/1.1\r\n\r\n', 'BAD_JSON', /not a JSON object/],
    ['a byte order mark', '\ufeff{"type":0}', 'BAD_JSON', /byte order mark/],
    ['an array', '[{"type":0}]', 'BAD_JSON', /not a JSON object/],
    ['broken JSON', '{"type":0,}', 'BAD_JSON', /not valid JSON/],
    [
      'bytes that are no UTF-8',
      Buffer.from('{"type":0,"srcid":1,"privPoliId":1,"payload":"\xff"}', 'latin1'),
      'BAD_JSON',
      /UTF-8/,
    ],
    ['an endless frame', `{"type":0,"payload":"${'x'.repeat(9000)}`, 'FRAME_TOO_LARGE', /over 8192 bytes/],
    [
      'a frame a byte over the limit',
      `{"a":"${'x'.repeat(8193 - 8)}"}`,
      'FRAME_TOO_LARGE',
      /over 8192 bytes/,
    ],
  ];
  for (const [name, bytes, code, sentence] of cases) {
    test(name, async (t) => {
      const { reply, isClosed } = await refusal(t, bytes);
      expectError(reply, code, sentence);
      assert.equal(await isClosed(), 'fin');
    });
  }

  test('a packet that ends in the middle', async (t) => {
    const proxy = await testProxy(t);
    const peer = clientOf(proxy);
    peer.send('{"type":0,"srcid"');
    peer.close();
    expectError(await peer.nextFrame(), 'BAD_JSON', /middle of a packet/);
    assert.equal(await peer.ended(), 'fin');
  });

  test('a packet that is not complete in time', async (t) => {
    const proxy = await testProxy(t, { clientTimeoutMs: 100 });
    const peer = clientOf(proxy);
    peer.send('{"type":0,');
    expectError(await peer.nextFrame(), 'TOO_SLOW', /not complete within 0.1 s/);
    assert.equal(await peer.ended(), 'fin');
  });
});

describe('packets that ask for what can not be: one reply, and the connection stays usable', () => {
  const { type: _type, ...untyped } = request();
  const deep = `${'['.repeat(3900)}${']'.repeat(3900)}`;
  const cases: [string, Frame | string, string, RegExp][] = [
    ['a payload without a form in UTF-8', request('\ud800'), 'BAD_PACKET', /"payload" .*lone surrogate/],
    [
      'an unknown field without a form in UTF-8',
      { ...request(), note: ['\udfff'] },
      'BAD_PACKET',
      /"note" .*lone surrogate/,
    ],
    [
      'an unknown field of 3,900 arrays',
      `{"type":0,"srcid":1,"privPoliId":1,"payload":"p","x":${deep}}`,
      'BAD_PACKET',
      /"x" .*32 levels/,
    ],
    [
      'a policy that would be read as another one',
      '{"type":0,"srcid":1,"privPoliId":9007199254740993,"payload":"p"}',
      'BAD_PACKET',
      /"privPoliId" is 9007199254740993.*write it as a text/,
    ],
    [
      'a server whose id would be read as another one',
      '{"type":1,"id":9007199254740993,"privPoliId":1,"listenport":9}',
      'BAD_PACKET',
      /"id" is 9007199254740993.*write it as a text/,
    ],
    ['no type', untyped, 'BAD_PACKET', /"type" is missing/],
    ['no policy', { type: 0, srcid: 1, payload: 'p' }, 'BAD_PACKET', /"privPoliId" is missing/],
    ['no client', { type: 0, privPoliId: 1, payload: 'p' }, 'BAD_PACKET', /"srcid" is missing/],
    ['no payload', { type: 0, srcid: 1, privPoliId: 1 }, 'BAD_PACKET', /"payload" is missing/],
    ['a payload that is no text', { ...request(), payload: 7 }, 'BAD_PACKET', /"payload" is 7/],
    [
      'a port that is none',
      { type: 1, id: 1, privPoliId: 1, listenport: 70_000 },
      'BAD_PACKET',
      /"listenport" is 70000/,
    ],
    ['an unknown type', { ...request(), type: 9 }, 'UNKNOWN_TYPE', /Type 9/],
    ['an answer', { type: 2, srcid: 1, destid: 2, payload: 'x' }, 'UNKNOWN_TYPE', /Type 2/],
    ['a heartbeat outside a session', { type: 3, srcid: 1 }, 'UNKNOWN_TYPE', /Type 3/],
    ['a leave outside a session', { type: 4, id: 1 }, 'UNKNOWN_TYPE', /Type 4/],
    ['a probe of the old kind', { type: -2 }, 'UNKNOWN_TYPE', /Type -2/],
    [
      'a payload of 1,025 bytes',
      request('x'.repeat(1025)),
      'PAYLOAD_TOO_LARGE',
      /1025 bytes, and at most 1024/,
    ],
    ['a payload of 1,026 bytes of UTF-8', request('ä'.repeat(513)), 'PAYLOAD_TOO_LARGE', /1026 bytes/],
    ['a policy that nobody serves', request('p', { policy: 'none' }), 'NO_SERVER', /policy none/],
  ];
  for (const [name, packet, code, sentence] of cases) {
    test(name, async (t) => {
      const proxy = await testProxy(t);
      const server = await fakeServer(t, proxy, 1);
      await server.join();
      const peer = clientOf(proxy);
      peer.send(packet);
      expectError(await peer.nextFrame(), code, sentence);
      peer.send(request());
      assert.equal((await peer.nextFrame()).srcid, 1);
    });
  }
});

describe('servers that fail', () => {
  test('OVERLOADED: the one server has its request, the queue has its one', async (t) => {
    const proxy = await testProxy(t, { pipelineDepth: 1, maxWaiting: 1 });
    const held: (() => void)[] = [];
    const server = await fakeServer(t, proxy, 1, { behave: (_peer, _frame, answer) => held.push(answer) });
    await server.join({ keepAlive: true });
    const peer = clientOf(proxy);
    peer.send(JSON.stringify(request()).repeat(3));
    for (const at of [0, 1]) {
      await eventually(async () => held.length > at);
      held[at]?.();
      assert.equal((await peer.nextFrame()).type, 2);
    }
    expectError(await peer.nextFrame(), 'OVERLOADED', /busy and the queue is full/);
  });

  test('OVERLOADED: more connections than allowed', async (t) => {
    const proxy = await testProxy(t, { maxConnections: 1 });
    const first = clientOf(proxy);
    first.send(request());
    await first.nextFrame();
    expectError(await ask(proxy), 'OVERLOADED', /1 connections open/);
  });

  test('UPSTREAM_FAILED: the only server closes without an answer', async (t) => {
    const proxy = await testProxy(t);
    const server = await fakeServer(t, proxy, 1, { behave: (peer) => peer.close() });
    await server.join();
    expectError(await ask(proxy), 'UPSTREAM_FAILED', /failed \(1\).*may have been executed/, true);
  });

  test('UPSTREAM_TIMEOUT: the only server says nothing', async (t) => {
    const proxy = await testProxy(t, { requestTimeoutMs: 200 });
    const server = await fakeServer(t, proxy, 1, { behave: silent });
    await server.join();
    expectError(await ask(proxy), 'UPSTREAM_TIMEOUT', /No answer within 0.2 s/, true);
  });
});

describe('registrations that are refused', () => {
  const setup = { type: 1, id: 7, privPoliId: 1, listenport: 9000 };

  test('without the token', async (t) => {
    const token = Buffer.from('the token of this test');
    const proxy = await testProxy(t, { registerToken: token });
    expectError(await ask(proxy, setup), 'REGISTRATION_REFUSED', /asks for a token.*--register-token-file/);
    const proof = 'f00';
    expectError(await ask(proxy, { ...setup, proof }), 'REGISTRATION_REFUSED', /proof is for no challenge/);
    const peer = clientOf(proxy);
    const claim = { id: 7, policy: '1', listenPort: 9000, incarnation: null };
    const tries: [Buffer, object][] = [
      [Buffer.from('another token entirely'), { code: 'REGISTRATION_REFUSED' }],
      [token, { status: 'registered' }],
    ];
    for (const [known, expected] of tries) {
      peer.send({ ...setup, auth: 'hmac-sha-256' });
      const { type, nonce } = await peer.nextFrame();
      assert.equal(type, 5);
      peer.send({ ...setup, auth: 'hmac-sha-256', proof: proofOf(known, nonce, claim) });
      assert.partialDeepStrictEqual(await peer.nextFrame(), expected);
    }
  });

  test('from another network', async (t) => {
    const proxy = await testProxy(t, { registerFrom: ['10.0.0.0/8', 'fd00::/8'] });
    expectError(await ask(proxy, setup), 'REGISTRATION_REFUSED', /127\.0\.0\.1/);
  });

  test('when the table is full', async (t) => {
    const proxy = await testProxy(t, { maxServers: 1 });
    await (await fakeServer(t, proxy, 1)).join();
    expectError(
      await ask(proxy, { ...setup, id: 8, listenport: 9001 }),
      'REGISTRATION_REFUSED',
      /full with 1 servers that pass their probes/,
    );
  });
});

test('SHUTTING_DOWN: a draining proxy refuses what is new and answers what is in flight', async (t) => {
  const proxy = await testProxy(t, { drainTimeoutMs: 20_000 });
  const answers: (() => void)[] = [];
  const server = await fakeServer(t, proxy, 1, { behave: (_peer, _frame, answer) => answers.push(answer) });
  await server.join();
  const [early, late] = [clientOf(proxy), clientOf(proxy)];
  late.send(request('x', { policy: 'none' }));
  await late.nextFrame();
  early.send(request('in flight'));
  while (server.requests.length === 0) await new Promise(setImmediate);
  const stopped = proxy.stop();
  expectError(await untilRefused(late), 'SHUTTING_DOWN', /shutting down/);
  assert.equal(await late.ended(), 'fin');
  for (const answer of answers) answer();
  assert.equal((await early.nextFrame()).srcid, 1);
  await stopped;
  assert.equal(await connectPeer(proxy.port).ended(), 'ECONNREFUSED');
});

after(() => assert.deepEqual([...seen].sort(), Object.keys(ERROR_CODES).sort(), 'every code is provoked'));
