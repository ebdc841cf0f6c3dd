// A proxy that stops tells whoever has connected by then, also those whom it has not accepted yet, and on a busy machine.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Behaviour,
  clientOf,
  digestOf,
  eventually,
  fakeServer,
  policies,
  request,
  testProxy,
} from '../../../test-support/cluster.ts';
import { freePort, within } from '../../../test-support/peers.ts';
import { startProgram } from '../../../test-support/programs.ts';
import { otherProxies } from '../network/peers.ts';

/** Longer than until the port closes, and than a client takes to connect. */
const BUSY_MS = 150;

// In a process of its own: it connects and sends while the proxy's loop is busy and accepts nobody.
const CLIENT = `
  process.stdin.once('data', () => {
    const socket = require('node:net').connect(Number(process.argv[1]), '127.0.0.1');
    socket.on('error', (error) => { console.log(error.code); process.exit(); });
    socket.on('data', (reply) => { console.log(String(reply)); process.exit(); });
    socket.on('close', () => { console.log('closed'); process.exit(); });
    socket.write(process.argv[2]);
  });
  console.log('ready');
`;

// The same, with a connection that stands before.
const CONNECTED_CLIENT = `
  const socket = require('node:net').connect(Number(process.argv[1]), '127.0.0.1', () => console.log('ready'));
  socket.on('data', (reply) => { console.log(String(reply)); process.exit(); });
  socket.on('end', () => { console.log('closed'); process.exit(); });
  process.stdin.once('data', () => socket.write(process.argv[2]));
`;

test('a lame duck reads what has come before it takes a connection for a quiet one', async (t) => {
  const proxy = await testProxy(t, { lameDuckMs: 500 });
  await (await fakeServer(t, proxy, 1)).join({ keepAlive: true, session: true });
  const wire = `${JSON.stringify(request())}\n`;
  const client = spawn(process.execPath, ['--eval', CONNECTED_CLIENT, String(proxy.port), wire]);
  t.after(() => client.kill());
  let said = '';
  client.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await within(once(client.stdout, 'data'), 20_000, 'a client that is connected');
  await sleep(BUSY_MS);
  const stopped = new Promise<void>((resolve) => {
    setImmediate(() => {
      client.stdin.write('go');
      const untilMs = performance.now() + BUSY_MS;
      while (performance.now() < untilMs);
      resolve(proxy.stop());
    });
  });
  await within(once(client, 'close'), 20_000, 'the end of the client');
  await stopped;
  assert.match(said, new RegExp(digestOf(request().payload)));
});

test('who waits in the accept queue when the port closes is told that the proxy shuts down', async (t) => {
  // It is this thread that is kept busy.
  const proxy = await testProxy(t, { workers: 1 });
  const wire = `${JSON.stringify(request())}\n`;
  const client = spawn(process.execPath, ['--eval', CLIENT, String(proxy.port), wire]);
  t.after(() => client.kill());
  let said = '';
  client.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await within(once(client.stdout, 'data'), 20_000, 'a client that is ready');
  // In an immediate: the next things that the loop looks at are its timers, and sockets only after them.
  const keepBusy = (): void => {
    client.stdin.write('go');
    const untilMs = performance.now() + BUSY_MS;
    while (performance.now() < untilMs);
  };
  const stopped = new Promise<void>((resolve) => {
    setImmediate(() => {
      resolve(proxy.stop());
      keepBusy();
    });
  });
  await within(once(client, 'close'), 20_000, 'the end of the client');
  await stopped;
  assert.match(said, /SHUTTING_DOWN/);
});

test('when the time for open requests is up, each of them is told before the connection closes', async (t) => {
  const times = { drainTimeoutMs: 100, requestTimeoutMs: 60_000, attemptTimeoutMs: 60_000, pipelineDepth: 1 };
  const proxy = await testProxy(t, times);
  await (await fakeServer(t, proxy, 1, { behave: () => {} })).join({ keepAlive: true });
  const client = clientOf(proxy);
  for (const payload of ['sent', 'waits']) client.send(request(payload));
  await eventually(async () => (await policies(proxy)).policies[0]?.waiting === 1);
  const stopped = proxy.stop();
  const [sent, waits] = [await client.nextFrame(), await client.nextFrame()];
  assert.deepEqual(
    [sent.code, sent.sent, waits.code, waits.sent],
    ['UPSTREAM_TIMEOUT', true, 'SHUTTING_DOWN', false],
  );
  assert.equal(await client.ended(), 'fin');
  client.socket.destroy();
  await stopped;
});

