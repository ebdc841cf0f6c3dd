// test · what the live page is told, and what can be ordered: over real sockets.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import {
  clientOf,
  eventOf,
  eventually,
  type FakeServer,
  fakeServer,
  lastSeq,
  request,
  testProxy,
} from '../../../test-support/cluster.ts';
import { proofOf } from '../../shared/proof.ts';
import { newcomer } from '../health/health.ts';
import type { ClusterState, Hello } from '../page/browser/model/contract.ts';
import type { RunningProxy } from '../proxy.ts';
import { Durations, noCounts, quantileOf } from '../servers/durations.ts';
import { Upstream } from '../servers/upstream.ts';
import { EventLog } from './events.ts';
import { Faults } from './faults.ts';
import { Live, type LiveSources } from './live.ts';
import { Reader } from './reader.ts';

const TOKEN = 'a token of more than 16 bytes';

// biome-ignore lint/suspicious/noExplicitAny: what comes is compared field by field
type Loose = any;

/** Reads the stream until the end of the test. @returns the next message of a kind */
async function streamOf(t: TestContext, proxy: RunningProxy): Promise<(event: string) => Promise<Loose>> {
  const end = new AbortController();
  t.after(() => end.abort());
  const response = await fetch(`http://127.0.0.1:${proxy.adminPort}/api/stream`, { signal: end.signal });
  const reader = (response.body as ReadableStream<Uint8Array>)
    .pipeThrough(new TextDecoderStream())
    .getReader();
  let text = '';
  return async (event) => {
    while (true) {
      const at = text.indexOf('\n\n');
      if (at === -1) {
        const { value, done } = await reader.read();
        assert.equal(done, false);
        text += value;
        continue;
      }
      const lines = text.slice(0, at).split('\n');
      text = text.slice(at + 2);
      const name = lines.find((line) => line.startsWith('event: '))?.slice(7);
      if (name === event) return JSON.parse(lines.find((line) => line.startsWith('data: '))?.slice(6) ?? '');
    }
  };
}

const bodyOf = async (response: Response): Promise<Loose> => await response.json();

function post(
  proxy: RunningProxy,
  path: string,
  body: object | string,
  headers: object = {},
): Promise<Response> {
  return fetch(`http://127.0.0.1:${proxy.adminPort}${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { ...headers },
  });
}

function order(proxy: RunningProxy, act: string, more: object = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return post(proxy, '/api/acts', { act, policy: '1', by: 'Ada', reason: 'a test', ...more }, headers);
}

const rowsOf = (state: Loose): Loose[] =>
  state.policies.flatMap(({ servers }: { servers: object[] }) => servers);

test('the stream: who it is, then the cluster, then what happens, and why a server is out and what brings it back', async (t) => {
  const proxy = await testProxy(t, { healthIntervalMs: 50 });
  const server = await fakeServer(t, proxy, 1);
  await server.join();
  const next = await streamOf(t, proxy);
  const hello = await next('hello');
  const { workers } = (await (
    await fetch(`http://127.0.0.1:${proxy.adminPort}/api/policies`)
  ).json()) as Loose;
  assert.deepEqual([hello.wellKnownPort, hello.workers], [proxy.port, workers]);
  assert.equal(workers, Number(process.env.PROXY_WORKERS ?? 1));
  const [row] = rowsOf(await next('state'));
  assert.deepEqual([row.id, row.state, row.ordered, row.next.kind], [1, 'ready', 'none', 'would-leave']);
  await server.die();
  let event = await next('event');
  while (event.type !== 'evicted') event = await next('event');
  assert.match(event.why, /refused/);
  const [out] = rowsOf(await next('state'));
  assert.deepEqual([out.state, out.next.kind, out.next.need], ['evicted', 'good-probes', 2]);
  assert.ok(out.next.forgottenMs > Date.now());
  assert.match(out.bars, /[a-j]!+$/);
});

/** A page's stream alone, whose picture of the cluster has so many bytes. `drawn`: how often it was taken. */
async function liveWith(t: TestContext, stateBytes: number) {
  let drawn = 0;
  const events = new EventLog(Date.now);
  const live = new Live({
    events,
    faults: new Faults(Date.now),
    traffic: { watch: () => () => {} } as unknown as LiveSources['traffic'],
    hello: () => ({}) as Hello,
    state: () => {
      drawn += 1;
      return { text: 'x'.repeat(stateBytes) } as unknown as ClusterState;
    },
  });
  const server = createServer((_request, response) => live.add(response, undefined));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, events, drawn: () => drawn };
}

function suspect(events: EventLog, id: number): void {
  const registration = { id, policy: '1', host: '10.0.0.1', port: id, keepsAlive: true, incarnation: null };
  events.add('suspect', new Upstream(registration, 1, 1, newcomer(0, ''), 0), newcomer(0, 'y'.repeat(1000)));
}

