import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import {
  ask,
  type Behaviour,
  clientOf,
  clientThatWaits,
  eventOf,
  eventually,
  fakeServer,
  policies,
  request,
  testProxy,
} from '../../../test-support/cluster.ts';
import { readEvents } from '../../../test-support/event-stream.ts';
import type { Frame } from '../../../test-support/peers.ts';
import type { Line } from '../../shared/log.ts';
import { newcomer } from '../health/health.ts';
import { Upstream } from '../servers/upstream.ts';
import type { ActSources } from './acts.ts';
import { EventLog } from './events.ts';
import type { History } from './history.ts';
import type { Live } from './live.ts';
import { openStatus, type StatusSources } from './status.ts';

const get = (port: number, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5000), ...init });

/** The proxy's clock goes evenly and the machine's is corrected now and then: they may be this far apart. */
const CLOCKS_APART_MS = 1_000;

function assertBetween(fromMs: number, atMs: number, toMs: number): void {
  assert.ok(atMs >= fromMs - CLOCKS_APART_MS && atMs <= toMs + CLOCKS_APART_MS, `${fromMs} ${atMs} ${toMs}`);
}

test('/healthz and /readyz say that it lives and is ready', async (t) => {
  const { adminPort } = await testProxy(t);
  assert.deepEqual(await (await get(adminPort, '/healthz')).json(), { status: 'alive' });
  const ready = await get(adminPort, '/readyz');
  assert.equal(ready.status, 200);
});

test('/api/policies shows each server with its state and why, its last probe and its counts', async (t) => {
  const beganMs = Date.now();
  const proxy = await testProxy(t);
  const server = await fakeServer(t, proxy, 1);
  await server.join({ keepAlive: true });
  await ask(proxy);
  const table = await policies(proxy);
  const [{ policy, nextIndex, servers }] = table.policies;
  const [{ since, why, lastProbe, ...rest }] = servers;
  assert.deepEqual([policy, nextIndex], ['1', 0]);
  assert.deepEqual(rest, {
    id: 1,
    policy: '1',
    address: `127.0.0.1:${server.port}`,
    state: 'ready',
    drained: null,
    sent: 1,
    served: 1,
    failed: 0,
    inFlight: 0,
    session: false,
    keepAlive: true,
  });
  assert.match(why, /its first probe passed in [\d.]+ ms/);
  assertBetween(beganMs, Date.parse(since), Date.now());
  assert.equal(lastProbe.outcome, 'pass');
  assert.ok(lastProbe.roundTripMs > 0);
});

test('what a server calls itself can not steer the terminal that shows the table or the events', async (t) => {
  const proxy = await testProxy(t);
  const policy = 'p\u001b]0;t\u0007\u009b2J\u202e\u2028';
  await ask(proxy, { type: 1, id: '\u2066\u007f', privPoliId: policy, listenport: 9 });
  const table = await (await get(proxy.adminPort, '/api/policies')).text();
  assert.equal(JSON.parse(table).policies[0].policy, policy);
  const stream = await get(proxy.adminPort, '/api/events');
  let events = '';
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  while (!events.includes('"registered"'))
    events += Buffer.from((await reader.read()).value ?? []).toString();
  await reader.cancel();
  for (const shown of [table, events]) {
    assert.ok(!/[\p{Cc}\p{Zl}\p{Bidi_Control}]/u.test(shown.replaceAll('\n', '')), JSON.stringify(shown));
    assert.ok(shown.includes(String.raw`p\u001b]0;t\u0007\u009b2J\u202e\u2028`), shown);
  }
});

test('looking at the table does not move the round robin', async (t) => {
  const proxy = await testProxy(t);
  for (const id of [1, 2]) await (await fakeServer(t, proxy, id)).join();
  const order = [];
  for (let asked = 0; asked < 4; asked += 1) {
    await policies(proxy);
    order.push((await ask(proxy)).srcid);
  }
  assert.deepEqual(order, [1, 2, 1, 2]);
});

