// test · only the culprit pays: a slow or poisoned request, a sick server, a forgotten connection cost nobody else anything.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  answerTo,
  ask,
  type Behaviour,
  clientOf,
  digestOf,
  eventOf,
  eventually,
  fakeServer,
  policies,
  request,
  rowOf,
  testProxy,
} from '../../../test-support/cluster.ts';
import type { Frame } from '../../../test-support/peers.ts';

const KEPT = { keepAlive: true };
const honest: Behaviour = (_peer, _frame, answer) => answer();

describe('a request that breaks whoever reads it', () => {
  const poisoned: Behaviour = (peer, frame, answer) => (frame.payload === 'poison' ? peer.reset() : answer());

  for (const extra of [{}, KEPT]) {
    test(`meets two servers at most${extra === KEPT ? ', pipelined behind others three' : ''}`, async (t) => {
      const proxy = await testProxy(t);
      const servers = await Promise.all(
        [1, 2, 3, 4, 5, 6].map((id) => fakeServer(t, proxy, id, { behave: poisoned })),
      );
      for (const server of servers) await server.join(extra);
      const peer = clientOf(proxy);
      const payloads = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'poison', 'h', 'i'];
      peer.send(payloads.map((payload) => JSON.stringify(request(payload))).join(''));
      for (const payload of payloads) {
        const reply = await peer.nextFrame();
        if (payload === 'poison') assert.equal(reply.code, 'UPSTREAM_FAILED');
        else assert.equal(reply.payload, digestOf(payload));
      }
      const met = servers.filter(({ requests }) => requests.some(({ payload }) => payload === 'poison'));
      assert.ok(met.length <= (extra === KEPT ? 3 : 2), `${met.length} servers`);
    });
  }

  test('is named in the event', async (t) => {
    const proxy = await testProxy(t);
    await (await fakeServer(t, proxy, 1, { behave: poisoned })).join();
    await (await fakeServer(t, proxy, 2)).join();
    await ask(proxy, request('poison', { client: 4711 }));
    assert.match((await eventOf(proxy, 'suspect', 1)).why, /client 4711 \(\d+ bytes\)/);
  });

  test('and in that of the eviction, when the server dies of it', async (t) => {
    const proxy = await testProxy(t);
    const dying: Behaviour = (_peer, frame, answer) =>
      frame.payload === 'poison' ? void server.die() : answer();
    const server = await fakeServer(t, proxy, 1, { behave: dying });
    await server.join(KEPT);
    await ask(proxy, request('first'));
    await (await fakeServer(t, proxy, 2)).join(KEPT);
    while ((await ask(proxy, request('poison', { client: 4711 }))).srcid !== 2);
    assert.match((await eventOf(proxy, 'evicted', 1)).why, /client 4711 \(\d+ bytes\)/);
  });
});

describe('an answer that slipped', () => {
  test('never reaches another client, and the server is suspected', async (t) => {
    const proxy = await testProxy(t);
    let copies = 1;
    const twice: Behaviour = (peer, frame, answer) => {
      answer();
      if (copies-- > 0) setImmediate(() => peer.send(answerTo(1, frame)));
    };
    await (await fakeServer(t, proxy, 1, { behave: twice })).join(KEPT);
    await (await fakeServer(t, proxy, 2)).join(KEPT);
    for (let client = 1; client <= 20; client += 1) {
      const reply = await ask(proxy, request(`p${client}`, { client }));
      assert.deepEqual([reply.destid, reply.payload], [client, digestOf(`p${client}`)]);
    }
    assert.match((await eventOf(proxy, 'suspect', 1)).why, /slipped/);
  });

  test('nor another request of the same client', async (t) => {
    const proxy = await testProxy(t, { requestTimeoutMs: 5000 });
    let count = 0;
    const twice: Behaviour = (_peer, _frame, answer) => {
      answer();
      count += 1;
      if (count % 7 === 0) answer();
    };
    await (await fakeServer(t, proxy, 1, { behave: twice })).join(KEPT);
    await (await fakeServer(t, proxy, 2)).join(KEPT);
    const peer = clientOf(proxy);
    const payloads = Array.from({ length: 40 }, (_, n) => `p${n}`);
    peer.send(payloads.map((payload) => JSON.stringify(request(payload))).join(''));
    for (const payload of payloads) assert.equal((await peer.nextFrame()).payload, digestOf(payload));
    for (const payload of ['same', 'same', 'same'])
      assert.equal((await ask(proxy, request(payload))).payload, digestOf(payload));
  });

  test('behind a request that waits, it is told from its answer', async (t) => {
    const proxy = await testProxy(t);
    const wrong: Behaviour = (peer, frame) => peer.send(answerTo(1, { ...frame, srcid: 999 }));
    await (await fakeServer(t, proxy, 1, { behave: wrong })).join(KEPT);
    await (await fakeServer(t, proxy, 2)).join(KEPT);
    for (let client = 1; client <= 4; client += 1)
      assert.equal((await ask(proxy, request('p', { client }))).destid, client);
  });
});

