// Servers that die, freeze, lie or garble under load: nobody gets anything after its eviction, no client notices.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  answerTo,
  type Behaviour,
  clientOf,
  defaultsOfTests,
  digestOf,
  eventOf,
  eventually,
  fakeServer,
  lastSeq,
  policies,
  request,
  rowOf,
  seededRandom,
  sometimes,
  startLoad,
  testProxy,
} from '../../../test-support/cluster.ts';
import type { ClusterEvent, EventType } from '../status/events.ts';

const KEPT = { keepAlive: true };
const PROXY_DEFAULTS = { healthIntervalMs: 1000, healthTimeoutMs: 500 };
const silent: Behaviour = () => {};
const liar: Behaviour = (peer, frame) => peer.send({ ...answerTo(1, frame), payload: digestOf('a lie') });
const truncating: Behaviour = (peer) => peer.socket.end('{"type":2,"srcid":1,"payl');
const noisy: Behaviour = (peer) => peer.socket.end('<html>502 Bad Gateway</html>\n');

// What the chaos verdict computes: requests that an entry was handed while it was out of the rotation.
const OUT: readonly EventType[] = [
  'registered',
  'suspect',
  'evicted',
  'ejected',
  'leaving',
  'replaced',
  'forgotten',
];
function misrouted(events: readonly ClusterEvent[]): number {
  const outSince = new Map<string, ClusterEvent>();
  let count = 0;
  for (const event of events) {
    const before = outSince.get(event.address);
    if (before !== undefined && event.type !== 'registered') count += event.sent - before.sent;
    if (OUT.includes(event.type)) outSince.set(event.address, event);
    else outSince.delete(event.address);
  }
  return count;
}

describe('nobody gets a request after its eviction', () => {
  test('a server that freezes with requests on it and others waiting, and comes back', async (t) => {
    const proxy = await testProxy(t, { pipelineDepth: 2, attemptTimeoutMs: 100 });
    let isFrozen = false;
    const freezing: Behaviour = (_peer, _frame, answer) => (isFrozen ? undefined : answer());
    const freezer = await fakeServer(t, proxy, 1, { behave: freezing, onProbe: freezing });
    const other = await fakeServer(t, proxy, 2, { behave: (_peer, _frame, answer) => setImmediate(answer) });
    await freezer.join(KEPT);
    await other.join(KEPT);
    const load = startLoad(proxy);
    await eventually(async () => freezer.requests.length >= 20);
    isFrozen = true;
    const evicted = await eventOf(proxy, 'evicted', 1);
    const reached = freezer.requests.length;
    assert.ok(evicted.sent >= reached, `${reached} requests reached it, ${evicted.sent} were handed over`);
    const servedBefore = other.requests.length;
    await eventually(async () => other.requests.length >= servedBefore + 50);
    assert.equal((await rowOf(proxy, 1))?.sent, evicted.sent);
    isFrozen = false;
    const admitted = await eventOf(proxy, 'admitted', 1, { after: evicted.seq });
    assert.equal(admitted.sent, evicted.sent);
    await eventually(async () => freezer.requests.length > reached);
    await load.stop();
    assert.equal(misrouted(proxy.events.since(0)), 0);
    assert.equal((await rowOf(proxy, 2))?.sent, other.requests.length);
  });

  test('a server that answers well until its probes alone have failed, and comes back', async (t) => {
    const proxy = await testProxy(t);
    let isSick = false;
    const sick = await fakeServer(t, proxy, 1, {
      onProbe: (peer, _frame, answer) => (isSick ? peer.close() : answer()),
    });
    const other = await fakeServer(t, proxy, 2);
    await sick.join(KEPT);
    await other.join(KEPT);
    const load = startLoad(proxy);
    isSick = true;
    const evicted = await eventOf(proxy, 'evicted', 1);
    const reached = other.requests.length;
    await eventually(async () => other.requests.length >= reached + 50);
    // What was handed over in the turn of the eviction may never have been written.
    assert.ok(sick.requests.length <= evicted.sent);
    isSick = false;
    assert.equal((await eventOf(proxy, 'admitted', 1, { after: evicted.seq })).sent, evicted.sent);
    await load.stop();
    assert.equal(misrouted(proxy.events.since(0)), 0);
  });

  test('a server that dies again and again; a new boot is a new entry and starts at 0', async (t) => {
    const proxy = await testProxy(t);
    let mortal = await fakeServer(t, proxy, 1);
    await mortal.join({ ...KEPT, session: true, incarnation: 'boot 0' });
    await (await fakeServer(t, proxy, 2)).join(KEPT);
    const load = startLoad(proxy);
    for (let boot = 1; boot <= 3; boot += 1) {
      await eventually(async () => mortal.requests.length >= 20);
      const after = lastSeq(proxy);
      await mortal.die();
      const evicted = await eventOf(proxy, 'evicted', 1, { after });
      mortal = await fakeServer(t, proxy, 1, { port: mortal.port });
      await mortal.join({ ...KEPT, session: true, incarnation: `boot ${boot}` });
      assert.equal((await eventOf(proxy, 'replaced', 1, { after })).sent, evicted.sent);
      assert.equal((await eventOf(proxy, 'registered', 1, { after })).sent, 0);
      assert.equal((await eventOf(proxy, 'admitted', 1, { after })).sent, 0);
    }
    await load.stop();
    assert.equal(misrouted(proxy.events.since(0)), 0);
  });

  test('requests that wait for a full server are not handed to it once it is evicted', async (t) => {
    const proxy = await testProxy(t, { pipelineDepth: 1, attemptTimeoutMs: 5000 });
    const full = await fakeServer(t, proxy, 1, { behave: silent });
    await full.join(KEPT);
    const peer = clientOf(proxy);
    for (const n of [1, 2, 3, 4]) peer.send(request(`p${n}`));
    await eventually(async () => (await policies(proxy)).policies[0]?.waiting === 3);
    await (await fakeServer(t, proxy, 2)).join(KEPT);
    await full.die();
    const { sent } = await eventOf(proxy, 'evicted', 1);
    for (let got = 0; got < 4; got += 1) assert.equal((await peer.nextFrame()).srcid, 2);
    assert.equal((await rowOf(proxy, 1))?.sent, sent);
    // Of several workers one hands requests to a server whose end it has seen, until it hears from the keeper.
    if (defaultsOfTests().workers === 1) assert.equal(sent, 1);
  });
});

