// Requests through a real proxy to scripted servers that answer, refuse, reset, hang, lie or close early.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import {
  answerTo,
  ask,
  type Behaviour,
  clientOf,
  digestOf,
  eventOf,
  eventually,
  fakeServer,
  lastSeq,
  policies,
  request,
  rowOf,
  testProxy,
} from '../../../test-support/cluster.ts';
import { connectPeer, timer } from '../../../test-support/peers.ts';
import { startProgram } from '../../../test-support/programs.ts';

const silent: Behaviour = () => {};
const KEPT = { keepAlive: true };
const NOBODYS = JSON.stringify(request('x', { policy: 'none' }));
const PATIENT = { requestTimeoutMs: 60_000, attemptTimeoutMs: 60_000 };

describe('the way of a packet', () => {
  test('five requests go 1, 2, 1, 2, 1, and each gets the digest of its payload', async (t) => {
    const proxy = await testProxy(t);
    for (const id of [1, 2]) await (await fakeServer(t, proxy, id)).join(KEPT);
    const order: number[] = [];
    for (let sent = 0; sent < 5; sent += 1) {
      const reply = await ask(proxy, request(`payload ${sent}`));
      assert.equal(reply.payload, digestOf(`payload ${sent}`));
      assert.equal(reply.destid, 111);
      order.push(reply.srcid);
    }
    assert.deepEqual(order, [1, 2, 1, 2, 1]);
  });

  test("the server gets the client's own bytes and the client the server's", async (t) => {
    const proxy = await testProxy(t);
    const odd =
      '{ "payload" : "zwölf \\u00e4 {\\"}\\" 🦊" ,"x":[1, 2 ],"srcid":"a", "type":"0","privPolyId":"1","payloadsize":999 }';
    const answer = '{"type":2,  "odd": "ü", "payload":"not even a digest"}';
    const server = await fakeServer(t, proxy, 1, { behave: (peer) => peer.send(answer) });
    await server.join();
    const peer = clientOf(proxy);
    peer.send(`\r\n\t ${odd} `);
    await peer.nextFrame();
    assert.equal(peer.received(), `${answer}\n`);
    assert.deepEqual(server.requests, [JSON.parse(odd)]);
  });

  test('policies compare as text, whichever way they are written', async (t) => {
    const proxy = await testProxy(t);
    await (await fakeServer(t, proxy, 1, { policy: '1' })).join();
    for (const policy of [1, '1']) assert.equal((await ask(proxy, request('p', { policy }))).srcid, 1);
    assert.equal((await ask(proxy, { type: '0', srcid: 'x', privPolyId: 1, payload: 'p' })).srcid, 1);
  });

  test('a request may come a byte at a time, and its sender may half-close before the reply', async (t) => {
    const proxy = await testProxy(t);
    await (await fakeServer(t, proxy, 1)).join();
    const peer = clientOf(proxy);
    for (const byte of Buffer.from(JSON.stringify(request('schön')))) peer.socket.write(Buffer.from([byte]));
    peer.close();
    assert.equal((await peer.nextFrame()).payload, digestOf('schön'));
    assert.equal(await peer.ended(), 'fin');
  });

  test('pipelined requests are answered in their order, refusals among them', async (t) => {
    const proxy = await testProxy(t);
    const held: (() => void)[] = [];
    const slow: Behaviour = (_peer, frame, answer) =>
      frame.payload === 'first' ? held.push(answer) : answer();
    await (await fakeServer(t, proxy, 1, { behave: slow })).join();
    await (await fakeServer(t, proxy, 2)).join();
    const peer = clientOf(proxy);
    const wire = [
      request('first'),
      request('second'),
      { type: 9 },
      request('third', { policy: 'none' }),
      request('fourth'),
    ];
    peer.send(wire.map((packet) => JSON.stringify(packet)).join(''));
    while (held.length === 0) await new Promise(setImmediate);
    assert.equal(peer.pendingFrames(), 0);
    for (const answer of held) answer();
    const replies = [];
    for (const _ of wire) replies.push(await peer.nextFrame());
    assert.deepEqual(
      replies.map(({ payload, code }) => code ?? payload),
      [digestOf('first'), digestOf('second'), 'UNKNOWN_TYPE', 'NO_SERVER', digestOf('fourth')],
    );
  });

  test('a thousand pipelined requests of one client are all answered, though it reads late', async (t) => {
    const proxy = await testProxy(t, PATIENT);
    await (await fakeServer(t, proxy, 1)).join(KEPT);
    const peer = clientOf(proxy);
    peer.socket.pause();
    for (let sent = 0; sent < 1000; sent += 1) peer.send(request(`p${sent}`));
    await eventually(async () => (await rowOf(proxy, 1))?.served >= 200);
    peer.socket.resume();
    for (let got = 0; got < 1000; got += 1)
      assert.equal((await peer.nextFrame()).payload, digestOf(`p${got}`));
  });

  test('the largest payload passes, 1,024 bytes of UTF-8', async (t) => {
    const proxy = await testProxy(t);
    await (await fakeServer(t, proxy, 1)).join();
    const payload = 'ä'.repeat(512);
    assert.equal((await ask(proxy, request(payload))).payload, digestOf(payload));
  });

  test('1,000 requests over an idle cluster: max − min ≤ 1', async (t) => {
    const proxy = await testProxy(t);
    const servers = await Promise.all([1, 2, 3].map((id) => fakeServer(t, proxy, id)));
    for (const server of servers) await server.join(KEPT);
    const peer = clientOf(proxy);
    for (let sent = 0; sent < 1000; sent += 1) {
      peer.send(request());
      await peer.nextFrame();
    }
    const counts = servers.map(({ requests }) => requests.length);
    assert.equal(
      counts.reduce((a, b) => a + b),
      1000,
    );
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, String(counts));
  });
});

