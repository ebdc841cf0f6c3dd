// Servers that register, leave, freeze, die, come back, lie about themselves or start again, against a real proxy.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  answerTo,
  ask,
  type Behaviour,
  clientOf,
  eventOf,
  eventually,
  fakeServer,
  lastSeq,
  policies,
  request,
  rowOf,
  testProxy,
} from '../../../test-support/cluster.ts';
import { connectPeer, freePort, peerFrom, timer } from '../../../test-support/peers.ts';

const SESSION = { session: true, keepAlive: true, incarnation: 'first' };
const silent: Behaviour = () => {};

describe('registration', () => {
  test('a server of the old kind may hang up before the reply', async (t) => {
    const proxy = await testProxy(t);
    const server = await fakeServer(t, proxy, 1);
    const peer = clientOf(proxy);
    peer.send({ type: '1', id: '1', privPolyId: '1', listenport: String(server.port) });
    peer.close();
    const { boot } = proxy.events;
    const registered = { type: 1, id: '1', privPoliId: '1', status: 'registered', proxy: boot };
    assert.deepEqual(await peer.nextFrame(), registered);
    await eventOf(proxy, 'admitted', 1);
  });

  test('nothing is sent to a server before its first probe has passed', async (t) => {
    const patience = { holdMs: 19_000, requestTimeoutMs: 20_000, healthTimeoutMs: 20_000 };
    const proxy = await testProxy(t, patience);
    const probes: (() => void)[] = [];
    const server = await fakeServer(t, proxy, 1, { onProbe: (_peer, _frame, answer) => probes.push(answer) });
    await server.register();
    const reply = ask(proxy);
    await eventually(async () => probes.length > 0);
    assert.equal((await rowOf(proxy, 1))?.state, 'joining');
    assert.equal(server.requests.length, 0);
    for (const answer of probes) answer();
    assert.equal((await reply).srcid, 1);
  });

  test('a server that registers before it listens is probed again soon, not given up', async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 600_000 });
    const port = await freePort();
    const early = clientOf(proxy);
    early.send({ type: 1, id: 1, privPoliId: 1, listenport: port });
    await early.nextFrame();
    await eventually(async () => (await rowOf(proxy, 1))?.lastProbe?.outcome === 'refused');
    await fakeServer(t, proxy, 1, { port });
    await eventOf(proxy, 'admitted', 1);
    assert.equal((await ask(proxy)).srcid, 1);
  });

  test('registering again refreshes: the entry keeps its place, and the turn is not moved', async (t) => {
    const proxy = await testProxy(t);
    const [one, two] = [await fakeServer(t, proxy, 1), await fakeServer(t, proxy, 2)];
    await one.join();
    await two.join();
    const before = lastSeq(proxy);
    await one.register();
    assert.equal(lastSeq(proxy), before);
    const order = [];
    for (let asked = 0; asked < 4; asked += 1) order.push((await ask(proxy)).srcid);
    assert.deepEqual(order, [1, 2, 1, 2]);
  });

  test('the same id at a new address replaces the entry', async (t) => {
    const proxy = await testProxy(t);
    const old = await fakeServer(t, proxy, 1);
    await old.join();
    const moved = await fakeServer(t, proxy, 1);
    await moved.join();
    assert.partialDeepStrictEqual(await eventOf(proxy, 'replaced', 1), {
      cause: 'moved',
      evidence: { address: `127.0.0.1:${moved.port}` },
    });
    await ask(proxy);
    assert.deepEqual([old.requests.length, moved.requests.length], [0, 1]);
  });

  test('an address can only be one server: another id or policy takes it over', async (t) => {
    const proxy = await testProxy(t);
    const server = await fakeServer(t, proxy, 1);
    await server.join();
    await ask(proxy, { type: 1, id: 9, privPoliId: 2, listenport: server.port });
    await eventOf(proxy, 'replaced', 1);
    await eventOf(proxy, 'admitted', 9);
    assert.equal((await ask(proxy, request('p', { policy: 2 }))).srcid, 1);
    assert.equal((await ask(proxy)).code, 'NO_SERVER');
  });

  test('the same id under two policies is two servers', async (t) => {
    const proxy = await testProxy(t);
    await (await fakeServer(t, proxy, 1, { policy: 'a' })).join();
    await (await fakeServer(t, proxy, 1, { policy: 'b' })).join();
    const { policies: rows } = await policies(proxy);
    assert.deepEqual(
      rows.map(({ policy, servers }: { policy: string; servers: object[] }) => [policy, servers.length]),
      [
        ['a', 1],
        ['b', 1],
      ],
    );
  });

  test('a server that started again is a new one: probed before it gets anything, at its old place', async (t) => {
    const proxy = await testProxy(t);
    const [one, two] = [await fakeServer(t, proxy, 1), await fakeServer(t, proxy, 2)];
    await one.join(SESSION);
    await two.join(SESSION);
    const after = lastSeq(proxy);
    await one.register({ ...SESSION, incarnation: 'second' });
    assert.equal((await eventOf(proxy, 'replaced', 1, { after })).cause, 'registered-again');
    assert.equal((await eventOf(proxy, 'registered', 1, { after })).cause, 'registered-again');
    await eventOf(proxy, 'admitted', 1, { after });
    assert.deepEqual([(await ask(proxy)).srcid, (await ask(proxy)).srcid], [1, 2]);
  });

  test("the end of the old boot's session does not harm the new boot", async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 600_000 });
    const server = await fakeServer(t, proxy, 1);
    const oldSession = await server.join(SESSION);
    const after = lastSeq(proxy);
    await server.register({ ...SESSION, incarnation: 'second' });
    const { seq } = await eventOf(proxy, 'admitted', 1, { after });
    oldSession.reset();
    assert.equal((await ask(proxy)).srcid, 1);
    assert.equal(lastSeq(proxy), seq);
  });
});