test('/api/events replays what was, then goes on, numbered without gaps', async (t) => {
  const beganMs = Date.now();
  const proxy = await testProxy(t);
  const server = await fakeServer(t, proxy, 1);
  await server.join();
  const response = await get(proxy.adminPort, '/api/events');
  assert.match(response.headers.get('content-type') ?? '', /text\/event-stream/);
  const events = readEvents(response);
  assert.deepEqual([(await events()).type, (await events()).type], ['registered', 'admitted']);
  await server.die();
  const evicted = await events();
  assert.deepEqual([evicted.type, evicted.seq, evicted.id, evicted.policy], ['evicted', 3, 1, '1']);
  assert.match(evicted.why, /refused/);
  assert.equal(evicted.cause, 'probe-refused');
  const { probes = [], ...evidence } = evicted.evidence;
  assert.deepEqual(evidence, { probesInARow: 1 });
  assert.deepEqual(
    probes.map(({ outcome }) => outcome),
    ['pass', 'refused'],
  );
  assertBetween(beganMs, evicted.atMs, Date.now());
});

test('/api/events starts behind what the reader has seen, unless that was of another start of the proxy', async (t) => {
  const proxy = await testProxy(t);
  await (await fakeServer(t, proxy, 1)).join();
  await eventOf(proxy, 'admitted', 1);
  const after = (id: string): Promise<Response> =>
    get(proxy.adminPort, '/api/events', { headers: { 'last-event-id': id } });
  const [first] = await idsOf(await after(''), 1);
  assert.match(first ?? '', /^\w+-1$/);
  assert.equal((await readEvents(await after(first ?? ''))()).type, 'admitted');
  for (const id of [
    '1',
    'otherboot-1',
    'otherboot-2',
    `${first}00`,
    '-1',
    'x',
    first?.replace('-1', '--1') ?? '',
  ]) {
    assert.equal((await readEvents(await after(id))()).type, 'registered', id);
  }
});

test('a reader that takes its time gets all of a long replay', async (t) => {
  const events = eventsAbout(10, 100, 'x'.repeat(5000));
  const status = await statusWith(t, sourcesWith(events));
  const { port } = status.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write('GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n');
  // It reads nothing until the status listener has written all that it is going to write unasked.
  await eventually(async () => status.listenerCount('request') === 1 && socket.bytesWritten > 0);
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  let got = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    got += chunk;
  });
  await eventually(async () => (got.match(/^id: /gm) ?? []).length === 1000 || socket.destroyed);
  assert.equal((got.match(/^id: /gm) ?? []).length, 1000);
  events.add('suspect', upstreamOf(3), newcomer(0, 'the next one'));
  await eventually(async () => got.includes('the next one'));
});

test('a request line that is no address does no harm', async (t) => {
  const { adminPort } = await testProxy(t);
  for (const target of ['//', 'http://[', 'http://a:99999/']) {
    const socket = connect(adminPort, '127.0.0.1');
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.match(await text(socket), /^HTTP\/1\.1 4\d\d /);
  }
  assert.equal((await get(adminPort, '/healthz')).status, 200);
});