describe('servers of the old kind: no session, no keepAlive', () => {
  test('get one packet a connection, in one write, and may close right after the answer', async (t) => {
    const proxy = await testProxy(t);
    const old: Behaviour = (peer, frame) => peer.socket.end(JSON.stringify(answerTo(1, frame)));
    const server = await fakeServer(t, proxy, 1, { behave: old, onProbe: old });
    await server.join();
    const replies = await Promise.all([1, 2, 3, 4].map((n) => ask(proxy, request(`p${n}`))));
    assert.deepEqual(
      replies.map(({ payload }) => payload),
      [1, 2, 3, 4].map((n) => digestOf(`p${n}`)),
    );
  });

  test('that stop at an empty read live on: every connection to them carries a packet', async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 50 });
    const server = await fakeServer(t, proxy, 1);
    await server.join();
    for (let asked = 0; asked < 3; asked += 1) await ask(proxy);
    const { seq } = await eventOf(proxy, 'admitted', 1);
    await eventually(() => Promise.resolve(server.probes.length >= 5));
    assert.ok(server.probes.every(({ type, payload }) => type === 0 && payload !== ''));
    assert.equal(lastSeq(proxy), seq);
  });
});

describe('a failed attempt goes to the next server', () => {
  const failures: Record<string, Behaviour> = {
    'closes without an answer': (peer) => peer.close(),
    'resets the connection': (peer) => peer.reset(),
    'closes in the middle of the answer': (peer) => peer.socket.end('{"type":2,"srcid":1,"payl'),
    'answers with garbage': (peer) => peer.send('garbage'),
    'says nothing': silent,
  };
  for (const [name, behave] of Object.entries(failures)) {
    for (const extra of [{}, KEPT]) {
      test(`a server that ${name}${extra === KEPT ? ', pipelined' : ''}`, async (t) => {
        const proxy = await testProxy(t, { attemptTimeoutMs: 100 });
        const bad = await fakeServer(t, proxy, 1, { behave });
        await bad.join(extra);
        await (await fakeServer(t, proxy, 2)).join(extra);
        const replies = await Promise.all([1, 2, 3, 4].map((n) => ask(proxy, request(`p${n}`))));
        assert.deepEqual(
          replies.map(({ srcid }) => srcid),
          [2, 2, 2, 2],
        );
        assert.ok(bad.requests.length > 0);
        assert.match((await eventOf(proxy, 'suspect', 1)).why, /a real request .* of client 111/);
      });
    }
  }

  test('a server that refuses connections is evicted at once', async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 600_000 });
    const dead = await fakeServer(t, proxy, 1);
    await dead.join();
    await (await fakeServer(t, proxy, 2)).join();
    await dead.die();
    assert.equal((await ask(proxy)).srcid, 2);
    assert.match((await eventOf(proxy, 'evicted', 1)).why, /refused/);
  });

  test('an answer after the attempt was given up reaches nobody', async (t) => {
    const proxy = await testProxy(t, { attemptTimeoutMs: 100, healthIntervalMs: 600_000 });
    const late: (() => void)[] = [];
    const slow = await fakeServer(t, proxy, 1, { behave: (_peer, _frame, answer) => late.push(answer) });
    await slow.join(KEPT);
    await (await fakeServer(t, proxy, 2)).join(KEPT);
    const peer = clientOf(proxy);
    peer.send(request('one'));
    assert.equal((await peer.nextFrame()).srcid, 2);
    for (const answer of late) answer();
    for (const payload of ['two', 'three', 'four']) {
      peer.send(request(payload));
      assert.equal((await peer.nextFrame()).payload, digestOf(payload));
    }
    assert.equal(peer.pendingFrames(), 0);
  });

  test('more answers than requests: the connection is given up, nobody gets the surplus', async (t) => {
    const proxy = await testProxy(t);
    const chatty: Behaviour = (_peer, _frame, answer) => {
      answer();
      answer();
    };
    const server = await fakeServer(t, proxy, 1, { behave: chatty });
    await server.join(KEPT);
    for (const payload of ['one', 'two', 'three'])
      assert.equal((await ask(proxy, request(payload))).payload, digestOf(payload));
  });

  test('five failures in a row eject a server that probes can not fault, and one real request brings it back', async (t) => {
    const proxy = await testProxy(t, { attemptTimeoutMs: 50 });
    let isMute = true;
    const mute: Behaviour = (_peer, _frame, answer) => (isMute ? undefined : answer());
    const server = await fakeServer(t, proxy, 1, { behave: mute });
    await server.join();
    await (await fakeServer(t, proxy, 2)).join();
    await Promise.all(Array.from({ length: 12 }, () => ask(proxy)));
    let seq = 0;
    const ejected = eventOf(proxy, 'ejected', 1).then((event) => {
      seq = event.seq;
    });
    // A probe clears it after the five; one more real request decides.
    while (seq === 0) await Promise.race([ask(proxy), ejected]);
    assert.ok(server.requests.length <= 7, `${server.requests.length} requests failed`);
    isMute = false;
    await eventOf(proxy, 'trial', 1, { after: seq });
    while (server.requests.at(-1)?.payload !== 'trial') await ask(proxy, request('trial'));
    assert.match((await eventOf(proxy, 'admitted', 1, { after: seq })).why, /trial request was answered/);
  });

  test('a server that was frozen for a moment, with requests in flight, gets no penalty', async (t) => {
    const proxy = await testProxy(t, { attemptTimeoutMs: 50, healthTimeoutMs: 2000, healthIntervalMs: 5000 });
    let isFrozen = true;
    const thaw: (() => void)[] = [];
    const freezing: Behaviour = (_peer, _frame, answer) => void (isFrozen ? thaw.push(answer) : answer());
    const probed: Behaviour = (_peer, _frame, answer) =>
      void (isFrozen && server.requests.length > 0 ? thaw.push(answer) : answer());
    const server = await fakeServer(t, proxy, 1, { behave: freezing, onProbe: probed });
    await server.join(KEPT);
    await (await fakeServer(t, proxy, 2)).join(KEPT);
    await Promise.all(Array.from({ length: 16 }, () => ask(proxy)));
    const { seq } = await eventOf(proxy, 'suspect', 1);
    await eventually(async () => server.probes.length > 1);
    isFrozen = false;
    for (const answer of thaw) answer();
    await eventOf(proxy, 'trial', 1, { after: seq });
    while ((await ask(proxy)).srcid !== 1);
    await eventOf(proxy, 'admitted', 1, { after: seq });
    const penalties = proxy.events.since(0).filter(({ type }) => type === 'ejected');
    assert.deepEqual(penalties, []);
  });

  test('the last ready server of a policy is never ejected', async (t) => {
    const proxy = await testProxy(t);
    const server = await fakeServer(t, proxy, 1, { behave: (peer) => peer.close() });
    await server.join();
    for (let asked = 0; asked < 10; asked += 1) assert.equal((await ask(proxy)).code, 'UPSTREAM_FAILED');
    assert.equal((await rowOf(proxy, 1))?.state, 'ready');
  });

  test('with --verify-answers a wrong digest never reaches a client', async (t) => {
    const proxy = await testProxy(t, { verifyAnswers: true });
    const liar: Behaviour = (peer, frame) => peer.send({ ...answerTo(1, frame), payload: '0'.repeat(40) });
    await (await fakeServer(t, proxy, 1, { behave: liar })).join(KEPT);
    await (await fakeServer(t, proxy, 2)).join(KEPT);
    for (const payload of ['one', 'zwölf', 'three'])
      assert.equal((await ask(proxy, request(payload))).payload, digestOf(payload));
  });

  test('a server in a black hole costs a connect timeout, no more', async (t) => {
    const proxy = await testProxy(t, { connectTimeoutMs: 100, healthIntervalMs: 600_000 });
    const frozen = startProgram('test-support/small-backlog-server.ts');
    t.after(() => frozen.stop());
    await frozen.printed(/listening on \d+/);
    const port = Number(/listening on (\d+)/.exec(frozen.stdout())?.[1]);
    await ask(proxy, { type: 1, id: 1, privPoliId: 1, listenport: port });
    await eventOf(proxy, 'admitted', 1);
    await (await fakeServer(t, proxy, 2)).join();
    frozen.child.kill('SIGSTOP');
    // Once its accept queue is full, the kernel drops what would connect: the silence of a dead address.
    const fillers = Array.from({ length: 8 }, () => connectPeer(port));
    t.after(() => {
      for (const { socket } of fillers) socket.destroy();
    });
    await fillers[0]?.connected();
    const isDue = timer(99);
    const replies = await Promise.all([ask(proxy), ask(proxy)]);
    assert.deepEqual(
      replies.map(({ srcid }) => srcid),
      [2, 2],
    );
    assert.ok(isDue());
  });
});