test('a lame duck serves on, and tells servers, clients and load balancers that it will stop', async (t) => {
  const patience = { requestTimeoutMs: 60_000, attemptTimeoutMs: 60_000 };
  const proxy = await testProxy(t, { lameDuckMs: 1_500, ...patience });
  const held: (() => void)[] = [];
  const behave: Behaviour = (_peer, { payload }, answer) =>
    void (payload === 'held' ? held.push(answer) : answer());
  const lease = await (await fakeServer(t, proxy, 1, { behave })).join({ session: true });
  const [busy, quiet] = [clientOf(proxy), clientOf(proxy)];
  for (const client of [busy, quiet]) {
    client.send(request());
    assert.equal('proxies' in (await client.nextFrame()), false);
  }
  busy.send(request('held'));
  await eventually(async () => held.length === 1);
  const isReady = async (): Promise<number> =>
    (await fetch(`http://127.0.0.1:${proxy.adminPort}/readyz`)).status;
  assert.equal(await isReady(), 200);
  const stopped = proxy.stop();
  let heartbeat = await lease.nextFrame();
  while (heartbeat.leaving === undefined) heartbeat = await lease.nextFrame();
  assert.deepEqual(heartbeat, { type: 3, srcid: 'proxy', leaving: true });
  assert.equal(await isReady(), 503);
  const late = clientOf(proxy);
  late.send(request());
  const told = await late.nextFrame();
  assert.deepEqual([told.payload, told.proxies], [digestOf('hello'), []]);
  // Whoever has no request is closed while others are served.
  for (const client of [quiet, late]) {
    assert.equal(await client.ended(), 'fin');
    client.socket.destroy();
  }
  held[0]?.();
  const answered = await busy.nextFrame();
  assert.deepEqual([answered.payload, answered.proxies], [digestOf('held'), []]);
  busy.socket.destroy();
  lease.socket.destroy();
  await stopped;
});

test('other proxies are those behind the names, without the one that asks', async () => {
  const peers = [
    { host: 'localhost', port: 10_000 },
    { host: '127.0.0.2', port: 10_000 },
    { host: '127.0.0.1', port: 10_001 },
    { host: 'no-such-host.invalid', port: 10_000 },
  ];
  const others = ['127.0.0.2:10000', '127.0.0.1:10001'];
  assert.deepEqual(await otherProxies(peers, '0.0.0.0', 10_000), others);
  assert.deepEqual(await otherProxies(peers, '127.0.0.1', 10_000), others);
});

/** A process that is let run this much of the time: each stretch is short, and the queue fills in between. */
const RUNS_MS = 3;
const HELD_MS = 20;
const CONNECTIONS_PER_MS = 1;
const THROTTLED_MS = 1_000;

// A stop of the process between the last look into a queue and its closing can't be told from a fault of the proxy, and strikes
// one time in ten.
const TRIES = 3;

test('a stop on a machine that hardly lets it run resets nobody', {
  skip: process.platform !== 'linux',
}, async (t) => {
  let told = new Map<string, number>();
  for (let tries = 0; tries < TRIES; tries += 1) {
    told = await stopThrottled(t);
    if (!told.has('ECONNRESET') && !told.has('EPIPE')) break;
  }
  assert.deepEqual(
    [told.get('ECONNRESET'), told.get('EPIPE')],
    [undefined, undefined],
    JSON.stringify([...told]),
  );
  assert.ok((told.get('SHUTTING_DOWN') ?? 0) > 0, JSON.stringify([...told]));
});

/** @returns what clients were told while it stopped, and how often */
async function stopThrottled(t: TestContext): Promise<Map<string, number>> {
  const port = await freePort();
  const adminPort = await freePort();
  const proxy = startProgram('services/proxy/main.ts', [
    '--port',
    String(port),
    '--admin-port',
    String(adminPort),
  ]);
  t.after(() => proxy.stop());
  await proxy.printed(/listening/i);
  const wire = `${JSON.stringify(request())}\n`;
  const told = new Map<string, number>();
  const count = (what: string): void => void told.set(what, (told.get(what) ?? 0) + 1);
  const ask = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(wire));
      socket.on('error', (error: NodeJS.ErrnoException) => count(error.code ?? error.message));
      socket.on('data', (reply) => count(/SHUTTING_DOWN/.exec(String(reply))?.[0] ?? 'something else'));
      socket.on('close', () => resolve());
    });
  proxy.child.kill('SIGTERM');
  const asked: Promise<void>[] = [];
  const beganMs = performance.now();
  while (performance.now() - beganMs < THROTTLED_MS) {
    proxy.child.kill('SIGSTOP');
    const due = Math.min(THROTTLED_MS, performance.now() - beganMs) * CONNECTIONS_PER_MS;
    while (asked.length < due) asked.push(ask());
    await sleep(HELD_MS);
    proxy.child.kill('SIGCONT');
    await sleep(RUNS_MS);
  }
  await within(Promise.all(asked), 20_000, 'an end of every connection');
  return told;
}