describe('by which names it is asked', () => {
  const hosts: [host: string, isKnown: boolean][] = [
    ['127.0.0.1', true],
    ['127.0.0.1:10081', true],
    ['[::1]:10081', true],
    ['localhost:10081', true],
    ['app.localhost', true],
    ['proxy:10081', true],
    ['Status.Example.org', true],
    ['example.org', false],
    ['evil.example.com:10081', false],
    ['127.0.0.1.example.com', false],
    ['localhost.example.com', false],
    ['[::1].example.com', false],
    ['localhost.', false],
    ['', false],
  ];
  for (const [host, isKnown] of hosts) {
    test(`${isKnown ? 'answers' : 'refuses'} "${host}"`, async (t) => {
      const { adminPort } = await testProxy(t, { adminNames: ['status.example.org'] });
      const socket = connect(adminPort, '127.0.0.1');
      socket.write(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      assert.match(await text(socket), isKnown ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 421 .*--admin-names/s);
    });
  }
});

test('no page may show it, read it or guess what it is', async (t) => {
  const { adminPort } = await testProxy(t);
  for (const path of ['/healthz', '/api/policies', '/api/events', '/nothing']) {
    const { headers, body } = await get(adminPort, path);
    await body?.cancel();
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.match(
      headers.get('content-security-policy') ?? '',
      /^default-src 'none'; .*frame-ancestors 'none'$/,
    );
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
    assert.equal(headers.get('access-control-allow-origin'), null);
  }
});

test('what can not be answered is said and logged, and ends nothing', async (t) => {
  const lines: Line[] = [];
  const broken = (): never => {
    throw new TypeError('broken');
  };
  const sources = {
    snapshot: broken,
    unreadyReason: broken,
    target: broken,
    events: { since: broken, seqOf: broken, listen: broken } as unknown as EventLog,
    live: { add: broken } as unknown as Live,
    history: { describe: broken } as unknown as History,
    metrics: async () => broken(),
    acts: Object.defineProperty({}, 'token', { get: broken }) as ActSources,
  };
  const status = await statusWith(t, sources, { write: (line) => void lines.push(line) });
  const { port } = status.address() as AddressInfo;
  const post = { method: 'POST', body: '{}' };
  for (const [path, init] of [
    ['/api/policies', {}],
    ['/readyz', {}],
    ['/api/history', {}],
    ['/api/acts', post],
    ['/api/faults', post],
    ['/api/send', post],
    ['/metrics', {}],
  ] as const) {
    const response = await get(port, path, init);
    assert.equal(response.status, 500, path);
    assert.match((await response.text()).trim(), /^\{\s+"error": ".*"\s+\}$/);
  }
  // What has begun can only be cut.
  for (const path of ['/api/events', '/api/stream']) {
    await assert.rejects(get(port, path).then((response) => response.text()));
  }
  assert.equal(lines.length, 9);
  for (const { level, error } of lines) assert.match(`${level} ${error}`, /^error TypeError: /);
});

test('HEAD of the events ends', async (t) => {
  const { adminPort } = await testProxy(t);
  assert.equal((await get(adminPort, '/api/events', { method: 'HEAD' })).status, 200);
});

test('other paths and methods are told what there is', async (t) => {
  const { adminPort } = await testProxy(t);
  const nothing = await get(adminPort, '/nothing');
  assert.equal(nothing.status, 404);
  assert.ok(((await nothing.json()) as Frame).paths.includes('/api/events'));
  assert.equal((await get(adminPort, '/api/policies', { method: 'POST' })).status, 405);
});

test('counts what it refused', async (t) => {
  const proxy = await testProxy(t);
  await ask(proxy, request('p', { policy: 'none' }));
  await ask(proxy, { type: 9 });
  const { proxy: counts } = await policies(proxy);
  assert.deepEqual([counts.errors, counts.refusals], [{ NO_SERVER: 1 }, { UNKNOWN_TYPE: 1 }]);
});

test('the last 1,000 events are kept, and at most 200 of them about one server', () => {
  const events = eventsAbout(10, 150, '');
  assert.deepEqual([events.since(0).length, events.since(0)[0]?.seq], [1000, 501]);
  assert.equal(events.since(1499).length, 1);
  const one = eventsAbout(1, 500, '');
  assert.deepEqual([one.since(0).length, one.since(0)[0]?.seq], [200, 301]);
  assert.deepEqual(
    one.since(450).map(({ seq }) => seq),
    Array.from({ length: 50 }, (_, at) => 451 + at),
  );
});

function upstreamOf(id: number): Upstream {
  const registration = { id, policy: '1', host: '10.0.0.1', port: id, keepsAlive: true, incarnation: null };
  return new Upstream(registration, 1, 1, newcomer(0, ''), 0);
}

// Each server's, one a second.
function eventsAbout(servers: number, each: number, why: string): EventLog {
  let wallMs = 1_000_000;
  const events = new EventLog(() => wallMs);
  const upstreams = Array.from({ length: servers }, (_, id) => upstreamOf(id));
  for (let added = 0; added < each; added += 1) {
    wallMs += 1000;
    for (const upstream of upstreams) events.add('suspect', upstream, newcomer(0, why));
  }
  return events;
}

async function statusWith(
  t: TestContext,
  sources: Partial<Parameters<typeof openStatus>[1]>,
  failures: Parameters<typeof openStatus>[2] = { write: ({ error }) => assert.fail(String(error)) },
): Promise<Server> {
  const options = { adminHost: '127.0.0.1', adminPort: 0, adminNames: [] };
  const status = await openStatus(options, sources as Parameters<typeof openStatus>[1], failures);
  t.after(() => {
    status.closeAllConnections();
    status.close();
  });
  return status;
}

function sourcesWith(events: EventLog): StatusSources {
  return {
    events,
    snapshot: () => assert.fail('only events are asked for'),
    refresh: async () => {},
    unreadyReason: () => null,
  };
}

async function idsOf(response: Response, count: number): Promise<string[]> {
  let text = '';
  for await (const chunk of (response.body as ReadableStream<Uint8Array>).pipeThrough(
    new TextDecoderStream(),
  )) {
    text += chunk;
    const ids = [...text.matchAll(/^id: (.*)$/gm)].map((match) => match[1] as string);
    if (ids.length >= count) return ids;
  }
  return [];
}

test('each request is counted once: as answered, refused, open or abandoned', async (t) => {
  const proxy = await testProxy(t, { pipelineDepth: 1, requestTimeoutMs: 60_000, attemptTimeoutMs: 60_000 });
  const held: (() => void)[] = [];
  const behave: Behaviour = (_peer, frame, answer) =>
    void (frame.payload === 'held' ? held.push(answer) : answer());
  await (await fakeServer(t, proxy, 1, { behave })).join({ keepAlive: true });
  const client = clientOf(proxy);
  for (const packet of [
    request('a'),
    request('b', { policy: 'none' }),
    { type: 9 },
    { type: 0 },
    request('c'),
  ])
    client.send(packet);
  for (let replies = 0; replies < 5; replies += 1) await client.nextFrame();
  const leaver = await clientThatWaits(proxy, () => held.length);
  leaver.reset();
  await eventually(async () => (await policies(proxy)).policies[0]?.waiting === 0);
  const counts = async (): Promise<unknown[]> => {
    const { requests, answered, errors, abandoned, openRequests, refusals } = (await policies(proxy)).proxy;
    return [requests, answered, errors, abandoned, openRequests, refusals];
  };
  const refusals = { UNKNOWN_TYPE: 1, BAD_PACKET: 1 };
  const open = held.length;
  assert.deepEqual(await counts(), [4 + open, 2, { NO_SERVER: 1 }, 1, open, refusals]);
  for (const answer of held) answer();
  await eventually(async () => (await policies(proxy)).proxy.openRequests === 0);
  assert.deepEqual(await counts(), [4 + open, 2 + open, { NO_SERVER: 1 }, 1, 0, refusals]);
});

test('an answer that is no JSON to a packet from the page is reported, and ends nothing', async (t) => {
  const proxy = await testProxy(t);
  const answers = ['{"type":2,"srcid":1,}\n', '{"type":2,"srcid":1,"payload":"ä"}\n'];
  const behave: Behaviour = (peer) => peer.send(answers.shift() ?? '');
  await (await fakeServer(t, proxy, 1, { behave })).join();
  const body = JSON.stringify({ policy: '1', clientId: 'c', payload: 'p' });
  const send = () => get(proxy.adminPort, '/api/send', { method: 'POST', body });
  const refused = await send();
  assert.equal(refused.status, 502);
  assert.match(await refused.text(), /JSON/);
  assert.match(await (await send()).text(), /"payload": "ä"/);
});