describe('registering again on the same session connection is answered, and the connection stays the lease', () => {
  const cases: [string, object][] = [
    ['as a new boot', { incarnation: 'second' }],
    ['under another id', { id: 7 }],
  ];
  for (const [name, change] of cases) {
    test(name, async (t) => {
      const proxy = await testProxy(t);
      const server = await fakeServer(t, proxy, 1);
      const session = await server.join(SESSION);
      session.send({ type: 1, id: 1, privPoliId: 1, listenport: server.port, ...SESSION, ...change });
      const frame = await session.nextFrame();
      assert.equal(frame.status, 'registered');
      await eventually(async () => (await rowOf(proxy, frame.id))?.session === true);
    });
  }

  test('and a refused one changes nothing', async (t) => {
    const proxy = await testProxy(t, { maxSetupsPerSource: 1 });
    const server = await fakeServer(t, proxy, 1);
    const session = await server.join(SESSION);
    session.send({ type: 1, id: 2, privPoliId: 1, listenport: 9, ...SESSION });
    assert.equal((await session.nextFrame()).code, 'REGISTRATION_REFUSED');
    assert.equal((await rowOf(proxy, 1))?.session, true);
  });
});

test('1,024 servers that register from one machine at once are all let in, and again as often as they like', async (t) => {
  const proxy = await testProxy(t);
  const peer = clientOf(proxy);
  const setups = Array.from({ length: 1024 }, (_, id) => {
    return { type: 1, id, privPoliId: id % 3, listenport: 1024 + id, incarnation: 'boot' };
  });
  for (let round = 0; round < 4; round += 1) {
    peer.send(setups.map((setup) => JSON.stringify(setup)).join('\n'));
    for (const { id } of setups) {
      assert.partialDeepStrictEqual(await peer.nextFrame(), { status: 'registered', id });
    }
  }
});

test('a server is refreshed whatever the limit on new ones', async (t) => {
  const proxy = await testProxy(t, { maxSetupsPerSource: 1 });
  const server = await fakeServer(t, proxy, 1);
  await server.join(SESSION);
  for (let tries = 0; tries < 5; tries += 1) await server.register(SESSION);
  await assert.rejects(server.register({ ...SESSION, incarnation: 'second' }), /More than 1 new servers/);
});

