// test · the packet goes to every address behind the name, in turn.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { freePort, type ScriptedServer, scriptedServer } from '../../test-support/peers.ts';
import { parsePacket } from '../shared/packet.ts';
import { exchange } from './exchange.ts';
import { KnownProxies } from './known-proxies.ts';
import { ProxyFinder } from './proxy-finder.ts';

const BYTES = Buffer.from('{"type":0}');
const REPLY = '{"type":2}';

async function serverAt(
  t: TestContext,
  host: string,
  port = 0,
  reply: string | Buffer | null = REPLY,
): Promise<ScriptedServer> {
  const server = await scriptedServer(
    (peer) => {
      peer.nextFrame().then(
        () => (reply === null ? peer.reset() : peer.send(reply)),
        () => {},
      );
    },
    { host, port },
  );
  t.after(() => server.close());
  return server;
}

/** The proxies at these addresses behind one name, to be asked in this order. */
function behind(port: number, ...addresses: string[]): ProxyFinder {
  const inOrder = new KnownProxies(
    () => performance.now(),
    () => 0,
  );
  return new ProxyFinder([{ host: 'proxy', port }], async () => addresses, inOrder);
}

test('an address where nobody listens is passed over', async (t) => {
  const { port } = await serverAt(t, '127.0.0.2');
  const result = await exchange(BYTES, behind(port, '127.0.0.1', '127.0.0.2'), 2_000);
  assert.deepEqual([result.kind, result.kind === 'reply' && result.packet], ['reply', parsePacket(REPLY)]);
});

test('an address that breaks the connection is passed over', async (t) => {
  const broken = await serverAt(t, '127.0.0.1', 0, null);
  await serverAt(t, '127.0.0.2', broken.port);
  const result = await exchange(BYTES, behind(broken.port, '127.0.0.1', '127.0.0.2'), 2_000);
  assert.equal(result.kind, 'reply');
  assert.equal(broken.connections.length, 1);
});

test('the first address that replies is the last that is asked', async (t) => {
  const first = await serverAt(t, '127.0.0.1');
  const second = await serverAt(t, '127.0.0.2', first.port);
  await exchange(BYTES, behind(first.port, '127.0.0.1', '127.0.0.2'), 2_000);
  assert.deepEqual([first.connections.length, second.connections.length], [1, 0]);
});

test('a reply with an id that is not UTF-8 is a reply', async (t) => {
  const reply = Buffer.from('{"type":2,"srcid":"M\u00fcller","payload":"abc"}', 'latin1');
  const { port } = await serverAt(t, '127.0.0.1', 0, reply);
  const result = await exchange(BYTES, behind(port, '127.0.0.1'), 2_000);
  assert.ok(result.kind === 'reply' && result.packet.kind === 'answer', JSON.stringify(result));
});

test('an IPv6 address is named with brackets', async () => {
  const port = await freePort();
  const result = await exchange(BYTES, behind(port, '::1'), 2_000);
  assert.ok(result.kind === 'failed' && result.reason.startsWith(`[::1]:${port} `), JSON.stringify(result));
});

const GOODBYE = '{"type":-1,"code":"SHUTTING_DOWN","retryable":true,"sent":false,"payload":"It stops."}';

test('a proxy that shuts down is left for the next', async (t) => {
  const leaving = await serverAt(t, '127.0.0.1', 0, GOODBYE);
  await serverAt(t, '127.0.0.2', leaving.port);
  const finder = behind(leaving.port, '127.0.0.1', '127.0.0.2');
  const result = await exchange(BYTES, finder, 2_000);
  assert.ok(result.kind === 'reply', JSON.stringify(result));
  assert.equal(result.proxy.host, '127.0.0.2');
  await exchange(BYTES, finder, 2_000);
  assert.equal(leaving.connections.length, 1, 'it is not asked a second time');
});

const EMPTY = GOODBYE.replace('SHUTTING_DOWN', 'NO_SERVER');

test('a proxy without servers is passed over, and asked again the next time', async (t) => {
  const empty = await serverAt(t, '127.0.0.1', 0, EMPTY);
  const other = await serverAt(t, '127.0.0.2', empty.port);
  const finder = behind(empty.port, '127.0.0.1', '127.0.0.2');
  for (let i = 0; i < 4; i += 1) {
    const result = await exchange(BYTES, finder, 2_000);
    assert.ok(result.kind === 'reply' && result.packet.kind !== 'error', JSON.stringify(result));
  }
  assert.ok(empty.connections.length >= 2);
  assert.equal(other.connections.length, 4);
});

test('where no proxy has a server, two are asked and not all', async (t) => {
  const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const;
  const first = await serverAt(t, hosts[0], 0, EMPTY);
  const others = await Promise.all(hosts.slice(1).map((host) => serverAt(t, host, first.port, EMPTY)));
  for (const asked of [hosts, hosts.slice(0, 1)]) {
    const result = await exchange(BYTES, behind(first.port, ...asked), 2_000);
    assert.ok(result.kind === 'reply' && result.packet.kind === 'error', JSON.stringify(result));
    assert.equal(result.packet.code, 'NO_SERVER');
  }
  assert.deepEqual(
    [first, ...others].map(({ connections }) => connections.length),
    [2, 1, 0],
  );
});

