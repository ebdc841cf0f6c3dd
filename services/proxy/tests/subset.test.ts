// A proxy that uses a subset of the servers, against servers over real sockets.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  ask,
  eventOf,
  eventually,
  type FakeServer,
  fakeServer,
  lastSeq,
  policies,
  rowOf,
  testProxy,
} from '../../../test-support/cluster.ts';
import type { Frame, Peer } from '../../../test-support/peers.ts';

type Proxy = Awaited<ReturnType<typeof testProxy>>;
type Joined = { server: FakeServer; session: Peer };

async function joined(t: TestContext, proxy: Proxy, count: number): Promise<Joined[]> {
  const all: Joined[] = [];
  for (let id = 1; id <= count; id += 1) {
    const server = await fakeServer(t, proxy, id);
    const session = await server.register({ session: true, keepAlive: true, incarnation: 'first' });
    session.socket.on('data', () => session.send({ type: 3, srcid: id }));
    all.push({ server, session });
  }
  await eventually(async () => (await statesOf(proxy)).every((state) => state !== 'joining'));
  return all;
}

async function statesOf(proxy: Proxy): Promise<string[]> {
  const table = await policies(proxy);
  return table.policies.flatMap(({ servers }: Frame) => servers.map(({ state }: Frame) => state));
}

async function inState(proxy: Proxy, all: readonly Joined[], wanted: string): Promise<Joined[]> {
  const table = await policies(proxy);
  // By id: one that is evicted stands behind the others.
  const found = new Set<string>();
  for (const { servers } of table.policies)
    for (const { id, state } of servers) if (state === wanted) found.add(String(id));
  return all.filter(({ server }) => found.has(String(server.id)));
}

test('a proxy uses as many servers as its subset has, and the others stand by without probes and requests', async (t) => {
  const proxy = await testProxy(t, { subset: 2, healthIntervalMs: 20 });
  const all = await joined(t, proxy, 5);
  const [inside, outside] = [await inState(proxy, all, 'ready'), await inState(proxy, all, 'standby')];
  assert.deepEqual([inside.length, outside.length], [2, 3]);
  const [member] = inside as [Joined];
  const probesOf = () => outside.map(({ server }) => server.probes.length);
  const probedMore = async (times: number): Promise<void> => {
    const before = member.server.probes.length;
    await eventually(async () => member.server.probes.length >= before + times);
  };
  // What was due when they went outside.
  await probedMore(5);
  const before = probesOf();
  await probedMore(20);
  assert.deepEqual(probesOf(), before);
  const askedBefore = outside.map(({ server }) => server.requests.length);
  for (let asked = 0; asked < 8; asked += 1) await ask(proxy);
  assert.deepEqual(
    inside.map(({ server }) => server.requests.length),
    [4, 4],
  );
  assert.deepEqual(
    outside.map(({ server }) => server.requests.length),
    askedBefore,
  );
  const row = await rowOf(proxy, (outside[0] as Joined).server.id);
  assert.match(row?.why, /it steps in when one of them goes/);
});

test('when a server of the subset dies another one steps in, and goes out when the first comes back', async (t) => {
  const proxy = await testProxy(t, { subset: 1, healthIntervalMs: 20 });
  const all = await joined(t, proxy, 3);
  const [member] = (await inState(proxy, all, 'ready')) as [Joined];
  const { id, port } = member.server;
  const after = lastSeq(proxy);
  await member.server.die();
  member.session.reset();
  await eventOf(proxy, 'evicted', id, { after });
  await eventually(async () => (await inState(proxy, all, 'ready')).length === 1);
  const [stepped] = (await inState(proxy, all, 'ready')) as [Joined];
  assert.notEqual(stepped, member);
  assert.partialDeepStrictEqual(await eventOf(proxy, 'admitted', stepped.server.id, { after }), {
    cause: 'probe-passed',
    evidence: { before: 'stepped-in' },
  });
  assert.equal((await ask(proxy)).srcid, stepped.server.id);
  // Its place is the same at the same id: a restart moves nobody else.
  const again = await fakeServer(t, proxy, id, { port });
  const back = await again.register({ session: true, keepAlive: true, incarnation: 'second' });
  back.socket.on('data', () => back.send({ type: 3, srcid: id }));
  await eventOf(proxy, 'standby', stepped.server.id, { after });
  assert.equal((await ask(proxy)).srcid, id);
});

test('one that dies while it stands by is found out by the end of its session', async (t) => {
  const proxy = await testProxy(t, { subset: 1, healthIntervalMs: 20 });
  const all = await joined(t, proxy, 2);
  const [outside] = (await inState(proxy, all, 'standby')) as [Joined];
  await outside.server.die();
  outside.session.reset();
  await eventOf(proxy, 'evicted', outside.server.id);
});

test('one that stands by without a session is still probed, as seldom as one that is out is forgotten', async (t) => {
  const proxy = await testProxy(t, { subset: 1, healthIntervalMs: 20, forgetAfterMs: 100 });
  const servers = [await fakeServer(t, proxy, 1), await fakeServer(t, proxy, 2)];
  for (const server of servers) await server.register();
  await eventually(async () => (await statesOf(proxy)).includes('standby'));
  const states = await statesOf(proxy);
  const outside = servers[states.indexOf('standby')] as FakeServer;
  const before = outside.probes.length;
  await eventually(async () => outside.probes.length >= before + 2);
  await outside.die();
  await eventOf(proxy, 'evicted', outside.id);
});
