// test · several proxies: some die, leave, come back or were never there, and no request is lost.
import assert from 'node:assert/strict';
import dns from 'node:dns/promises';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { formatError } from '../../services/shared/packet.ts';
import { freePort } from '../../test-support/peers.ts';
import { runRecorded } from '../../test-support/recorded-run.ts';
import {
  answerTo,
  naming,
  optionsFor,
  type Script,
  type ScriptedProxy,
  startScriptedProxy,
} from '../../test-support/scripted-proxy.ts';
import { runLoad } from './generator.ts';
import { formatReport } from './report.ts';
import type { LoadResult } from './result.ts';

async function proxyThat(t: TestContext, script: Script, port = 0): Promise<ScriptedProxy> {
  const proxy = await startScriptedProxy(script, port);
  t.after(() => proxy.close());
  return proxy;
}

const answers =
  (server: string): Script =>
  (request, socket) => {
    socket.write(answerTo(request, server));
  };

const requestsAt = ({ proxies }: LoadResult, { port }: { port: number }): number =>
  proxies[`127.0.0.1:${port}`] ?? 0;

for (const connection of ['keep', 'per-request'] as const) {
  test(`${connection}: every proxy gets its share`, async (t) => {
    const proxies = await Promise.all(['a', 'b', 'c'].map((name) => proxyThat(t, answers(name))));
    const ports = proxies.map(({ port }) => port);
    const { result } = await runRecorded(optionsFor(ports, { connection, connections: 6 }));
    assert.deepEqual([result.ok, result.attempts, result.moved], [200, 200, 0]);
    for (const proxy of proxies) assert.ok(requestsAt(result, proxy) >= 50, JSON.stringify(result.proxies));
  });

  test(`${connection}: a wrong address among three costs no request`, async (t) => {
    const [a, b, nowhere] = [
      await proxyThat(t, answers('a')),
      await proxyThat(t, answers('b')),
      await freePort(),
    ];
    const { result } = await runRecorded(optionsFor([a.port, nowhere, b.port], { connection }));
    assert.deepEqual([result.ok, result.retried, result.attempts], [200, 0, 200]);
    assert.equal(requestsAt(result, a) + requestsAt(result, b), 200);
  });

  test(`${connection}: what a killed proxy does not answer, another one does`, async (t) => {
    let held = 0;
    const dying: ScriptedProxy = await proxyThat(t, (request, socket, index) => {
      if (index < 20) socket.write(answerTo(request, 'dying'));
      else held += 1;
      if (held === 3) dying.close();
    });
    const living = await proxyThat(t, answers('living'));
    const { result } = await runRecorded(
      optionsFor([dying.port, living.port], { connection, connections: 8 }),
    );
    assert.equal(result.ok, 200, JSON.stringify(result.lostBy));
    assert.ok(result.retried >= 3, `${result.retried} were sent again`);
  });

  test(`${connection}: a proxy that shuts down is left, and what it refused goes elsewhere`, async (t) => {
    let refused = 0;
    const leaving = await proxyThat(t, (request, socket, index) => {
      if (index < 20) return void socket.write(answerTo(request, 'leaving'));
      refused += 1;
      socket.end(formatError('SHUTTING_DOWN', 'It stops.'));
    });
    const staying = await proxyThat(t, answers('staying'));
    const { result } = await runRecorded(optionsFor([leaving.port, staying.port], { connection }));
    assert.equal(result.ok, 200, JSON.stringify(result.errors));
    assert.ok(refused >= 1);
    assert.equal(result.attempts, 200 + refused);
  });

  test(`${connection}: what a proxy without servers refuses, another one answers, and it is used on`, async (t) => {
    let refused = 0;
    const young = await proxyThat(t, (request, socket) => {
      if (refused === 20) return void socket.write(answerTo(request, 'young'));
      refused += 1;
      socket.write(formatError('NO_SERVER', 'None yet.'));
    });
    const other = await proxyThat(t, answers('other'));
    const { result } = await runRecorded(optionsFor([young.port, other.port], { connection }));
    assert.equal(result.ok, 200, JSON.stringify(result.errors));
    assert.deepEqual([result.attempts, result.moved], [200 + refused, 0]);
    assert.ok(requestsAt(result, young) > refused, 'it is used on');
  });

  test(`${connection}: where no proxy has a server, two are asked and not all`, async (t) => {
    const seen = new Map<string, Set<number>>();
    const empty = (proxy: number): Script => {
      return ({ payload }, socket) => {
        seen.set(payload, (seen.get(payload) ?? new Set()).add(proxy));
        socket.write(formatError('NO_SERVER', 'None.'));
      };
    };
    const proxies = await Promise.all([0, 1, 2, 3].map((proxy) => proxyThat(t, empty(proxy))));
    const ports = proxies.map(({ port }) => port);
    const { result } = await runRecorded(optionsFor(ports, { connection }));
    assert.deepEqual([result.errorReplies, result.attempts], [200, 400]);
    assert.ok([...seen.values()].every(({ size }) => size === 2));
  });

  test(`${connection}: a refusal for want of a server is final where no other proxy is known to be good`, async (t) => {
    const empty = await proxyThat(t, (_request, socket) => {
      socket.write(formatError('NO_SERVER', 'None.'));
    });
    const { result } = await runRecorded(optionsFor([empty.port, await freePort()], { connection }));
    assert.deepEqual([result.errorReplies, result.attempts, result.lost], [200, 200, 0]);
  });

  test(`${connection}: the proxies that one names before it leaves are used, and no request fails`, async (t) => {
    const ending = new AbortController();
    const told = new Set<Socket>();
    let taken = 0;
    const staying = await proxyThat(t, (request, socket) => {
      socket.write(answerTo(request, 'staying'));
      taken += 1;
      if (taken === 200) ending.abort();
    });
    const leaving = await proxyThat(t, (request, socket, index) => {
      if (taken >= 20) assert.ok(!told.has(socket), 'nothing new is sent where a reply has named others');
      if (index < 20) return void socket.write(answerTo(request, 'leaving'));
      socket.write(naming(answerTo(request, 'leaving'), staying.port));
      told.add(socket);
    });
    const { result } = await runRecorded(
      optionsFor(leaving.port, { connection, durationSeconds: 60, connections: 8 }),
      { signal: ending.signal },
    );
    assert.equal(
      result.lost + result.errorReplies + result.wrong + result.retried,
      0,
      JSON.stringify(result),
    );
    assert.equal(result.moved > 0, connection === 'keep');
  });
}