test('a reader that takes its time gets the picture of a large cluster, all kept events, and what comes', async (t) => {
  const { port, events, drawn } = await liveWith(t, 4_000_000);
  for (let id = 1; id <= 1000; id += 1) suspect(events, id);
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  let got = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    got += chunk;
  });
  const seqs = (): number[] => [...got.matchAll(/^id: \w+-(\d+)$/gm)].map(([, seq]) => Number(seq));
  await once(socket, 'data');
  socket.pause();
  // A second picture and these events come while it takes nothing.
  for (let id = 1001; id <= 1010; id += 1) suspect(events, id);
  const before = drawn();
  await eventually(async () => drawn() > before);
  socket.resume();
  await eventually(async () => seqs().includes(1010) || socket.destroyed);
  const expected = Array.from({ length: 1000 }, (_, at) => 11 + at);
  assert.deepEqual(
    seqs().filter((seq) => seq > 10),
    expected,
  );
  const length = got.length;
  await eventually(async () => got.indexOf('event: state', length) !== -1 || socket.destroyed);
  assert.equal(socket.destroyed, false);
});

test('a reader that takes nothing is cut off, one that takes a piece now and then is not', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let isCut = false;
  const response = Object.assign(new EventEmitter(), {
    write: () => false,
    destroy: () => {
      isCut = true;
    },
  });
  const reader = new Reader(
    response as unknown as ServerResponse,
    () => {},
    () => {},
  );
  reader.write(Buffer.alloc(1_000_000));
  for (let look = 0; look < 10; look += 1) {
    t.mock.timers.tick(15_000);
    response.emit('drain');
  }
  assert.equal(isCut, false);
  t.mock.timers.tick(15_000);
  t.mock.timers.tick(15_000);
  assert.equal(isCut, true);
  response.emit('close');
});

test('answered requests are sampled while somebody listens', async (t) => {
  const proxy = await testProxy(t);
  await (await fakeServer(t, proxy, 1)).join();
  const next = await streamOf(t, proxy);
  await next('state');
  const client = clientOf(proxy);
  for (let i = 0; i < 20; i += 1) client.send(request(`request ${i}`));
  const { samples } = await next('sample');
  assert.deepEqual(samples[0], { policy: '1', id: 1 });
});

/** Registers with the token of this file, and waits until it is in rotation. */
async function joinWithToken(
  proxy: RunningProxy,
  { id, port }: FakeServer,
  incarnation: string,
): Promise<void> {
  const after = lastSeq(proxy);
  const peer = clientOf(proxy);
  const setup = { type: 1, id, privPoliId: 1, listenport: port, incarnation, auth: 'hmac-sha-256' };
  peer.send(setup);
  const { nonce } = await peer.nextFrame();
  const claim = { id, policy: '1', listenPort: port, incarnation };
  peer.send({ ...setup, proof: proofOf(Buffer.from(TOKEN), nonce, claim) });
  assert.equal((await peer.nextFrame()).status, 'registered');
  await eventOf(proxy, 'admitted', id, { after });
}

async function askOne(proxy: RunningProxy): Promise<string | number> {
  const client = clientOf(proxy);
  client.send(request('who'));
  const { type, srcid, code } = await client.nextFrame();
  client.socket.end();
  return type === 2 ? srcid : code;
}

test('a drained server gets nothing new, also when it starts again, until it is resumed', async (t) => {
  const proxy = await testProxy(t, { registerToken: Buffer.from(TOKEN), holdMs: 60_000 });
  const [one, two] = [await fakeServer(t, proxy, 1), await fakeServer(t, proxy, 2)];
  await joinWithToken(proxy, one, 'a');
  await joinWithToken(proxy, two, 'a');
  assert.equal((await order(proxy, 'drain', { id: 1 })).status, 200);
  const drained = await eventOf(proxy, 'drained', 1);
  assert.equal(drained.cause, 'ordered');
  assert.deepEqual(drained.evidence, { by: 'Ada', reason: 'a test' });
  for (let i = 0; i < 4; i += 1) assert.equal(await askOne(proxy), 2);
  await joinWithToken(proxy, one, 'b');
  const next = await streamOf(t, proxy);
  const row = rowsOf(await next('state')).find(({ id }) => id === 1);
  // It was drained before it started again, and not since then.
  assert.ok(row?.orderedSinceMs <= drained.atMs && row?.orderedSinceMs <= row?.sinceMs);
  for (let i = 0; i < 4; i += 1) assert.equal(await askOne(proxy), 2);
  await order(proxy, 'drain', { id: 2 });
  // It says so at once, though it is willing to hold requests for servers that are on their way.
  assert.equal(await askOne(proxy), 'NO_SERVER');
  await order(proxy, 'resume');
  assert.deepEqual([await askOne(proxy), await askOne(proxy)].sort(), [1, 2]);
});