describe('one answer that never comes', () => {
  test('does not hold up those that come later, with nobody else to go to', async (t) => {
    const proxy = await testProxy(t, { requestTimeoutMs: 300, attemptTimeoutMs: 100 });
    const swallow: Behaviour = (_peer, frame, answer) => (frame.payload === 'lost' ? undefined : answer());
    await (await fakeServer(t, proxy, 1, { behave: swallow })).join(KEPT);
    const lost = ask(proxy, request('lost'));
    assert.equal((await lost).code, 'UPSTREAM_TIMEOUT');
    for (let asked = 0; asked < 5; asked += 1) assert.equal((await ask(proxy)).srcid, 1);
    assert.equal((await rowOf(proxy, 1))?.inFlight, 0);
  });

  test('leaves no connection behind on a server of the old kind', async (t) => {
    const proxy = await testProxy(t, { requestTimeoutMs: 200 });
    const swallow: Behaviour = (_peer, frame, answer) => (frame.payload === 'lost' ? undefined : answer());
    const server = await fakeServer(t, proxy, 1, { behave: swallow });
    await server.join();
    await Promise.all(Array.from({ length: 20 }, () => ask(proxy, request('lost'))));
    await eventually(async () => (await rowOf(proxy, 1))?.inFlight === 0 && server.openConnections() <= 1);
    assert.equal((await ask(proxy)).srcid, 1);
  });

  test('does not keep those behind it from the next server', async (t) => {
    const proxy = await testProxy(t, { attemptTimeoutMs: 100, requestTimeoutMs: 2000 });
    const swallow: Behaviour = () => {};
    const refuse: Behaviour = (peer, frame, answer) => (frame.payload === 'first' ? peer.reset() : answer());
    await (await fakeServer(t, proxy, 1, { behave: refuse })).join(KEPT);
    await (await fakeServer(t, proxy, 2, { behave: swallow })).join(KEPT);
    const first = ask(proxy, request('first'));
    await eventOf(proxy, 'suspect', 1);
    await eventOf(proxy, 'admitted', 1, { after: (await eventOf(proxy, 'suspect', 1)).seq });
    const replies = await Promise.all([ask(proxy), ask(proxy), ask(proxy)]);
    assert.deepEqual(new Set(replies.map(({ srcid }) => srcid)), new Set([1]));
    assert.equal((await first).code, 'UPSTREAM_TIMEOUT', 'it ends with its answer, or at its deadline');
  });
});

