// What /metrics says of a real proxy, in both formats.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
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
  untilRefused,
} from '../../../test-support/cluster.ts';
import { OPEN_METRICS, type Scrape, scrape } from '../../../test-support/scrape.ts';
import type { ProxyOptions } from '../options.ts';
import type { RunningProxy } from '../proxy.ts';
import { FAMILIES, prefersOpenMetrics } from './exposition.ts';
import { labelOf } from './label.ts';
import type { Outcome } from './traffic.ts';

const silent = (): void => {};

async function inBothFormats(proxy: RunningProxy): Promise<Scrape[]> {
  return [await scrape(proxy), await scrape(proxy, OPEN_METRICS)];
}

describe('a request is counted by how it ended', () => {
  type Case = {
    options?: Partial<ProxyOptions>;
    policy?: string;
    run: (t: TestContext, proxy: RunningProxy) => Promise<void>;
  };
  const cases: Record<Outcome, Case> = {
    answered: {
      run: async (t, proxy) => {
        await (await fakeServer(t, proxy, 1)).join();
        await ask(proxy);
      },
    },
    NO_SERVER: {
      policy: 'other',
      run: async (_t, proxy) => {
        await ask(proxy, request('p', { policy: 'made up by a client' }));
      },
    },
    OVERLOADED: {
      options: { pipelineDepth: 1, maxWaiting: 1 },
      run: async (t, proxy) => {
        await (await fakeServer(t, proxy, 1, { behave: silent })).join({ keepAlive: true });
        clientOf(proxy).send(JSON.stringify(request()).repeat(3));
        await eventually(async () => (await policies(proxy)).proxy.errors.OVERLOADED === 1);
      },
    },
    UPSTREAM_FAILED: {
      run: async (t, proxy) => {
        await (await fakeServer(t, proxy, 1, { behave: (peer) => peer.close() })).join();
        await ask(proxy);
      },
    },
    UPSTREAM_TIMEOUT: {
      options: { requestTimeoutMs: 200 },
      run: async (t, proxy) => {
        await (await fakeServer(t, proxy, 1, { behave: silent })).join();
        await ask(proxy);
      },
    },
    SHUTTING_DOWN: {
      options: { drainTimeoutMs: 20_000 },
      run: async (t, proxy) => {
        // A request in flight keeps the proxy, and with it the status port, from ending.
        const behave: Behaviour = (_peer, { payload }, answer) => (payload === 'held' ? undefined : answer());
        const server = await fakeServer(t, proxy, 1, { behave });
        await server.join();
        const [early, late] = [clientOf(proxy), clientOf(proxy)];
        late.send(request());
        await late.nextFrame();
        early.send(request('held'));
        await eventually(async () => server.requests.length === 2);
        void proxy.stop();
        await untilRefused(late, request());
      },
    },
    abandoned: {
      options: { pipelineDepth: 1, requestTimeoutMs: 60_000, attemptTimeoutMs: 60_000 },
      run: async (t, proxy) => {
        const server = await fakeServer(t, proxy, 1, { behave: silent });
        await server.join({ keepAlive: true });
        const leaver = await clientThatWaits(proxy, () => server.requests.length);
        const depth = async () => (await scrape(proxy)).value('policyproxy_queue_depth', { policy: '1' });
        assert.equal(await depth(), 1);
        const open = server.requests.length + 1;
        assert.equal((await scrape(proxy)).value('policyproxy_requests_in_flight'), open);
        leaver.reset();
        await eventually(async () => (await depth()) === 0);
      },
    },
  };
  for (const [outcome, { options, policy = '1', run }] of Object.entries(cases)) {
    test(outcome, async (t) => {
      const proxy = await testProxy(t, options);
      await run(t, proxy);
      for (const { value } of await inBothFormats(proxy))
        assert.equal(value('policyproxy_requests_total', { policy, outcome }), 1);
    });
  }
});