test('a server that serves is not forgotten, one that is out is', async (t) => {
  const proxy = await testProxy(t, { registerToken: Buffer.from(TOKEN) });
  const server = await fakeServer(t, proxy, 1);
  await joinWithToken(proxy, server, 'a');
  assert.equal((await order(proxy, 'forget', { id: 1 })).status, 409);
  await order(proxy, 'drain', { id: 1 });
  assert.equal((await order(proxy, 'forget', { id: 1 })).status, 200);
  assert.equal((await eventOf(proxy, 'forgotten', 1)).evidence.by, 'Ada');
  assert.equal((await order(proxy, 'probe', { id: 1 })).status, 404);
});

test('orders need the token, a name, and something to order', async (t) => {
  const proxy = await testProxy(t, { registerToken: Buffer.from(TOKEN) });
  await joinWithToken(proxy, await fakeServer(t, proxy, 1), 'a');
  const probes: [Promise<Response>, number][] = [
    [post(proxy, '/api/acts', { act: 'probe', policy: '1', by: 'Ada' }), 403],
    [
      post(proxy, '/api/acts', { act: 'probe', policy: '1', by: 'Ada' }, { authorization: 'Bearer wrong' }),
      403,
    ],
    [order(proxy, 'explode'), 400],
    [order(proxy, 'probe', { by: ' ' }), 400],
    [order(proxy, 'probe', { policy: 'other' }), 404],
    [order(proxy, 'probe'), 200],
  ];
  for (const [asked, status] of probes) assert.equal((await asked).status, status);
  await eventOf(proxy, 'probe-ordered', 1);
  const without = await testProxy(t);
  assert.match((await bodyOf(await order(without, 'probe'))).error, /--register-token-file/);
});

test('an order about what is no text and no whole number is refused, whatever it is', async (t) => {
  const proxy = await testProxy(t, { registerToken: Buffer.from(TOKEN) });
  await joinWithToken(proxy, await fakeServer(t, proxy, 1), 'a');
  const nested = `${'['.repeat(7000)}${']'.repeat(7000)}`;
  const textless = '{"toString":null,"valueOf":null}';
  for (const given of [textless, nested, 'null', '1.5', 'true']) {
    for (const fields of [`"policy":${given}`, `"policy":"1","id":${given}`]) {
      const headers = { authorization: `Bearer ${TOKEN}` };
      const response = await post(proxy, '/api/acts', `{"act":"drain","by":"x",${fields}}`, headers);
      assert.equal(response.status, 400, fields.slice(0, 60));
    }
  }
  assert.equal((await order(proxy, 'probe', { policy: 1, id: '1' })).status, 200);
});

test('a packet is sent through the well-known port, and its reply shown', async (t) => {
  const proxy = await testProxy(t);
  await (await fakeServer(t, proxy, 1)).join();
  const sent = await post(proxy, '/api/send', { clientId: '900', policy: '1', payload: 'hello' });
  const { ok, server, reply, phases, attempts } = await bodyOf(sent);
  assert.deepEqual([sent.status, ok, server.id, reply.type], [200, true, 1, 2]);
  assert.ok(phases.queueMs >= 0 && phases.upstreamMs > 0, JSON.stringify(phases));
  assert.deepEqual(attempts, [{ id: 1, outcome: 'answered', ms: phases.upstreamMs }]);
  const refused = await post(proxy, '/api/send', { clientId: '900', policy: 'none', payload: 'hello' });
  const refusal = await bodyOf(refused);
  assert.deepEqual(
    [refusal.reply.code, refusal.attempts, refusal.phases.upstreamMs],
    ['NO_SERVER', [], undefined],
  );
  assert.equal((await post(proxy, '/api/send', { policy: 1 })).status, 400);
});

test('a packet that a server has failed says so, and how long it waited', async (t) => {
  const proxy = await testProxy(t, { healthIntervalMs: 60_000 });
  await (await fakeServer(t, proxy, 1, { behave: (peer) => peer.reset() })).join();
  await (await fakeServer(t, proxy, 2)).join();
  const { server, attempts, phases } = await bodyOf(
    await post(proxy, '/api/send', { clientId: '900', policy: '1', payload: 'hello' }),
  );
  assert.equal(server.id, 2);
  assert.deepEqual(attempts, [
    { id: 1, outcome: 'failed, moved on' },
    { id: 2, outcome: 'answered', ms: phases.upstreamMs },
  ]);
  assert.ok(phases.queueMs > 0);
});