for (const connection of ['keep', 'per-request'] as const) {
  test(`${connection}: behind a balancer, proxies that are named and can't be reached cost no request`, async (t) => {
    const unreachable = [await freePort(), await freePort()];
    const balancer = await proxyThat(t, (request, socket, index) => {
      const reply = answerTo(request, 'a');
      const isLeaving = index >= 20 && index < 150;
      socket.write(isLeaving ? naming(reply, ...unreachable) : reply);
    });
    const { result } = await runRecorded(optionsFor(balancer.port, { connection, connections: 2 }));
    assert.deepEqual([result.ok, result.attempts], [200, 200], JSON.stringify(result.lostBy));
    assert.equal(requestsAt(result, balancer), 200);
  });
}

test('keep: a proxy that leaves and knows no other is used on, over the same connections', async (t) => {
  const alone = await proxyThat(t, (request, socket) => socket.write(naming(answerTo(request, 'a'))));
  const { result } = await runRecorded(
    optionsFor(alone.port, { connection: 'keep', connections: 1, rate: 50, durationSeconds: 0.4 }),
  );
  assert.deepEqual([result.ok, result.moved], [20, 0]);
  assert.ok(alone.usedConnections() < 20, `${alone.usedConnections()} connections`);
});

for (const connection of ['keep', 'per-request'] as const) {
  test(`${connection}: a proxy that comes back is used again`, async (t) => {
    const staying = await proxyThat(t, answers('staying'));
    const going: ScriptedProxy = await proxyThat(t, (request, socket, index) => {
      socket.write(answerTo(request, 'before'));
      if (index === 20) going.close();
    });
    const ending = new AbortController();
    let back = 0;
    let coming: Promise<ScriptedProxy> | null = null;
    const { result } = await runRecorded(
      optionsFor([going.port, staying.port], { connection, durationSeconds: 60, rate: 200 }),
      {
        signal: ending.signal,
        onProgress: ({ ok }) => {
          if (ok < 100) return;
          coming ??= proxyThat(
            t,
            (request, socket) => {
              socket.write(answerTo(request, 'back'));
              back += 1;
              if (back === 50) ending.abort();
            },
            going.port,
          );
        },
      },
    );
    await coming;
    assert.equal(result.lost + result.errorReplies + result.wrong, 0, JSON.stringify(result.lostBy));
    assert.ok((result.servers.back?.answers ?? 0) >= 40, JSON.stringify(result.servers));
  });
}

for (const connection of ['keep', 'per-request'] as const) {
  test(`${connection}: a proxy that is lost is looked for by its name, and found at its new address`, async (t) => {
    let address = '127.0.0.1';
    t.mock.method(dns, 'lookup', async () => [{ address, family: 4 }]);
    t.mock.method(dns.Resolver.prototype, 'resolve4', () => Promise.reject(new Error('no name server')));
    const moving: ScriptedProxy = await proxyThat(t, (request, socket, index) => {
      if (index < 20) return void socket.write(answerTo(request, 'before'));
      moving.close();
      address = '127.0.0.2';
    });
    const moved = await startScriptedProxy(answers('after'), moving.port, null, '127.0.0.2');
    t.after(() => moved.close());
    const proxies = [{ host: 'proxy.example', port: moving.port }];
    const { result } = await runRecorded(optionsFor([], { proxies, connection, retryForMs: 20_000 }));
    assert.equal(result.ok, 200, JSON.stringify(result.lostBy));
    assert.ok((result.servers.after?.answers ?? 0) > 100, JSON.stringify(result.servers));
  });
}

test('when no proxy can be reached, each is named with its reason', async () => {
  const ports = [await freePort(), await freePort()];
  const reasons = ports.map((port) => `127.0.0.1:${port} (connection refused)`);
  await assert.rejects(runLoad(optionsFor(ports)), ({ message, exitCode }: Error & { exitCode: number }) => {
    assert.match(message, /^None of the proxies can be reached: /);
    for (const reason of reasons) assert.ok(message.includes(reason), message);
    assert.equal(exitCode, 3);
    return true;
  });
});

test('the report says what each of several proxies got, and of one alone what it always said', async (t) => {
  const [a, b] = [await proxyThat(t, answers('a')), await proxyThat(t, answers('b'))];
  const several = await runLoad(optionsFor([a.port, b.port], { connection: 'keep' }));
  const report = formatReport(several, false);
  assert.match(report, /retried +0/);
  assert.match(report, /moved +0/);
  assert.ok(report.includes(`127.0.0.1:${a.port} ${requestsAt(several, a)}`), report);
  const alone = formatReport(await runLoad(optionsFor(a.port)), false);
  assert.doesNotMatch(alone, /moved|retried|each proxy/);
});