test('in a full table a server that serves is kept, and forged ones give their places up', async (t) => {
  const proxy = await testProxy(t, { maxServers: 4 });
  await (await fakeServer(t, proxy, 1)).join();
  for (const id of [2, 3, 4]) {
    const listenport = await freePort();
    await ask(proxy, { type: 1, id, privPoliId: 1, listenport });
    await eventually(async () => (await rowOf(proxy, id))?.lastProbe?.outcome === 'refused');
  }
  await (await fakeServer(t, proxy, 5)).join();
  const dropped = await eventOf(proxy, 'forgotten', 2);
  assert.match(dropped.why, /table was full, and no probe of it had passed/);
  assert.equal(dropped.cause, 'table-full');
  for (const id of [6, 7]) await (await fakeServer(t, proxy, id)).join();
  const refused = await ask(proxy, { type: 1, id: 8, privPoliId: 1, listenport: 9 });
  assert.match(refused.payload, /full with 4 servers that pass their probes/);
});

test('a server that meets the proxy at a second address keeps its session, and nothing changes', async (t) => {
  const proxy = await testProxy(t);
  const server = await fakeServer(t, proxy, 1);
  const first = await server.join({ keepAlive: true, session: true, incarnation: 'one' });
  const known = lastSeq(proxy);
  const { boot } = proxy.events;
  const second = clientOf(proxy);
  const setup = { type: 1, id: 1, privPoliId: '1', listenport: server.port, session: true, keepAlive: true };
  second.send({ ...setup, incarnation: 'one', sessionsWith: ['another', boot] });
  const { status, proxy: said } = await second.nextFrame();
  assert.deepEqual([status, said], ['known', boot]);
  assert.equal((await first.nextFrame()).type, 3, 'its session stands');
  assert.equal(lastSeq(proxy), known);
  // Another start of the server has no session yet, whatever it says.
  second.send({ ...setup, incarnation: 'two', sessionsWith: [boot] });
  assert.equal((await second.nextFrame()).status, 'registered');
});

test('the proxy can not be registered at itself', async (t) => {
  const proxy = await testProxy(t);
  const refused = await ask(proxy, { type: 1, id: 1, privPoliId: 1, listenport: proxy.port });
  assert.match(refused.payload, /127\.0\.0\.1:\d+ is this proxy itself/);
  const everywhere = await testProxy(t, { host: '0.0.0.0' });
  const peer = peerFrom('127.0.0.2', everywhere.port);
  t.after(() => peer.socket.destroy());
  peer.send({ type: 1, id: 1, privPoliId: 1, listenport: everywhere.port });
  assert.match((await peer.nextFrame()).payload, /127\.0\.0\.2:\d+ is this proxy itself/);
});