describe('with --verify-answers', () => {
  test('a server that lies in 5 % of its answers is ejected, for longer each time; no client notices', async (t) => {
    const proxy = await testProxy(t, { ...PROXY_DEFAULTS, verifyAnswers: true });
    const lying = sometimes(liar, 0.05, seededRandom(7));
    await (await fakeServer(t, proxy, 1, { behave: lying, onProbe: lying })).join(KEPT);
    await (await fakeServer(t, proxy, 2)).join(KEPT);
    const load = startLoad(proxy);
    const first = await eventOf(proxy, 'ejected', 1);
    assert.match(first.why, /^2 wrong answers within 10 s: out for (0\.9|1\.\d) s$/);
    const second = await eventOf(proxy, 'ejected', 1, { after: first.seq, timeoutMs: 20_000 });
    assert.match(second.why, /: out for (1\.[89]|2\.[0-2]) s$/);
    await eventOf(proxy, 'trial', 1, { after: second.seq });
    await eventually(async () => load.count() > 400);
    await load.stop();
    assert.equal(misrouted(proxy.events.since(0)), 0);
  });

  test('what stood behind a wrong answer on its connection does not count against the server', async (t) => {
    const proxy = await testProxy(t, { ...PROXY_DEFAULTS, verifyAnswers: true });
    const held: (() => void)[] = [];
    const server = await fakeServer(t, proxy, 1, {
      behave: (peer, frame, answer) => {
        if (frame.payload === 'p0') held.push(() => liar(peer, frame, answer));
        else held.push(answer);
      },
    });
    await server.join(KEPT);
    await (await fakeServer(t, proxy, 2, { behave: (_peer, _frame, answer) => answer() })).join(KEPT);
    const peer = clientOf(proxy);
    for (let sent = 0; sent < 20; sent += 1) peer.send(request(`p${sent}`));
    await eventually(async () => held.length === 10);
    for (const answer of held) answer();
    for (let got = 0; got < 20; got += 1) assert.equal((await peer.nextFrame()).payload, digestOf(`p${got}`));
    const row = await rowOf(proxy, 1);
    assert.deepEqual([row?.state, row?.failed, row?.sent], ['ready', 1, 10]);
  });
});

describe('a server that garbles, its probes too, is evicted soon; no client notices', () => {
  const cases: [string, Behaviour, number][] = [
    ['truncates every answer', truncating, 1],
    ['answers everything with noise', noisy, 1],
    ['truncates 30 % of its answers', truncating, 0.3],
    ['answers 30 % with noise', noisy, 0.3],
  ];
  for (const [name, garble, share] of cases) {
    for (const extra of [{}, KEPT]) {
      test(`${name}${extra === KEPT ? ', pipelined' : ''}`, async (t) => {
        // It is evicted long before its turn among the probes, or this would never end.
        const proxy = await testProxy(t, { ...PROXY_DEFAULTS, healthIntervalMs: 600_000 });
        let isGarbling = false;
        const garbling = sometimes(garble, share, seededRandom(11));
        const behave: Behaviour = (peer, frame, answer) =>
          isGarbling ? garbling(peer, frame, answer) : answer();
        await (await fakeServer(t, proxy, 1, { behave, onProbe: behave })).join(extra);
        await (await fakeServer(t, proxy, 2)).join(extra);
        const load = startLoad(proxy);
        isGarbling = true;
        const { why } = await eventOf(proxy, 'evicted', 1);
        assert.match(why, /closed|garbled/);
        assert.ok((await rowOf(proxy, 1))?.failed > 0);
        await load.stop();
        assert.equal(misrouted(proxy.events.since(0)), 0);
      });
    }
  }
});