test('a slow reader is not told that its own packet was slow', async (t) => {
  const proxy = await testProxy(t, { clientTimeoutMs: 100 });
  await (await fakeServer(t, proxy, 1)).join(KEPT);
  const peer = clientOf(proxy);
  peer.socket.pause();
  const count = 20_000;
  const wire = Array.from({ length: count }, (_, n) => JSON.stringify(request(`p${n}`))).join('');
  peer.send(wire);
  await eventually(async () => (await rowOf(proxy, 1))?.served > 0);
  const before = performance.now();
  // Longer than the packet timeout and a sweep of the listener, with a packet cut in two by the pause.
  await eventually(async () => performance.now() - before > 600);
  peer.socket.resume();
  for (let got = 0; got < count; got += 1) {
    assert.equal((await peer.nextFrame()).payload, digestOf(`p${got}`));
  }
});

test('with --verify-answers a surplus answer costs its connection, not everybody after it', async (t) => {
  const proxy = await testProxy(t, { verifyAnswers: true });
  let surplus = 1;
  const chatty: Behaviour = (_peer, _frame, answer) => {
    answer();
    if (surplus-- > 0) answer();
  };
  await (await fakeServer(t, proxy, 1, { behave: chatty })).join(KEPT);
  let failed = 0;
  for (let round = 0; round < 10; round += 1) {
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, n) => ask(proxy, request(`${round} ${n}`))),
    );
    for (const [n, reply] of replies.entries()) {
      if (reply.type === -1) failed += 1;
      else assert.equal(reply.payload, digestOf(`${round} ${n}`));
    }
  }
  assert.ok(failed <= 10, `${failed} failed`);
});

