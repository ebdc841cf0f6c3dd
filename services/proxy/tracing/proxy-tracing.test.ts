// test · spans of a request, as a collector gets them; and peers that know nothing of traces.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ask, clientOf, eventOf, fakeServer, request, testProxy } from '../../../test-support/cluster.ts';
import { type CollectedSpan, startCollector } from '../../../test-support/collector.ts';
import { startProgram } from '../../../test-support/programs.ts';
import { parseTraceparent } from '../../shared/trace-context.ts';
import type { RunningProxy } from '../proxy.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE}-00f067aa0ba902b7`;

async function startServer(t: TestContext, proxy: RunningProxy, id: number, endpoint: URL): Promise<void> {
  const to = ['--proxy', `127.0.0.1:${proxy.port}`, '--trace-endpoint', endpoint.href];
  const server = startProgram('services/server/main.ts', [String(id), '2', '0', ...to]);
  t.after(() => server.stop());
  await eventOf(proxy, 'admitted', id);
}

const roleOf = ({ service, name, kind }: CollectedSpan): string => `${service} ${name} ${kind}`;

test('client, proxy, attempt and server are spans of one trace, each below the one before', async (t) => {
  const { endpoint, collected } = await startCollector(t);
  const proxy = await testProxy(t, { traceEndpoint: endpoint, traceShare: 0 });
  await startServer(t, proxy, 7, endpoint);
  const args = ['client_packet_2.json', '--proxy', `127.0.0.1:${proxy.port}`];
  const client = startProgram('services/client/main.ts', [...args, '--trace-endpoint', endpoint.href]);
  assert.equal(await client.exited(), 0);
  const spans = await collected(4);
  const chain: CollectedSpan[] = [];
  for (let parent = ''; chain.length < 4; parent = chain.at(-1)?.spanId ?? 'none') {
    const span = spans.find(({ parentSpanId }) => parentSpanId === parent);
    assert.ok(span !== undefined, JSON.stringify(spans));
    chain.push(span);
  }
  assert.deepEqual(chain.map(roleOf), [
    'policy-client request 3',
    'policy-proxy request 2',
    'policy-proxy attempt 3',
    'policy-server request 2',
  ]);
  assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
  for (const { attributes, isError, tookMs } of chain) {
    assert.equal(attributes['rpc.method'], 'request');
    assert.equal(attributes['rpc.response.status_code'], 'OK');
    assert.deepEqual([isError, attributes['error.type']], [false, undefined]);
    assert.ok(tookMs >= 0 && tookMs < 60_000, `${tookMs}`);
  }
  const [, atProxy, attempt] = chain;
  assert.equal(atProxy?.attributes['policy_proxy.policy'], '2');
  assert.equal(attempt?.attributes['server.address'], '127.0.0.1');
});

test('a retry is a second attempt of the same request, and says why there was one', async (t) => {
  const { endpoint, collected } = await startCollector(t);
  const proxy = await testProxy(t, { traceEndpoint: endpoint, traceShare: 1 });
  const broken = await fakeServer(t, proxy, 1, { policy: '2', behave: (peer) => peer.close() });
  await broken.join({ keepAlive: true });
  await startServer(t, proxy, 7, endpoint);
  const reply = await ask(proxy, request('p', { policy: '2' }));
  assert.equal(reply.srcid, 7);
  const spans = await collected(4);
  const whole = spans.find(({ name, service }) => name === 'request' && service === 'policy-proxy');
  const attempts = spans.filter(({ name }) => name === 'attempt');
  assert.deepEqual(
    attempts.map(({ parentSpanId, isError, attributes }) => {
      return [
        parentSpanId === whole?.spanId,
        attributes['policy_proxy.server.id'],
        isError,
        attributes['error.type'],
      ];
    }),
    [
      [true, '1', true, 'closed'],
      [true, '7', false, undefined],
    ],
  );
  const atServer = spans.find(({ service }) => service === 'policy-server');
  assert.equal(atServer?.parentSpanId, attempts[1]?.spanId);
  assert.equal(parseTraceparent(String(broken.requests[0]?.traceparent))?.spanId, attempts[0]?.spanId);
});

test('a refusal is an error with its code, and with its id in the logs', async (t) => {
  const { endpoint, collected } = await startCollector(t);
  const proxy = await testProxy(t, { traceEndpoint: endpoint, traceShare: 1 });
  const { trace } = await ask(proxy, request('p', { policy: 'nobody' }));
  const [span] = await collected(1);
  assert.equal(span?.isError, true);
  assert.deepEqual(
    ['rpc.response.status_code', 'error.type', 'policy_proxy.trace'].map((name) => span?.attributes[name]),
    ['NO_SERVER', 'NO_SERVER', trace],
  );
});

test('a client decides about its own traces; what it sends that is none does no harm', async (t) => {
  const { endpoint, spans, collected } = await startCollector(t);
  const proxy = await testProxy(t, { traceEndpoint: endpoint, traceShare: 0 });
  const server = await fakeServer(t, proxy, 1);
  await server.join({ keepAlive: true });
  const sent = [`${PARENT}-00`, 'nonsense', 7, `${PARENT}-01`].map((traceparent) => {
    return { ...request(), traceparent };
  });
  const client = clientOf(proxy);
  for (const packet of sent) {
    client.send(packet);
    assert.equal((await client.nextFrame()).srcid, 1);
  }
  await collected(2);
  assert.deepEqual([...new Set(spans.map(({ traceId }) => traceId))], [TRACE]);
  assert.deepEqual(server.requests.slice(0, 3), sent.slice(0, 3), 'as the client wrote them');
  const { traceparent, ...rest } = server.requests[3] ?? {};
  assert.deepEqual(rest, request());
  const attempt = spans.find(({ name }) => name === 'attempt');
  assert.equal(traceparent, `00-${TRACE}-${attempt?.spanId}-01`);
});

test('a server that takes one request on a connection gets what the client sent, and no more', async (t) => {
  const { endpoint, collected } = await startCollector(t);
  const proxy = await testProxy(t, { traceEndpoint: endpoint, traceShare: 1 });
  const server = await fakeServer(t, proxy, 1);
  await server.join();
  assert.equal((await ask(proxy, request())).srcid, 1);
  assert.deepEqual(server.requests, [request()]);
  await collected(2);
});

test('a collector that is not there costs nothing but the spans', async (t) => {
  const proxy = await testProxy(t, { traceEndpoint: new URL('http://127.0.0.1:1'), traceShare: 1 });
  const server = await fakeServer(t, proxy, 1);
  await server.join({ keepAlive: true });
  for (let sent = 0; sent < 10; sent += 1) assert.equal((await ask(proxy, request())).srcid, 1);
});