function report(proxy: RunningProxy, phase: string, more: object = {}, token = TOKEN): Promise<Response> {
  const fault = { phase, id: 'run 1', kind: 'pause', target: 'server-p1-1', detail: 'a test', ...more };
  return post(proxy, '/api/faults', fault, { authorization: `Bearer ${token}` });
}

test('a fault that is reported is told at once, also to who comes later, and is in the history', async (t) => {
  const proxy = await testProxy(t, { registerToken: Buffer.from(TOKEN) });
  const next = await streamOf(t, proxy);
  await next('state');
  assert.equal((await report(proxy, 'begin')).status, 200);
  const begun = await next('fault');
  const named = { id: 'run 1', kind: 'pause', target: 'server-p1-1', detail: 'a test' };
  assert.deepEqual(begun, { ...named, fromMs: begun.fromMs, untilMs: null });
  assert.equal((await report(proxy, 'begin')).status, 200, 'a second report of the same is no other fault');
  const later = await streamOf(t, proxy);
  assert.deepEqual(await later('fault'), begun);
  assert.equal((await report(proxy, 'end')).status, 200);
  const over = await next('fault');
  assert.ok(over.untilMs >= over.fromMs);
  assert.equal((await report(proxy, 'end')).status, 404);
  const history = await bodyOf(await fetch(`http://127.0.0.1:${proxy.adminPort}/api/history`));
  assert.deepEqual(history.faults, [over]);
});

test('faults are reported with the token, and with all that names them', async (t) => {
  const proxy = await testProxy(t, { registerToken: Buffer.from(TOKEN) });
  const reports: [Promise<Response>, number][] = [
    [post(proxy, '/api/faults', { phase: 'begin', id: '1', kind: 'kill', target: 'a' }), 403],
    [report(proxy, 'begin', {}, 'another token than that of the proxy'), 403],
    [report(proxy, 'middle'), 400],
    [report(proxy, 'begin', { id: 7 }), 400],
    [report(proxy, 'begin', { kind: '' }), 400],
    [report(proxy, 'begin', { target: [] }), 400],
    [report(proxy, 'begin', { detail: 'x'.repeat(20_000) }), 413],
    [post(proxy, '/api/faults', 'no json', { authorization: `Bearer ${TOKEN}` }), 400],
    [report(proxy, 'begin', { detail: 'x'.repeat(2000) }), 200],
  ];
  for (const [response, status] of reports) assert.equal((await response).status, status);
  const { faults } = await bodyOf(await fetch(`http://127.0.0.1:${proxy.adminPort}/api/history`));
  assert.deepEqual([faults.length, faults[0].detail.length], [1, 200]);
  const without = await testProxy(t);
  assert.equal((await report(without, 'begin')).status, 403);
});

test('faults: the last 200 are kept, and one that is never ended is over after ten minutes', () => {
  let wallMs = 1000;
  const faults = new Faults(() => wallMs);
  const begin = (id: number) => faults.begin({ id: String(id), kind: 'kill', target: 'a', detail: '' });
  for (let id = 0; id < 201; id += 1) begin(id);
  assert.deepEqual([faults.kept.length, faults.kept[0]?.id], [200, '1']);
  assert.equal(faults.end('1'), true);
  wallMs += 599_999;
  faults.nextSecond();
  assert.equal(faults.kept[1]?.untilMs, null);
  wallMs += 1;
  faults.nextSecond();
  assert.deepEqual([faults.kept[0]?.untilMs, faults.kept[1]?.untilMs], [1000, 601_000]);
});

test('another page can send and order nothing, and no body is large', async (t) => {
  const proxy = await testProxy(t);
  const packet = { clientId: '1', policy: '1', payload: 'x' };
  assert.equal((await post(proxy, '/api/send', packet, { origin: 'http://example.org' })).status, 403);
  const own = `http://127.0.0.1:${proxy.adminPort}`;
  assert.equal((await post(proxy, '/api/send', packet, { origin: own })).status, 200);
  assert.equal(
    (await post(proxy, '/api/send', 'x'.repeat(20_000)).catch(() => ({ status: 413 }))).status,
    413,
  );
  assert.equal((await post(proxy, '/api/policies', {})).status, 405);
});

test('property: a quantile is at most an eighth and a microsecond above what was counted', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), { minLength: 1 }), (durations) => {
      const total = noCounts();
      const one = new Durations();
      for (const ms of durations) one.add(ms);
      one.nextSecond(total);
      const sorted = durations.toSorted((a, b) => a - b);
      for (const share of [0.5, 0.99, 1]) {
        const exact = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] as number;
        const quantile = quantileOf(total, share) as number;
        assert.ok(quantile >= exact - 1e-9 && quantile <= exact * 1.125 + 0.002, `${exact} as ${quantile}`);
      }
    }),
  );
  assert.equal(new Durations().quantile(0.5), null);
});