test('a proxy that can not be reached, or stops, does not hide that another one has no server', async (t) => {
  const empty = await serverAt(t, '127.0.0.1', 0, EMPTY);
  await serverAt(t, '127.0.0.3', empty.port, null);
  const result = await exchange(BYTES, behind(empty.port, '127.0.0.1', '127.0.0.2', '127.0.0.3'), 2_000);
  assert.ok(result.kind === 'reply' && result.packet.kind === 'error', JSON.stringify(result));
  assert.equal(result.packet.code, 'NO_SERVER');
});

test('when all shut down, that is the reply', async (t) => {
  const { port } = await serverAt(t, '127.0.0.1', 0, GOODBYE);
  const result = await exchange(BYTES, behind(port, '127.0.0.1', '127.0.0.2'), 2_000);
  assert.ok(result.kind === 'reply' && result.packet.kind === 'error', JSON.stringify(result));
  assert.equal(result.packet.code, 'SHUTTING_DOWN');
});

test('a proxy that shuts down names another, which is asked, and the next time at once', async (t) => {
  const other = await serverAt(t, '127.0.0.2');
  const named = `,"proxies":["nowhere:1","127.0.0.2:${other.port}",7]}`;
  const leaving = await serverAt(t, '127.0.0.1', 0, GOODBYE.replace(/}$/, named));
  const finder = behind(leaving.port, '127.0.0.1');
  for (const asked of [1, 2]) {
    const result = await exchange(BYTES, finder, 2_000);
    assert.ok(result.kind === 'reply' && result.packet.kind !== 'error', JSON.stringify(result));
    assert.equal(other.connections.length, asked);
  }
  assert.equal(leaving.connections.length, 2, 'once more, in case that it is a balancer');
});

test('behind a balancer, another proxy answers at the same address, and those that are named need not be reached', async (t) => {
  const named = `,"proxies":["127.0.0.2:${await freePort()}"]}`;
  for (const first of [GOODBYE, REPLY]) {
    let connections = 0;
    const balancer = await scriptedServer((peer) => {
      connections += 1;
      const reply = connections === 1 ? first.replace(/}$/, named) : REPLY;
      peer.nextFrame().then(
        () => peer.send(reply),
        () => {},
      );
    });
    t.after(() => balancer.close());
    const finder = behind(balancer.port, '127.0.0.1');
    for (let i = 0; i < 2; i += 1) {
      const result = await exchange(BYTES, finder, 2_000);
      assert.ok(result.kind === 'reply' && result.packet.kind !== 'error', JSON.stringify(result));
    }
    assert.equal(connections, first === GOODBYE ? 3 : 2);
  }
});

test('when a proxy shuts down and none that it names can be reached, that is the reply', async (t) => {
  const named = `,"proxies":["127.0.0.2:${await freePort()}"]}`;
  const leaving = await serverAt(t, '127.0.0.1', 0, GOODBYE.replace(/}$/, named));
  const result = await exchange(BYTES, behind(leaving.port, '127.0.0.1'), 2_000);
  assert.ok(result.kind === 'reply' && result.packet.kind === 'error', JSON.stringify(result));
  assert.equal(result.packet.code, 'SHUTTING_DOWN');
});

test('proxies that shut down and name each other are asked twice at most', async (t) => {
  const naming = (port: number): string => GOODBYE.replace(/}$/, `,"proxies":["127.0.0.1:${port}"]}`);
  const ports = [await freePort(), await freePort()] as const;
  const named = await Promise.all([
    serverAt(t, '127.0.0.1', ports[0], naming(ports[1])),
    serverAt(t, '127.0.0.1', ports[1], naming(ports[0])),
  ]);
  const { port } = await serverAt(t, '127.0.0.1', 0, naming(ports[0]));
  const result = await exchange(BYTES, behind(port, '127.0.0.1'), 1_000);
  assert.ok(result.kind === 'reply' && result.packet.kind === 'error', JSON.stringify(result));
  for (const { connections } of named) assert.ok(connections.length <= 2, `${connections.length}`);
});

test('a proxy that keeps silent leaves time for the next', async (t) => {
  const silent = await scriptedServer();
  t.after(() => silent.close());
  await serverAt(t, '127.0.0.2', silent.port);
  const result = await exchange(BYTES, behind(silent.port, '127.0.0.1', '127.0.0.2'), 20_000);
  assert.equal(result.kind, 'reply');
  assert.equal(silent.connections.length, 1);
});

test('when all fail, every address is named with its reason', async (t) => {
  const { port } = await serverAt(t, '127.0.0.1', 0, null);
  const result = await exchange(BYTES, behind(port, '127.0.0.1', '127.0.0.2'), 2_000);
  assert.ok(result.kind === 'failed');
  assert.equal(result.wasTaken, true, 'by one of them');
  assert.match(result.reason, /127\.0\.0\.1:\d+ broke .*; 127\.0\.0\.2:\d+ can't be reached/);
});

test('a name without an address', async () => {
  const result = await exchange(
    BYTES,
    new ProxyFinder([{ host: 'nowhere', port: 1 }], async () => null),
    2_000,
  );
  assert.deepEqual(result, {
    kind: 'failed',
    reason: 'no address is known for "nowhere"',
    wasTaken: false,
    isTls: false,
  });
});