test('--retry never leaves a slow answer its time', async (t) => {
  const proxy = await testProxy(t, { retry: 'never', attemptTimeoutMs: 50, requestTimeoutMs: 2000 });
  const slow: Behaviour = (_peer, _frame, answer) => setTimeout(answer, 200);
  for (const id of [1, 2]) await (await fakeServer(t, proxy, id, { behave: slow })).join(KEPT);
  assert.equal((await ask(proxy)).srcid, 1);
});

test('a packet that ends too soon behind hundreds of requests is refused, although the end came while they waited', async (t) => {
  const proxy = await testProxy(t, { pipelineDepth: 1000 });
  const held: (() => void)[] = [];
  const server = await fakeServer(t, proxy, 1, { behave: (_peer, _frame, answer) => held.push(answer) });
  await server.join(KEPT);
  const peer = clientOf(proxy);
  peer.send(`${JSON.stringify(request()).repeat(300)}{"type":`);
  peer.close();
  await eventually(async () => held.length === 256);
  for (let released = 0; released < 300; released += 1) {
    await eventually(async () => held.length > released);
    held[released]?.();
  }
  for (let got = 0; got < 300; got += 1) assert.equal((await peer.nextFrame()).srcid, 1);
  assert.equal((await peer.nextFrame()).code, 'BAD_JSON');
});

/** A proxy that begins to drain: of several workers each learns of it a moment later. A request is open until `release`. */
async function drainingProxy(t: TestContext) {
  const proxy = await testProxy(t, { drainTimeoutMs: 20_000, ...PATIENT });
  const held: (() => void)[] = [];
  const server = await fakeServer(t, proxy, 1, { behave: (_peer, _frame, answer) => held.push(answer) });
  await server.join(KEPT);
  const [early, peer] = [clientOf(proxy), clientOf(proxy)];
  early.send(request('held'));
  peer.send(NOBODYS);
  await peer.nextFrame();
  await eventually(async () => held.length === 1);
  const stopped = proxy.stop();
  return {
    peer,
    release: async () => {
      held[0]?.();
      assert.equal((await early.nextFrame()).payload, digestOf('held'));
      for (const { socket } of [early, peer]) socket.destroy();
      await stopped;
    },
  };
}

test('while draining every pipelined request gets its refusal', async (t) => {
  const { peer, release } = await drainingProxy(t);
  let codes: string[] = [];
  do {
    peer.send(NOBODYS.repeat(3));
    codes = [await peer.nextFrame(), await peer.nextFrame(), await peer.nextFrame()].map(({ code }) => code);
  } while (codes[0] === 'NO_SERVER');
  assert.deepEqual(codes, ['SHUTTING_DOWN', 'SHUTTING_DOWN', 'SHUTTING_DOWN']);
  await release();
});

test('while draining a request that has begun to come in is read to its end, and gets its refusal', async (t) => {
  const { peer, release } = await drainingProxy(t);
  let codes: string[] = [];
  do {
    peer.send(NOBODYS + NOBODYS.slice(0, 20));
    const first = await peer.nextFrame();
    peer.send(NOBODYS.slice(20));
    codes = [first.code, (await peer.nextFrame()).code];
  } while (codes[1] === 'NO_SERVER');
  assert.equal(codes[1], 'SHUTTING_DOWN');
  await release();
});

test('a client that goes away leaves nothing behind', async (t) => {
  const proxy = await testProxy(t);
  const held: (() => void)[] = [];
  const server = await fakeServer(t, proxy, 1, { behave: (_peer, _frame, answer) => held.push(answer) });
  await server.join(KEPT);
  const peer = clientOf(proxy);
  peer.send(request());
  while (held.length === 0) await new Promise(setImmediate);
  peer.reset();
  for (const answer of held) answer();
  await eventually(async () => {
    const { proxy: counts } = await policies(proxy);
    return counts.openRequests === 0 && counts.connections <= 1 && (await rowOf(proxy, 1))?.inFlight === 0;
  });
});