describe('two servers with one id', () => {
  for (const keepAlive of [true, false]) {
    test(`the one that is replaced finishes what it has, ${keepAlive ? 'and' : 'without'} keepAlive`, async (t) => {
      const proxy = await testProxy(t);
      const held: (() => void)[] = [];
      const hold: Behaviour = (_peer, _frame, answer) => held.push(answer);
      const first = await fakeServer(t, proxy, 1, { behave: hold });
      await first.join({ ...SESSION, keepAlive });
      const replies = ['a', 'b', 'c'].map((payload) => ask(proxy, request(payload)));
      await eventually(async () => first.requests.length === 3);
      const second = await fakeServer(t, proxy, 1);
      await second.join({ ...SESSION, keepAlive, incarnation: 'of the other' });
      for (const answer of held) answer();
      for (const reply of replies) assert.equal((await reply).type, 2);
      assert.equal(second.requests.length, 0);
      assert.equal((await ask(proxy)).type, 2);
      assert.equal(second.requests.length, 1);
      await eventually(async () => first.openConnections() === 0);
    });
  }

  test('what the replaced one never answers is tried at the other', async (t) => {
    const proxy = await testProxy(t, { attemptTimeoutMs: 200 });
    const first = await fakeServer(t, proxy, 1, { behave: silent });
    await first.join(SESSION);
    const reply = ask(proxy);
    await eventually(async () => first.requests.length === 1);
    const second = await fakeServer(t, proxy, 1);
    await second.join({ ...SESSION, incarnation: 'of the other' });
    assert.equal((await reply).type, 2);
    assert.equal(second.requests.length, 1);
    await eventually(async () => first.openConnections() === 0);
  });

  const farewells: [name: string, change: object, hasOwnPort: boolean, said: RegExp][] = [
    [
      'at another address',
      { incarnation: 'other' },
      true,
      /Another server registered with this id from 127\.0\.0\.1:\d+/,
    ],
    ['at its own address', { incarnation: 'other' }, false, /Another server registered with this id from/],
    ['and one boot', {}, true, /This server has also registered from 127\.0\.0\.1:\d+/],
    [
      'is not the case: one address',
      { id: 9 },
      false,
      /Server 9 of policy 1 registered the address of this one/,
    ],
  ];
  for (const [name, change, hasOwnPort, said] of farewells) {
    test(`the replaced one is told, ${name}`, async (t) => {
      const proxy = await testProxy(t);
      const first = await fakeServer(t, proxy, 1);
      const session = await first.join(SESSION);
      const second = hasOwnPort ? await fakeServer(t, proxy, 1) : first;
      await second.register({ ...SESSION, ...change });
      const farewell = await session.nextFrame();
      assert.deepEqual(
        [farewell.type, farewell.code, farewell.retryable],
        [-1, 'REGISTRATION_REFUSED', false],
      );
      assert.match(farewell.payload, said);
      assert.equal(await session.ended(), 'fin');
      if (hasOwnPort)
        assert.match((await eventOf(proxy, 'replaced', 1)).why, /:\d+: if both run, give each an id/);
    });
  }
});

test('a registration whose connection was reset is not taken for one from this machine', async (t) => {
  const proxy = await testProxy(t);
  const server = await fakeServer(t, proxy, 1);
  for (let tries = 0; tries < 20; tries += 1) {
    const peer = clientOf(proxy);
    await peer.connected();
    peer.send({ type: 1, id: 50 + tries, privPoliId: 1, listenport: server.port });
    peer.reset();
  }
  await ask(proxy);
  const { policies: rows } = await policies(proxy);
  for (const { servers } of rows) for (const { address } of servers) assert.match(address, /^127\.0\.0\.1:/);
});

test('a storm of registrations neither probes a server twice at once nor keeps it out', async (t) => {
  const proxy = await testProxy(t);
  const slow = slowAnswers(30);
  const server = await fakeServer(t, proxy, 1, { onProbe: slow.behave });
  const peer = clientOf(proxy);
  for (let boot = 0; boot < 30; boot += 1) {
    peer.send({ type: 1, id: 1, privPoliId: 1, listenport: server.port, incarnation: `boot ${boot}` });
  }
  for (let boot = 0; boot < 30; boot += 1) await peer.nextFrame();
  await eventOf(proxy, 'admitted', 1);
  assert.equal(slow.mostAtOnce(), 1);
});

test('a request that waits for a joining server finds its successor', async (t) => {
  const proxy = await testProxy(t);
  const mute = await fakeServer(t, proxy, 1, { onProbe: silent });
  await mute.register();
  const reply = ask(proxy);
  await eventually(async () => (await policies(proxy)).policies[0]?.waiting === 1);
  await (await fakeServer(t, proxy, 1)).register();
  assert.equal((await reply).srcid, 1);
});