describe('slow is not dead', () => {
  // One thread: everything waits for the slow one.
  function oneThread(): Behaviour {
    let free = Promise.resolve();
    return (_peer, frame, answer) => {
      const workMs = String(frame.payload).startsWith('slow') ? 350 : 0;
      free = free.then(() => new Promise((resolve) => setTimeout(resolve, workMs))).then(answer);
    };
  }

  test('one slow request is answered, and so is everybody behind it', async (t) => {
    const proxy = await testProxy(t, { attemptTimeoutMs: 100, requestTimeoutMs: 5000 });
    for (const id of [1, 2]) await (await fakeServer(t, proxy, id, { behave: oneThread() })).join(KEPT);
    const peer = clientOf(proxy);
    const payloads = Array.from({ length: 100 }, (_, n) => (n === 10 ? 'slow' : `quick ${n}`));
    for (const payload of payloads) peer.send(request(payload));
    for (const payload of payloads) assert.equal((await peer.nextFrame()).payload, digestOf(payload));
  });

  test('so is everybody where both servers take that long for everything', async (t) => {
    const proxy = await testProxy(t, { attemptTimeoutMs: 100, requestTimeoutMs: 5000 });
    const late: Behaviour = (_peer, _frame, answer) => void setTimeout(answer, 200);
    for (const id of [1, 2]) await (await fakeServer(t, proxy, id, { behave: late })).join(KEPT);
    const replies = await Promise.all(Array.from({ length: 120 }, (_, n) => ask(proxy, request(`p${n}`))));
    for (const [n, { payload }] of replies.entries()) assert.equal(payload, digestOf(`p${n}`));
  });

  // One connection of theirs may say nothing more, and others are served meanwhile.
  function hanging(): Behaviour {
    const hung = new WeakSet<object>();
    return (peer, frame, answer) => {
      if (frame.payload === 'hang') hung.add(peer);
      if (!hung.has(peer)) answer();
    };
  }

  for (const [count, hangs] of [
    [1, 1],
    [2, 2],
    [3, 3],
  ] as const) {
    test(`where all of ${count} servers have a request that hangs, those behind it are answered`, async (t) => {
      const proxy = await testProxy(t, { attemptTimeoutMs: 200, requestTimeoutMs: 5000 });
      for (let id = 1; id <= count; id += 1) {
        await (await fakeServer(t, proxy, id, { behave: hanging() })).join(KEPT);
      }
      const peers = Array.from({ length: hangs }, () => clientOf(proxy));
      for (const peer of peers) peer.send(request('hang'));
      // Fewer and more than fit on a connection.
      const replies = Array.from({ length: 100 * count }, (_, n) => ask(proxy, request(`p${n}`), 10_000));
      for (const [n, reply] of replies.entries()) assert.equal((await reply).payload, digestOf(`p${n}`));
      for (const peer of peers) assert.equal(peer.pendingFrames(), 0);
    });
  }

  test('one that has moved to a server that falls silent too moves on', async (t) => {
    const proxy = await testProxy(t, { attemptTimeoutMs: 400, requestTimeoutMs: 5000, probe: 'connect' });
    for (const id of [1, 2, 3]) await (await fakeServer(t, proxy, id, { behave: hanging() })).join(KEPT);
    const peers = [clientOf(proxy), clientOf(proxy)];
    peers[0]?.send(request('hang'));
    const replies: Promise<Frame>[] = [];
    for (let n = 0; n < 60; n += 1) {
      if (n === 30) peers[1]?.send(request('hang'));
      replies.push(ask(proxy, request(`p${n}`), 10_000));
      await new Promise((resolve) => setTimeout(resolve, 8));
    }
    for (const [n, reply] of replies.entries()) assert.equal((await reply).payload, digestOf(`p${n}`));
  });

  test('nothing new joins a silent connection, and it is used again when it has answered', async (t) => {
    // Another worker has a connection of its own, which is not silent.
    const proxy = await testProxy(t, { attemptTimeoutMs: 100, requestTimeoutMs: 5000, workers: 1 });
    const held: (() => void)[] = [];
    // In order, as every server answers: those behind the held one wait for it.
    const holders = new WeakSet<object>();
    const holding: Behaviour = (peer, frame, answer) => {
      if (frame.payload === 'held') holders.add(peer);
      if (holders.has(peer)) held.push(answer);
      else answer();
    };
    const server = await fakeServer(t, proxy, 1, { behave: holding });
    await server.join(KEPT);
    const replies = [ask(proxy, request('held'))];
    // Those that come before it counts as silent wait behind it.
    let isPassed = false;
    for (let asked = 0; !isPassed && asked < 200; asked += 1) {
      const reply = ask(proxy, request('new'));
      replies.push(reply);
      void reply.then(() => {
        isPassed = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    for (const answer of held) answer();
    for (const [at, reply] of replies.entries())
      assert.equal((await reply).payload, digestOf(at === 0 ? 'held' : 'new'));
    assert.ok(isPassed);
  });
});

describe('clients that send without end', () => {
  for (const [connections, atOnce] of [
    [10, 60],
    [60, 16],
  ] as const) {
    test(`leave a place in the queue to those that ask one thing: ${connections} with ${atOnce} requests at a time`, async (t) => {
      const proxy = await testProxy(t, { maxWaiting: 64, requestTimeoutMs: 10_000, healthTimeoutMs: 5000 });
      let free = Promise.resolve();
      let count = 0;
      const busy: Behaviour = (_peer, _frame, answer) => {
        count += 1;
        if (count % 10 === 0) free = free.then(() => new Promise((resolve) => setTimeout(resolve, 2)));
        free = free.then(answer);
      };
      await (await fakeServer(t, proxy, 1, { behave: busy })).join(KEPT);
      let isOver = false;
      let refused = 0;
      const greedy = async (): Promise<void> => {
        const peer = clientOf(proxy);
        for (let open = 0; open < atOnce; open += 1) peer.send(request('greedy'));
        while (!isOver) {
          const { code } = await peer.nextFrame();
          if (code === 'OVERLOADED') refused += 1;
          peer.send(request('greedy'));
        }
      };
      const all = Promise.all(Array.from({ length: connections }, greedy));
      // From then on each of them has as many open as it ever has.
      await eventually(async () => count > 1000);
      for (let asked = 0; asked < 30; asked += 1)
        assert.equal((await ask(proxy, request(`p${asked}`))).payload, digestOf(`p${asked}`));
      isOver = true;
      await all;
      assert.ok(refused > 0);
    });
  }
});

describe('more requests than the servers can take', () => {
  for (const extra of [{}, KEPT]) {
    test(`are no reason to eject a server${extra === KEPT ? ' that keeps its connections' : ''}: it works, and their time was up in the queue`, async (t) => {
      const proxy = await testProxy(t, { requestTimeoutMs: 1000, healthTimeoutMs: 5000 });
      for (const id of [1, 2]) {
        let free = Promise.resolve();
        const oneAtATime: Behaviour = (_peer, _frame, answer) => {
          free = free.then(() => new Promise((resolve) => setTimeout(resolve, 15))).then(answer);
        };
        await (await fakeServer(t, proxy, id, { behave: oneAtATime })).join(extra);
      }
      const replies: Promise<Frame>[] = [];
      for (let batch = 0; batch < 50; batch += 1) {
        for (let n = 0; n < 12; n += 1) replies.push(ask(proxy, request(`p${batch}.${n}`)));
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      const codes = new Set((await Promise.all(replies)).map(({ code }) => code));
      assert.ok(codes.has('UPSTREAM_TIMEOUT'));
      assert.deepEqual(
        proxy.events.since(0).filter(({ type }) => type === 'ejected'),
        [],
      );
    });
  }
});

describe('a sick server', () => {
  test('that resets every second request is taken out, and does not flood the events', async (t) => {
    const proxy = await testProxy(t, { requestTimeoutMs: 5000 });
    let count = 0;
    const flaky: Behaviour = (peer, _frame, answer) => (count++ % 2 === 0 ? peer.reset() : answer());
    await (await fakeServer(t, proxy, 1, { behave: flaky })).join(KEPT);
    for (const id of [2, 3]) await (await fakeServer(t, proxy, id)).join(KEPT);
    for (let asked = 0; asked < 400; asked += 1) {
      const reply = await ask(proxy, request(`p${asked}`));
      assert.equal(reply.payload, digestOf(`p${asked}`));
    }
    const types = proxy.events
      .since(0)
      .filter(({ id }) => id === 1)
      .map(({ type }) => type);
    assert.ok(types.filter((type) => type === 'suspect').length <= 12, types.join());
  });

  test('of one policy takes nothing from the retries of another', async (t) => {
    const proxy = await testProxy(t, { requestTimeoutMs: 5000 });
    const sick: Behaviour = (peer) => peer.reset();
    await (await fakeServer(t, proxy, 1, { policy: 'A', behave: sick })).join(KEPT);
    await (await fakeServer(t, proxy, 2, { policy: 'B', behave: sick })).join(KEPT);
    await (await fakeServer(t, proxy, 3, { policy: 'B' })).join(KEPT);
    for (let asked = 0; asked < 300; asked += 1) await ask(proxy, request('a', { policy: 'A' }));
    for (let asked = 0; asked < 60; asked += 1)
      assert.equal((await ask(proxy, request('b', { policy: 'B' }))).payload, digestOf('b'));
  });
});

describe('a connection that was used before', () => {
  for (const maxAttempts of [1, 2])
    test(`and breaks with the next request costs nothing, with nobody else to go to and ${maxAttempts} at most to try`, async (t) => {
      const proxy = await testProxy(t, { maxAttempts });
      const used = new WeakSet<object>();
      const once: Behaviour = (peer, _frame, answer) => {
        if (used.has(peer)) peer.reset();
        else answer();
        used.add(peer);
      };
      await (await fakeServer(t, proxy, 1, { behave: once })).join(KEPT);
      for (let asked = 0; asked < 20; asked += 1)
        assert.equal((await ask(proxy, request(`p${asked}`))).payload, digestOf(`p${asked}`));
      assert.equal((await rowOf(proxy, 1))?.failed, 0);
    });

  test('and was idle for too long is not used again', async (t) => {
    const proxy = await testProxy(t, { upstreamIdleMs: 100, healthIntervalMs: 10_000 });
    const forgetful = new WeakSet<object>();
    const forgets: Behaviour = (peer, _frame, answer) => {
      if (forgetful.has(peer)) return;
      answer();
      forgetful.add(peer);
    };
    await (await fakeServer(t, proxy, 1, { behave: forgets })).join(KEPT);
    for (let asked = 0; asked < 3; asked += 1) {
      assert.equal((await ask(proxy, request('p'))).payload, digestOf('p'));
      await new Promise((resolve) => setTimeout(resolve, 110));
    }
  });
});

describe('a server that says why it closes an idle connection', () => {
  test('is not taken for one that answers twice', async (t) => {
    const proxy = await testProxy(t);
    const polite: Behaviour = (peer, _frame, answer) => {
      answer();
      setImmediate(() => {
        peer.send({ type: -1, code: 'IDLE', payload: 'Nothing came for a while.' });
        peer.close();
      });
    };
    for (const id of [1, 2]) await (await fakeServer(t, proxy, id, { behave: polite })).join(KEPT);
    for (let asked = 0; asked < 20; asked += 1) {
      assert.equal((await ask(proxy, request(`p${asked}`))).payload, digestOf(`p${asked}`));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(!proxy.events.since(0).some(({ type }) => type === 'suspect'));
  });
});

describe('workers behind one port, each with an id of its own', () => {
  test('stay where they are when a server of another policy registers one of those', async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 20 });
    let probes = 0;
    const inTurn: Behaviour = (peer, frame) => peer.send(answerTo(1 + (probes++ % 2), frame));
    const workers = await fakeServer(t, proxy, 1, { onProbe: inTurn });
    await workers.join();
    while (workers.probes.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    await (await fakeServer(t, proxy, 2, { policy: 'other' })).join();
    const before = workers.probes.length;
    while (workers.probes.length < before + 5) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(!proxy.events.since(0).some(({ type }) => type === 'evicted'));
  });
});

describe('a connection that something on the way has forgotten', () => {
  // Longer than the quarter of a second after which a connection may have been forgotten.
  const quietTime = () => new Promise((resolve) => setTimeout(resolve, 300));

  test('is found out by another one, with nobody else to go to', async (t) => {
    const proxy = await testProxy(t, { attemptTimeoutMs: 100, healthIntervalMs: 10_000 });
    let isQuiet = false;
    const forgotten = new WeakSet<object>();
    const forgets: Behaviour = (peer, _frame, answer) => {
      if (!isQuiet) forgotten.add(peer);
      else if (forgotten.has(peer)) return;
      answer();
    };
    await (await fakeServer(t, proxy, 1, { behave: forgets })).join(KEPT);
    await ask(proxy, request('first'));
    isQuiet = true;
    await quietTime();
    const replies = await Promise.all([1, 2, 3].map((n) => ask(proxy, request(`p${n}`))));
    for (const [at, { payload }] of replies.entries()) assert.equal(payload, digestOf(`p${at + 1}`));
  });

  test('is not held against its server, nor met twice by one request', async (t) => {
    const proxy = await testProxy(t, {
      attemptTimeoutMs: 100,
      requestTimeoutMs: 400,
      healthIntervalMs: 10_000,
    });
    const used = new WeakSet<object>();
    const forgets: Behaviour = (peer, _frame, answer) => {
      if (used.has(peer)) return;
      used.add(peer);
      answer();
    };
    for (const id of [1, 2]) await (await fakeServer(t, proxy, id, { behave: forgets })).join(KEPT);
    for (let n = 0; n < 8; n += 1) {
      assert.equal((await ask(proxy, request(`p${n}`))).payload, digestOf(`p${n}`));
      await quietTime();
    }
    assert.ok(!proxy.events.since(0).some(({ type }) => type === 'ejected'));
  });
});

describe('a server of the old kind', () => {
  test('gets four connections at once, and the rest waits', async (t) => {
    const proxy = await testProxy(t, { requestTimeoutMs: 10_000, healthIntervalMs: 600_000 });
    const held: (() => void)[] = [];
    const holding: Behaviour = (peer, _frame, answer) =>
      void held.push(() => {
        answer();
        peer.close();
      });
    const server = await fakeServer(t, proxy, 1, { behave: holding });
    await server.join();
    const replies = Promise.all(Array.from({ length: 25 }, (_, n) => ask(proxy, request(`p${n}`))));
    await eventually(async () => (await policies(proxy)).policies[0]?.waiting === 21);
    assert.equal(held.length, 4);
    const answered = setInterval(() => held.shift()?.(), 1);
    t.after(() => clearInterval(answered));
    for (const [n, { payload }] of (await replies).entries()) assert.equal(payload, digestOf(`p${n}`));
  });

  test('closes first: the proxy waits for that, and resets only one that does not', async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 60_000 });
    const endings: Promise<string>[] = [];
    const closes: Behaviour = (peer, frame: Frame) => {
      endings.push(peer.ended());
      peer.send(answerTo(1, frame));
      if (frame.payload === 'closes') peer.close();
    };
    await (await fakeServer(t, proxy, 1, { behave: closes, onProbe: honest })).join();
    await ask(proxy, request('closes'));
    await ask(proxy, request('waits'));
    assert.deepEqual(await Promise.all(endings), ['fin', 'ECONNRESET']);
  });
});
