// test · TLS on the well-known port and to the servers: who is let through, who is not, and what is said of it.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, type TestContext, test } from 'node:test';
import {
  connect as connectTls,
  createSecureContext,
  createServer as createTlsServer,
  TLSSocket,
} from 'node:tls';
import { Authority, type Pem } from '../../../scripts/certs.ts';
import {
  answerTo,
  defaultsOfTests,
  eventOf,
  eventually,
  fakeServer,
  request,
  rowOf,
  stopMeanwhile,
  testProxy,
} from '../../../test-support/cluster.ts';
import { connectPeer, within } from '../../../test-support/peers.ts';
import { startProgram } from '../../../test-support/programs.ts';
import { type Exchange, exchange } from '../../client/exchange.ts';
import { ProxyFinder } from '../../client/proxy-finder.ts';
import { Announcement } from '../../server/announce.ts';
import { AnswerServer } from '../../server/answer.ts';
import { systemClock } from '../../shared/clock.ts';
import { UsageError } from '../../shared/config.ts';
import type { Line } from '../../shared/log.ts';
import { formatSetup } from '../../shared/packet.ts';
import { type DialTls, dialTls, explainTls, readDialTls, readListenTls } from '../../shared/tls.ts';
import { TicketKeys } from '../network/tls-network.ts';
import { startProxy } from '../proxy.ts';

const HOUR_MS = 3_600_000;
const later = new Date(Date.now() + HOUR_MS);
const earlier = new Date(Date.now() - HOUR_MS);
const longAgo = new Date(Date.now() - 2 * HOUR_MS);
const HOSTS = ['localhost', '127.0.0.1'];

let ca: Authority;
let otherCa: Authority;
let good: Pem;
let expired: Pem;
let future: Pem;
let misnamed: Pem;
let foreign: Pem;
let folder = '';

before(async () => {
  [ca, otherCa] = [await Authority.create('ours', later), await Authority.create('theirs', later)];
  good = await ca.issue({ name: 'good', hosts: HOSTS, notAfter: later });
  expired = await ca.issue({ name: 'expired', hosts: HOSTS, notBefore: longAgo, notAfter: earlier });
  future = await ca.issue({
    name: 'future',
    hosts: HOSTS,
    notBefore: new Date(Date.now() + HOUR_MS / 2),
    notAfter: later,
  });
  misnamed = await ca.issue({ name: 'misnamed', hosts: ['somewhere.else'], notAfter: later });
  foreign = await otherCa.issue({ name: 'foreign', hosts: HOSTS, notAfter: later });
  folder = await mkdtemp(join(tmpdir(), 'tls-'));
});
after(() => rm(folder, { recursive: true }));

const dialling = (own: Pem | null = null, trusted = ca.cert): DialTls => ({
  ca: trusted,
  name: null,
  cert: own?.cert ?? null,
  key: own?.key ?? null,
});

async function ask(port: number, tls: DialTls | null, host = 'localhost'): Promise<Exchange> {
  const finder = new ProxyFinder([{ host, port }], async () => ['127.0.0.1']);
  return await exchange(Buffer.from(JSON.stringify(request())), finder, 3000, tls);
}