describe('sessions', () => {
  test('a cut session of a living server costs a probe: suspect, then back', async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 600_000 });
    const server = await fakeServer(t, proxy, 1);
    const session = await server.join(SESSION);
    const after = lastSeq(proxy);
    session.reset();
    assert.match((await eventOf(proxy, 'suspect', 1, { after })).why, /session ended/);
    await eventOf(proxy, 'admitted', 1, { after });
  });

  test('the death of a server is seen at once, and costs no request', async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 600_000 });
    const [dying, other] = [await fakeServer(t, proxy, 1, { behave: silent }), await fakeServer(t, proxy, 2)];
    const session = await dying.join(SESSION);
    await other.join(SESSION);
    const replies = [1, 2, 3, 4, 5, 6].map(() => ask(proxy));
    await eventually(async () => dying.requests.length === 3);
    session.close();
    await dying.die();
    await eventOf(proxy, 'evicted', 1);
    assert.deepEqual(new Set((await Promise.all(replies)).map(({ srcid }) => srcid)), new Set([2]));
  });

  test('heartbeats go both ways, and a server that echoes none is suspect after three', async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 600_000 });
    const server = await fakeServer(t, proxy, 1);
    const session = await server.join(SESSION);
    assert.deepEqual(await session.nextFrame(), { type: 3, srcid: 'proxy' });
    session.send({ type: 3, srcid: 1 });
    const hasMissedThree = timer(2900);
    const suspect = await eventOf(proxy, 'suspect', 1);
    assert.match(suspect.why, /missed 3 heartbeats/);
    assert.ok(hasMissedThree());
    assert.notEqual(await session.ended(), '');
  });

  test('a server that leaves gets nothing new, finishes what it has, and then its session is closed', async (t) => {
    const proxy = await testProxy(t);
    const held: (() => void)[] = [];
    const leaving = await fakeServer(t, proxy, 1, { behave: (_peer, _frame, answer) => held.push(answer) });
    const session = await leaving.join(SESSION);
    await (await fakeServer(t, proxy, 2)).join(SESSION);
    const first = ask(proxy);
    await eventually(async () => held.length === 1);
    session.send({ type: 4, id: 1 });
    await eventOf(proxy, 'leaving', 1);
    for (let asked = 0; asked < 3; asked += 1) assert.equal((await ask(proxy)).srcid, 2);
    for (const answer of held) answer();
    assert.equal((await first).srcid, 1);
    while ((await session.nextFrame().catch(() => null)) !== null);
    assert.equal(await session.ended(), 'fin');
    await eventOf(proxy, 'left', 1);
    assert.equal(await rowOf(proxy, 1), undefined);
  });

  test('requests that come while the last server leaves wait for the next one', async (t) => {
    const proxy = await testProxy(t);
    const old = await fakeServer(t, proxy, 1);
    (await old.join(SESSION)).send({ type: 4, id: 1 });
    await eventOf(proxy, 'left', 1);
    const reply = ask(proxy);
    await (await fakeServer(t, proxy, 2)).join(SESSION);
    assert.equal((await reply).srcid, 2);
  });
});