test('every metric is exposed in both formats, with its help, its type and its labels', async (t) => {
  const proxy = await testProxy(t);
  await (await fakeServer(t, proxy, 1)).join();
  await ask(proxy);
  const [text, openMetrics] = (await inBothFormats(proxy)) as [Scrape, Scrape];
  assert.equal(text.type, 'text/plain; version=0.0.4; charset=utf-8');
  assert.equal(openMetrics.type, 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  assert.ok(openMetrics.text.endsWith('\n# EOF\n'));
  for (const { name, type, help, labels } of FAMILIES) {
    const isCounter = type === 'counter';
    assert.equal(name.endsWith('_total'), isCounter, name);
    for (const { text: lines, title } of [
      { ...text, title: name },
      { ...openMetrics, title: isCounter ? name.slice(0, -'_total'.length) : name },
    ]) {
      assert.ok(lines.includes(`# HELP ${title} ${help}\n# TYPE ${title} ${type}\n`), name);
      const sample = new RegExp(`^${name}${type === 'histogram' ? '_count' : ''}(?:\\{(.*)\\})? \\S+$`, 'm');
      const [, pairs = ''] = sample.exec(lines) ?? assert.fail(`${name} has no line`);
      assert.deepEqual(
        [...pairs.matchAll(/(\w+)="/g)].map(([, label]) => label),
        [...labels],
        name,
      );
    }
  }
});

test('the table in docs/operating.md says what is exposed', async () => {
  const text = await readFile(join(import.meta.dirname, '../../../docs/operating.md'), 'utf8');
  const rows = text.split('\n').filter((line) => /^\| `(?:policyproxy|process|nodejs)_.* \|$/.test(line));
  const expected = FAMILIES.map(({ name, type, labels, help }) => {
    const listed = labels.map((label) => `\`${label}\``).join(', ');
    return ['', `\`${name}\``, type, listed, help, ''].join(' | ').trim().replaceAll('|  |', '| |');
  });
  assert.deepEqual(rows, expected);
});

test('the formats stay apart, in whatever order they are asked for', async (t) => {
  const proxy = await testProxy(t);
  for (const accept of ['*/*', OPEN_METRICS, '*/*', OPEN_METRICS, 'text/plain']) {
    const { text, type } = await scrape(proxy, accept);
    const title = type.startsWith('text/') ? 'policyproxy_late_answers_total' : 'policyproxy_late_answers';
    assert.ok(text.includes(`# TYPE ${title} counter\npolicyproxy_late_answers_total 0\n`), accept);
  }
});

describe('which format a scrape gets', () => {
  const cases: [accept: string, isOpenMetrics: boolean][] = [
    ['', false],
    ['*/*', false],
    ['text/plain;version=0.0.4', false],
    ['application/openmetrics-text', true],
    ['application/openmetrics-text; version=1.0.0; charset=utf-8', true],
    ['application/openmetrics-text;version="1.0.0"', true],
    ['application/openmetrics-text;version=0.0.1', false],
    ['application/openmetrics-text;version=1.0.0;q=0', false],
    ['application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.9', false],
    // Prometheus 2.42.
    [
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      true,
    ],
  ];
  for (const [accept, isOpenMetrics] of cases)
    test(`"${accept}"`, () => assert.equal(prefersOpenMetrics(accept), isOpenMetrics));
});

test('no client makes a label, and a policy that has lost its servers keeps its own', async (t) => {
  const proxy = await testProxy(t);
  const server = await fakeServer(t, proxy, 1, { policy: 'gold' });
  const session = await server.join({ session: true });
  for (const policy of ['a', 'b', 'c']) await ask(proxy, request('p', { policy }));
  session.send({ type: 4, id: 1 });
  await eventOf(proxy, 'left', 1);
  await ask(proxy, request('p', { policy: 'gold' }));
  const { value, labelValues } = await scrape(proxy);
  assert.deepEqual(labelValues('policy'), new Set(['other', 'gold']));
  assert.equal(value('policyproxy_requests_total', { policy: 'other', outcome: 'NO_SERVER' }), 3);
  assert.equal(value('policyproxy_requests_total', { policy: 'gold', outcome: 'NO_SERVER' }), 1);
  assert.equal(value('policyproxy_servers_in_rotation', { policy: 'gold' }), 0);
});

test('a policy that is called as all others are together has counts of its own', async (t) => {
  const proxy = await testProxy(t);
  await (await fakeServer(t, proxy, 1, { policy: 'other' })).join();
  await ask(proxy, request('p', { policy: 'other' }));
  await ask(proxy, request('p', { policy: 'made up' }));
  const { value } = await scrape(proxy);
  const [real, all] = ['\\other', 'other'];
  const counts = [real, all].flatMap((policy) => [
    value('policyproxy_requests_total', { policy, outcome: 'answered' }),
    value('policyproxy_requests_total', { policy, outcome: 'NO_SERVER' }),
  ]);
  assert.deepEqual(counts, [1, 0, 0, 1]);
  assert.equal(value('policyproxy_servers_in_rotation', { policy: real }), 1);
  assert.equal(value('policyproxy_server_state', { policy: real, server: '1', state: 'ready' }), 1);
});

test('what a server calls itself is escaped, and no two names become one', async (t) => {
  const proxy = await testProxy(t);
  const policies = ['"quoted"', 'back\\slash', '\u001b[31m', '\\u001b[31m', 'ü', 'two\nlines'];
  for (const [at, policy] of policies.entries())
    await (await fakeServer(t, proxy, at + 1, { policy })).join();
  for (const { text, value } of await inBothFormats(proxy)) {
    assert.ok(!text.includes('\u001b'));
    for (const policy of policies)
      assert.equal(value('policyproxy_servers_in_rotation', { policy: labelOf(policy) }), 1, policy);
  }
});

test('what is refused and is no request is counted by its code', async (t) => {
  const proxy = await testProxy(t);
  await ask(proxy, { type: 9 });
  const { value } = await scrape(proxy);
  assert.equal(value('policyproxy_refusals_total', { code: 'UNKNOWN_TYPE' }), 1);
  assert.equal(value('policyproxy_refusals_total', { code: 'TOO_SLOW' }), 0);
  assert.equal(value('policyproxy_refused_connections_total'), 0);
});

test('the times of a request add up', async (t) => {
  const proxy = await testProxy(t);
  await (await fakeServer(t, proxy, 1)).join();
  for (let count = 0; count < 10; count += 1) await ask(proxy);
  const { value } = await scrape(proxy);
  const sum = (name: string): number =>
    value(`policyproxy_${name}_duration_seconds_sum`, { policy: '1' }) ?? -1;
  assert.ok(Math.abs(sum('request') - sum('queue') - sum('upstream')) < 1e-9);
  assert.ok(sum('upstream') > 0);
  for (const name of ['request', 'queue', 'upstream']) {
    const labels = { policy: '1' };
    assert.equal(value(`policyproxy_${name}_duration_seconds_count`, labels), 10);
    assert.equal(value(`policyproxy_${name}_duration_seconds_bucket`, { ...labels, le: '+Inf' }), 10);
  }
});

test('what happens to servers: registrations, probes, retries, their states and how soon a failure is seen', async (t) => {
  const proxy = await testProxy(t, { forgetAfterMs: 600_000 });
  const [good, bad] = [
    await fakeServer(t, proxy, 1),
    await fakeServer(t, proxy, 2, { behave: (peer) => peer.close() }),
  ];
  await good.join({ incarnation: 'boot-1' });
  await good.register({ incarnation: 'boot-1' });
  await bad.join();
  await eventually(async () => {
    await ask(proxy);
    return bad.requests.length > 0;
  });
  await bad.die();
  await eventOf(proxy, 'evicted', 2);
  const { value } = await scrape(proxy);
  assert.equal(value('policyproxy_registrations_total', { result: 'registered' }), 2);
  assert.equal(value('policyproxy_registrations_total', { result: 'refreshed' }), 1);
  assert.equal(value('policyproxy_registrations_total', { result: 'refused' }), 0);
  assert.ok((value('policyproxy_probe_duration_seconds_count', { result: 'pass' }) ?? 0) >= 2);
  assert.ok((value('policyproxy_probe_duration_seconds_count', { result: 'refused' }) ?? 0) >= 1);
  assert.ok((value('policyproxy_retries_total', { reason: 'closed' }) ?? 0) >= 1);
  const caused = proxy.events.since(0).filter(({ cause }) => cause === 'request-failed').length;
  assert.equal(value('policyproxy_server_transitions_total', { cause: 'request-failed' }), caused);
  assert.ok(caused > 0);
  assert.equal(value('policyproxy_server_transitions_total', { cause: 'registered' }), 2);
  assert.equal(value('policyproxy_server_transitions_total', { cause: 'leave' }), 0);
  const labels = { policy: '1', server: '2' };
  assert.equal(value('policyproxy_server_state', { ...labels, state: 'evicted' }), 1);
  assert.equal(value('policyproxy_server_state', { ...labels, state: 'ready' }), 0);
  assert.equal(value('policyproxy_servers_in_rotation', { policy: '1' }), 1);
  assert.ok((value('policyproxy_detection_duration_seconds_count') ?? 0) >= 1);
  assert.ok((value('policyproxy_retry_budget_ratio', { policy: '1' }) ?? 1) < 1);
});