async function tlsServer(t: TestContext, own: Pem): Promise<number> {
  const server = createTlsServer({ ...own }, (socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('from the client through the proxy to a server and back, with a certificate on every side', async (t) => {
  const listen = { ...good, clientCa: ca.cert };
  const upstreamTls = { ...dialling(good), name: 'localhost' };
  const patience = { requestTimeoutMs: 20_000, attemptTimeoutMs: 20_000, connectTimeoutMs: 20_000 };
  const proxy = await testProxy(t, { tls: listen, upstreamTls, ...patience, healthTimeoutMs: 20_000 });
  const server = new AnswerServer(1, listen);
  const listenPort = await server.listen(0, '127.0.0.1');
  const announcement = new Announcement({
    proxies: [{ host: 'localhost', port: proxy.port }],
    serverId: 1,
    setup: () => formatSetup({ id: 1, policy: '1', listenPort, incarnation: 'boot' }),
    tls: dialling(good),
    resolve: async () => ['127.0.0.1'],
    clock: systemClock,
    log: () => {},
  });
  announcement.start();
  t.after(async () => {
    await announcement.leave(0);
    await server.drain(0);
  });
  await eventOf(proxy, 'admitted', 1);
  assert.equal((await rowOf(proxy, 1))?.session, true);
  // One after the other: a client gives a handshake one second, and all of them are made by this process.
  for (let asked = 0; asked < 20; asked += 1) {
    const reply = await ask(proxy.port, dialling(good));
    assert.match(JSON.stringify(reply), /"kind":"answer","serverId":1/);
  }
});

describe('who is connected to', () => {
  const cases: [name: string, own: () => Pem, tls: () => DialTls, why: RegExp | null][] = [
    ['a good certificate', () => good, () => dialling(), null],
    ['an expired certificate', () => expired, () => dialling(), /has expired/],
    ['one that is not valid yet', () => future, () => dialling(), /not valid yet/],
    ['one for another name', () => misnamed, () => dialling(), /for another name/],
    ['one of another authority', () => foreign, () => dialling(), /not trusted here/],
    [
      'a good one where only the system is trusted',
      () => good,
      () => ({ ...dialling(), ca: null }),
      /not trusted here/,
    ],
    [
      'one for the name that is asked for',
      () => misnamed,
      () => ({ ...dialling(), name: 'somewhere.else' }),
      null,
    ],
  ];
  for (const [name, own, tls, why] of cases) {
    test(`${why === null ? 'accepts' : 'refuses'} ${name}`, async (t) => {
      const socket = dialTls('127.0.0.1', await tlsServer(t, own()), tls());
      t.after(() => socket.destroy());
      const outcome = await within(
        new Promise<string | null>((resolve) => {
          socket.on('secureConnect', () => resolve(null));
          socket.on('error', (error: NodeJS.ErrnoException) => resolve(explainTls(error) ?? `${error.code}`));
        }),
        5000,
        'outcome',
      );
      if (why === null) assert.equal(outcome, null);
      else assert.match(outcome ?? '', why);
    });
  }

  test('refuses who does not speak TLS', async (t) => {
    const server: Server = createServer((socket) => socket.on('error', () => {}).end('{"type":-1}\n'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const reply = await ask((server.address() as AddressInfo).port, dialling());
    assert.match((reply as { reason: string }).reason, /does not speak TLS/);
  });
});

describe('who is let in', () => {
  const cases: [name: string, own: () => Pem | null, why: RegExp | null][] = [
    ['a certificate of the authority', () => good, null],
    ['none', () => null, /showed no certificate/],
    ['an expired one', () => expired, /has expired/],
    ['one of another authority', () => foreign, /not trusted here/],
  ];
  for (const [name, own, why] of cases) {
    test(`${why === null ? 'with' : 'not with'} ${name}`, async (t) => {
      const lines: Line[] = [];
      const options = { ...defaultsOfTests(), port: 0, adminPort: 0, host: '127.0.0.1', startupMs: 0 };
      const proxy = await startProxy({ ...options, tls: { ...good, clientCa: ca.cert } }, (line) =>
        lines.push(line),
      );
      t.after(() => stopMeanwhile(proxy));
      const reply = await ask(proxy.port, dialling(own()));
      if (why === null) {
        assert.match(JSON.stringify(reply), /NO_SERVER/);
        return;
      }
      assert.equal(reply.kind, 'failed');
      await eventually(async () => lines.some(({ message }) => message === 'TLS handshake failed'));
      const line = lines.find(({ message }) => message === 'TLS handshake failed');
      assert.match(String(line?.why), why);
      assert.equal(line?.address, '127.0.0.1');
    });
  }

  test('a plain packet gets no answer, and those over TLS still do', async (t) => {
    const proxy = await testProxy(t, { tls: { ...good, clientCa: null } });
    const peer = connectPeer(proxy.port);
    t.after(() => peer.socket.destroy());
    peer.send(request());
    await peer.ended();
    assert.doesNotMatch(peer.received(), /\{/);
    assert.match(JSON.stringify(await ask(proxy.port, dialling())), /NO_SERVER/);
  });

  test('a handshake that never ends is cut off', async (t) => {
    const proxy = await testProxy(t, { tls: { ...good, clientCa: null } });
    const socket = connect(proxy.port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    await within(
      text(socket).catch(() => ''),
      8000,
      'end of the connection',
    );
  });

  test('whoever leaves during the handshake is forgotten at once, and the port goes on', async (t) => {
    const lines: Line[] = [];
    const options = { ...defaultsOfTests(), port: 0, adminPort: 0, host: '127.0.0.1', startupMs: 0 };
    const proxy = await startProxy({ ...options, tls: { ...good, clientCa: null } }, (line) =>
      lines.push(line),
    );
    t.after(() => stopMeanwhile(proxy));
    // More than may be at their handshakes at a time.
    for (let round = 0; round < 12; round += 1) {
      const leavers = Array.from({ length: 100 }, () => connectPeer(proxy.port));
      await Promise.all(leavers.map((leaver) => leaver.connected()));
      for (const leaver of leavers) leaver.close();
      await Promise.all(leavers.map((leaver) => leaver.ended()));
    }
    assert.match(JSON.stringify(await ask(proxy.port, dialling())), /NO_SERVER/);
  });

  test('a client that half-closes gets its reply', async (t) => {
    const proxy = await testProxy(t, { tls: { ...good, clientCa: null } });
    const socket = dialTls('127.0.0.1', proxy.port, dialling());
    t.after(() => socket.destroy());
    socket.end(JSON.stringify(request()));
    assert.match(await within(text(socket), 20_000, 'reply'), /NO_SERVER/);
  });
});

describe('a client that comes back is known again, whichever of the sockets accepts it', () => {
  const cases = [
    ['TLSv1.2', false],
    ['TLSv1.3', false],
    ['TLSv1.2', true],
    ['TLSv1.3', true],
  ] as const;
  for (const [maxVersion, hasOwn] of cases) {
    test(`${maxVersion}${hasOwn ? ', with a certificate of its own' : ''}`, async (t) => {
      const proxy = await testProxy(t, { tls: { ...good, clientCa: hasOwn ? ca.cert : null } });
      const own = hasOwn ? good : {};
      const options = { host: '127.0.0.1', servername: 'localhost', ca: ca.cert, maxVersion, ...own };
      const first = connectTls({ port: proxy.port, ...options });
      t.after(() => first.destroy());
      const [session] = (await within(once(first, 'session'), 20_000, 'session')) as [Buffer];
      let reused = 0;
      for (let visit = 0; visit < 40; visit += 1) {
        const socket = connectTls({ port: proxy.port, ...options, session });
        t.after(() => socket.destroy());
        await within(once(socket, 'secureConnect'), 20_000, 'handshake');
        if (socket.isSessionReused()) reused += 1;
        socket.end(JSON.stringify(request()));
        assert.match(await within(text(socket), 20_000, 'reply'), /NO_SERVER/);
      }
      assert.equal(reused, 40);
    });
  }

  test('with a new key each hour, so that a ticket is no good for ever', async (t) => {
    let nowMs = 0;
    const keys = new TicketKeys(() => nowMs);
    const server = createTlsServer({ ...good, maxVersion: 'TLSv1.2' }, (socket) =>
      socket.on('error', () => {}),
    );
    keys.add(server);
    server.on('connection', () => keys.rotateIfDue());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const visit = async (known: object): Promise<{ session: Buffer; isReused: boolean }> => {
      const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: ca.cert, ...known });
      t.after(() => socket.destroy());
      await within(once(socket, 'secureConnect'), 20_000, 'handshake');
      return { session: socket.getSession() as Buffer, isReused: socket.isSessionReused() };
    };
    const { session } = await visit({});
    nowMs = HOUR_MS - 1;
    assert.equal((await visit({ session })).isReused, true);
    nowMs = HOUR_MS;
    assert.equal((await visit({ session })).isReused, false);
  });
});

test('a server whose certificate is no good gets nothing, and the table says that it is not trusted', async (t) => {
  const proxy = await testProxy(t, { upstreamTls: { ...dialling(), name: 'localhost' } });
  const port = await tlsServer(t, expired);
  const server = await fakeServer(t, proxy, 1);
  await server.register({ listenport: port });
  await eventually(async () => (await rowOf(proxy, 1))?.lastProbe?.outcome === 'untrusted');
  assert.equal((await rowOf(proxy, 1))?.state, 'joining');
});

test('a used connection on which TLS breaks costs the request that it was to carry nothing', async (t) => {
  const proxy = await testProxy(t, { upstreamTls: { ...dialling(), name: 'localhost' } });
  const secureContext = createSecureContext(good);
  // Each connection answers once, and what comes instead of a second answer is no TLS.
  const listener: Server = createServer((raw) => {
    let asked = 0;
    const socket = new TLSSocket(raw, { isServer: true, secureContext });
    socket.on('error', () => {});
    socket.on('data', (line) => {
      asked += 1;
      if (asked > 1) raw.write('HTTP/1.1 502 Bad Gateway\r\n\r\n');
      else socket.write(`${JSON.stringify(answerTo(1, JSON.parse(String(line))))}\n`);
    });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => listener.close());
  const { port } = listener.address() as AddressInfo;
  const server = await fakeServer(t, proxy, 1);
  await server.register({ listenport: port, keepAlive: true });
  await eventOf(proxy, 'admitted', 1);
  for (let n = 0; n < 5; n += 1) {
    const reply = await ask(proxy.port, null);
    assert.ok(reply.kind === 'reply' && reply.packet.kind === 'answer', JSON.stringify(reply));
  }
  assert.equal((await rowOf(proxy, 1))?.failed, 0);
});

test('the client says why it does not trust the proxy, and gets its answer from one that it trusts', async (t) => {
  const file = join(folder, 'ca.pem');
  await writeFile(file, ca.cert);
  const args = (port: number): string[] => [
    'client_packet_1.json',
    '--proxy',
    `localhost:${port}`,
    '--tls',
    '--tls-ca',
    file,
  ];
  const proxy = await testProxy(t, { tls: { ...good, clientCa: null } });
  const trusted = startProgram('services/client/main.ts', args(proxy.port));
  t.after(() => trusted.stop());
  assert.equal(await trusted.exited(), 3);
  assert.match(trusted.stderr(), /NO_SERVER/);
  const untrusted = startProgram('services/client/main.ts', args(await tlsServer(t, expired)));
  t.after(() => untrusted.stop());
  assert.equal(await untrusted.exited(), 4);
  assert.match(untrusted.stderr(), /its certificate has expired/);
});

describe('the files', () => {
  const write = async (name: string, content: string): Promise<string> => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };

  test('are read once, and have to fit', async () => {
    const [cert, key] = [await write('good.pem', good.cert), await write('good-key.pem', good.key)];
    const clientCa = await write('client-ca.pem', ca.cert);
    const other = await write('other-key.pem', foreign.key);
    const [old, oldKey] = [await write('old.pem', expired.cert), await write('old-key.pem', expired.key)];
    const rubbish = await write('rubbish.pem', 'rubbish');
    const empty = await write('empty.pem', '');
    const passphrase = { format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' } as const;
    const locked = await write('locked.pem', String(createPrivateKey(good.key).export(passphrase)));
    const own = { 'tls-cert': cert, 'tls-key': key };
    assert.deepEqual(readListenTls({ 'tls-cert': cert, 'tls-key': key, 'tls-client-ca': clientCa }), {
      ...good,
      clientCa: ca.cert,
    });
    assert.equal(readListenTls({}), null);
    assert.equal(readDialTls('tls', {}), null);
    assert.deepEqual(readDialTls('tls', { tls: true, 'tls-ca': clientCa, 'tls-name': 'x' }), {
      ca: ca.cert,
      name: 'x',
      cert: null,
      key: null,
    });
    const refused: [() => unknown, RegExp][] = [
      [() => readListenTls({ 'tls-cert': cert }), /--tls-cert and --tls-key belong together/],
      [() => readListenTls({ 'tls-client-ca': clientCa }), /says nothing without --tls-cert/],
      [
        () => readListenTls({ 'tls-cert': cert, 'tls-key': '/nowhere' }),
        /\/nowhere can't be read \(ENOENT\)/,
      ],
      [() => readListenTls({ 'tls-cert': cert, 'tls-key': other }), /is not the key of the certificate in/],
      [() => readListenTls({ 'tls-cert': cert, 'tls-key': rubbish }), /rubbish\.pem holds no private key/],
      [() => readListenTls({ 'tls-cert': cert, 'tls-key': locked }), /has a passphrase/],
      [() => readListenTls({ 'tls-cert': rubbish, 'tls-key': key }), /--tls-cert: .*holds no certificate/],
      [() => readListenTls({ 'tls-cert': old, 'tls-key': oldKey }), /--tls-cert: .*has expired on/],
      [() => readListenTls({ ...own, 'tls-client-ca': empty }), /--tls-client-ca: .*holds no certificate/],
      [() => readListenTls({ ...own, 'tls-client-ca': cert }), /no certificate of an authority/],
      [() => readListenTls({ ...own, 'tls-client-ca': '' }), /--tls-client-ca is empty/],
      [() => readDialTls('tls', { tls: true, 'tls-ca': empty }), /--tls-ca: .*holds no certificate/],
      [() => readDialTls('tls', { 'tls-ca': clientCa }), /say nothing without --tls/],
      [() => readDialTls('tls', { tls: true, 'tls-cert': cert }), /belong together/],
    ];
    for (const [read, sentence] of refused) {
      assert.throws(
        read,
        (error) => error instanceof UsageError && sentence.test(error.message),
        String(sentence),
      );
    }
  });
});