describe('health checks', () => {
  test('a server whose address has gone to another one gets nothing, however well that one answers', async (t) => {
    const proxy = await testProxy(t);
    const one = await fakeServer(t, proxy, 1);
    await one.join(SESSION);
    await (await fakeServer(t, proxy, 2, { policy: '2' })).join(SESSION);
    await ask(proxy);
    await one.die();
    // As after a partition: it has the address, and does not know yet that it has to register anew.
    const other = await fakeServer(t, proxy, 2, { policy: '2', port: one.port });
    await eventOf(proxy, 'evicted', 1);
    await eventually(async () => other.probes.length > 3);
    const row = await rowOf(proxy, 1);
    assert.deepEqual([row?.state, row?.lastProbe?.outcome], ['evicted', 'somebody-else']);
    assert.equal(row?.lastProbe.detail, 'it answered as server 2, which is another one');
    assert.equal((await ask(proxy)).code, 'NO_SERVER');
    assert.equal(other.requests.length, 0);
    await other.join();
    assert.equal((await eventOf(proxy, 'replaced', 1)).cause, 'address-taken');
    assert.equal((await ask(proxy, request('hello', { policy: '2' }))).srcid, 2);
  });

  test('workers behind one port, each with an id of its own, stay in rotation', async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 30 });
    let answers = 0;
    const workers: Behaviour = (peer, frame) => {
      answers += 1;
      peer.send({ ...answerTo(1, frame), srcid: `worker ${answers % 3}` });
    };
    const server = await fakeServer(t, proxy, 1, { behave: workers, onProbe: workers });
    await server.join();
    await (await fakeServer(t, proxy, 2)).join();
    await eventually(async () => server.probes.length > 8);
    assert.equal((await rowOf(proxy, 1))?.state, 'ready');
    assert.equal(proxy.events.since(0).filter(({ type }) => type === 'evicted').length, 0);
  });

  test('a server without a session is probed with a number for an id, one with a session is not', async (t) => {
    const proxy = await testProxy(t);
    const strict: Behaviour = (peer, frame, answer) => {
      if (typeof frame.srcid === 'number') answer();
      else peer.reset();
    };
    const old = await fakeServer(t, proxy, 1, { onProbe: strict });
    await old.join();
    assert.equal((await ask(proxy)).srcid, 1);
    const modern = await fakeServer(t, proxy, 2);
    await modern.join(SESSION);
    assert.deepEqual([old.probes[0]?.srcid, modern.probes[0]?.srcid], [0, 'health']);
  });

  for (const policy of [1, '1']) {
    test(`a server is probed and told with the policy as it wrote it: ${JSON.stringify(policy)}`, async (t) => {
      const proxy = await testProxy(t);
      const strict: Behaviour = (peer, frame, answer) => {
        if (frame.privPoliId === policy) answer();
        else peer.close();
      };
      const server = await fakeServer(t, proxy, 1, { onProbe: strict });
      const peer = clientOf(proxy);
      peer.send({ type: 1, id: 1, privPoliId: policy, listenport: server.port });
      assert.equal((await peer.nextFrame()).privPoliId, policy);
      await eventOf(proxy, 'admitted', 1);
    });
  }

  test('the end of its session does not make a server one of the old kind', async (t) => {
    const proxy = await testProxy(t);
    const server = await fakeServer(t, proxy, 1);
    const session = await server.join(SESSION);
    session.reset();
    await eventOf(proxy, 'suspect', 1);
    const before = server.probes.length;
    await eventually(async () => server.probes.length > before + 1);
    assert.ok(server.probes.every(({ srcid }) => srcid === 'health'));
  });

  const deeds: Record<string, [Behaviour, RegExp]> = {
    'closes without an answer': [
      (peer) => peer.close(),
      /closed \(it closed the connection without an answer\)/,
    ],
    resets: [(peer) => peer.reset(), /reset \(it reset the connection without an answer\)/],
    'says nothing': [
      (peer) => peer.send(' '),
      /timeout \(it had not finished its answer after 150 ms: " "\)/,
    ],
    'answers with an error packet': [
      (peer) => peer.send({ type: -1, code: 'BAD', payload: 'srcid must be a number\u001b[2J' }),
      /garbled \(it answered with an error packet: srcid must be a number\\u001b\[2J \(BAD\)\)/,
    ],
    'answers with another packet': [
      (peer) => peer.send({ type: 3, srcid: 1 }),
      /it answered with a packet that is no answer: "\{"type":3,"srcid":1\}/,
    ],
    'answers with what is no packet': [
      (peer) => peer.send('Traceback\u001b[2J\n'),
      /garbled \(it answered with what is no packet: "Traceback\\x1b\[2J\\n"\)/,
    ],
  };
  for (const [name, [onProbe, why]] of Object.entries(deeds)) {
    test(`the table says what a server did that ${name} when probed`, async (t) => {
      const proxy = await testProxy(t);
      await (await fakeServer(t, proxy, 1, { onProbe })).register();
      await eventually(async () => (await rowOf(proxy, 1))?.lastProbe !== null);
      const row = await rowOf(proxy, 1);
      assert.match(`${row?.why}`, why);
      assert.match(`${row?.lastProbe.outcome} (${row?.lastProbe.detail})`, why);
    });
  }

  test('a frozen server is evicted by two timeouts, comes back by two passes, and stands last then', async (t) => {
    const proxy = await testProxy(t);
    let isFrozen = false;
    const freezing: Behaviour = (_peer, _frame, answer) => (isFrozen ? undefined : answer());
    await (await fakeServer(t, proxy, 1, { behave: freezing, onProbe: freezing })).join();
    await (await fakeServer(t, proxy, 2)).join();
    isFrozen = true;
    const { seq, why } = await eventOf(proxy, 'evicted', 1);
    assert.match(why, /2 probes in a row failed, the last: timeout/);
    isFrozen = false;
    assert.match((await eventOf(proxy, 'admitted', 1, { after: seq })).why, /2 probes in a row passed/);
    assert.deepEqual([(await ask(proxy)).srcid, (await ask(proxy)).srcid], [2, 1]);
  });

  const faults: Record<string, [Behaviour, RegExp]> = {
    'answers with a wrong digest': [
      (peer, frame) => peer.send({ type: 2, srcid: 1, destid: frame.srcid, payload: 'f'.repeat(40) }),
      /wrong-digest/,
    ],
    'answers with garbage': [(peer) => peer.send('garbage'), /garbled/],
    'hangs up': [(peer) => peer.close(), /closed/],
    resets: [(peer) => peer.reset(), /reset/],
  };
  for (const [name, [onProbe, why]] of Object.entries(faults)) {
    test(`a server that ${name} when probed is evicted`, async (t) => {
      const proxy = await testProxy(t);
      let isBad = false;
      const server = await fakeServer(t, proxy, 1, {
        onProbe: (peer, frame, answer) => (isBad ? onProbe(peer, frame, answer) : answer()),
      });
      await server.join();
      isBad = true;
      assert.match((await eventOf(proxy, 'evicted', 1)).why, why);
    });
  }

  test('--probe connect is content with a connection', async (t) => {
    const proxy = await testProxy(t, { probe: 'connect' });
    const server = await fakeServer(t, proxy, 1, { onProbe: silent });
    await server.join();
    assert.equal(server.probes.length, 0);
    await server.die();
    await eventOf(proxy, 'evicted', 1);
  });

  test('a server is never probed twice at once', async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 20, healthTimeoutMs: 400 });
    const slow = slowAnswers(50);
    const server = await fakeServer(t, proxy, 1, { onProbe: slow.behave, behave: (peer) => peer.close() });
    await server.join();
    for (let asked = 0; asked < 10; asked += 1) await ask(proxy);
    await eventually(async () => server.probes.length >= 5);
    assert.equal(slow.mostAtOnce(), 1);
  });

  test('an evicted server that does not come back is forgotten, and its session closed', async (t) => {
    const proxy = await testProxy(t, { forgetAfterMs: 300 });
    let isFrozen = false;
    const server = await fakeServer(t, proxy, 1, {
      onProbe: (_peer, _frame, answer) => (isFrozen ? undefined : answer()),
    });
    const session = await server.join(SESSION);
    isFrozen = true;
    await eventOf(proxy, 'forgotten', 1);
    assert.equal(await rowOf(proxy, 1), undefined);
    assert.equal(await session.ended(), 'fin');
  });

  test('an evicted server that registers as a new boot needs one pass only', async (t) => {
    const proxy = await testProxy(t, { healthIntervalMs: 600_000 });
    const port = await freePort();
    const first = await fakeServer(t, proxy, 1, { port });
    (await first.join(SESSION)).close();
    await first.die();
    const { seq } = await eventOf(proxy, 'evicted', 1);
    const second = await fakeServer(t, proxy, 1, { port });
    await second.register({ ...SESSION, incarnation: 'second' });
    assert.match((await eventOf(proxy, 'admitted', 1, { after: seq })).why, /first probe/);
  });
});

test('two proxies can not share a port unawares', async (t) => {
  const proxy = await testProxy(t);
  await assert.rejects(testProxy(t, { port: proxy.port }), { code: 'EADDRINUSE' });
});

test('a stopped proxy refuses connections', async (t) => {
  const proxy = await testProxy(t);
  await proxy.stop();
  assert.equal(await connectPeer(proxy.port).ended(), 'ECONNREFUSED');
});

// Answers after `delayMs`, and notes how many were being answered at once.
function slowAnswers(delayMs: number): { behave: Behaviour; mostAtOnce: () => number } {
  let open = 0;
  let most = 0;
  return {
    behave: (_peer, _frame, answer) => {
      open += 1;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        answer();
      }, delayMs);
    },
    mostAtOnce: () => most,
  };
}
