// test · connections from load balancers: whose they are is what their PROXY header says, and nobody else can say so.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { Authority, type Pem } from '../../../../scripts/certs.ts';
import { attempt } from '../../../../scripts/kit/command.ts';
import { waitForListener } from '../../../../scripts/kit/ports.ts';
import { startProcess } from '../../../../scripts/kit/process.ts';
import {
  defaultsOfTests,
  eventually,
  type FakeServer,
  fakeServer,
  policies,
  request,
  rowOf,
  stopMeanwhile,
} from '../../../../test-support/cluster.ts';
import { type Frame, freePort, type Peer, peerFrom, within } from '../../../../test-support/peers.ts';
import type { Line } from '../../../shared/log.ts';
import type { ProxyOptions } from '../../options.ts';
import { type RunningProxy, startProxy } from '../../proxy.ts';

const HOUR_MS = 3_600_000;
const BALANCER = '127.0.0.1';
const OTHER = '127.0.0.2';
const NOBODY_SERVES = `${JSON.stringify(request('x', { policy: 'none' }))}\n`;
const OPERATING = readFileSync(new URL('../../../../docs/operating.md', import.meta.url), 'utf8');
const CLOSED = 'connection from a load balancer closed';

let ca: Authority;
let good: Pem;
before(async () => {
  const later = new Date(Date.now() + HOUR_MS);
  ca = await Authority.create('ours', later);
  good = await ca.issue({ name: 'good', hosts: ['localhost', '127.0.0.1'], notAfter: later });
});

/** Those of the test that runs. */
const sockets: Socket[] = [];

/** A proxy behind the load balancer at 127.0.0.1, and what it logs. */
async function proxyBehind(
  t: TestContext,
  overrides: Partial<ProxyOptions> = {},
): Promise<{ proxy: RunningProxy; lines: Line[] }> {
  const lines: Line[] = [];
  const own = {
    port: 0,
    adminPort: 0,
    host: '127.0.0.1',
    startupMs: 0,
    drainTimeoutMs: 0,
    healthIntervalMs: 200,
  };
  const options = { ...defaultsOfTests(), ...own, proxyProtocol: [BALANCER], ...overrides };
  const proxy = await startProxy(options, (line) => lines.push(line));
  // A proxy waits for its peers to close; here they have no reason to linger.
  t.after(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    stopMeanwhile(proxy);
  });
  return { proxy, lines };
}

function peerOf({ port }: RunningProxy, localAddress = BALANCER): Peer {
  const peer = peerFrom(localAddress, port);
  sockets.push(peer.socket);
  return peer;
}

function v1(source: string): string {
  return `PROXY TCP${source.includes(':') ? `6 ${source} ::1` : `4 ${source} 127.0.0.1`} 1234 10000\r\n`;
}

function v2(source: string, extensions = Buffer.alloc(0)): Buffer {
  const block = Buffer.from([...source.split('.').map(Number), 127, 0, 0, 1, 4, 210, 39, 16, ...extensions]);
  const start = Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0', 'latin1');
  start.writeUInt16BE(block.length, 14);
  return Buffer.concat([start, block]);
}

function closings(lines: readonly Line[]): unknown[] {
  return lines.filter(({ message }) => message === CLOSED).map(({ why }) => why);
}

function setupOf(server: FakeServer): Frame {
  return { type: 1, id: server.id, privPoliId: 1, listenport: server.port };
}

test('header and packet arrive split at any byte, together, or behind extensions', async (t) => {
  const { proxy } = await proxyBehind(t);
  for (const header of [Buffer.from(v1('10.0.0.1')), v2('10.0.0.1'), v2('10.0.0.1', Buffer.alloc(4000))]) {
    const bytes = Buffer.concat([header, Buffer.from(NOBODY_SERVES)]);
    const steps = [1, 15, header.length, header.length + 5, bytes.length];
    for (const step of steps.slice(header.length > 1000 ? 1 : 0)) {
      const peer = peerOf(proxy);
      await peer.connected();
      for (let at = 0; at < bytes.length; at += step) {
        peer.send(bytes.subarray(at, at + step));
        await nextTurn();
      }
      assert.equal((await peer.nextFrame()).code, 'NO_SERVER', `${step} bytes at a time`);
      peer.send(NOBODY_SERVES);
      assert.equal((await peer.nextFrame()).code, 'NO_SERVER');
      peer.close();
      assert.equal(await peer.ended(), 'fin');
    }
  }
});

test('connections count for the source that the header tells', async (t) => {
  const { proxy } = await proxyBehind(t, { maxConnectionsPerSource: 2, workers: 1 });
  const from = async (header: string | Buffer): Promise<Frame> => {
    const peer = peerOf(proxy);
    peer.send(header);
    peer.send(NOBODY_SERVES);
    return await peer.nextFrame();
  };
  for (const header of [v1('10.0.0.1'), v2('10.0.0.1')]) assert.equal((await from(header)).code, 'NO_SERVER');
  const { code, payload } = await from(v1('10.0.0.1'));
  assert.equal(code, 'OVERLOADED');
  assert.match(payload, /^10\.0\.0\.1 has 2 connections open/);
  for (const other of [v1('10.0.0.2'), v2('10.0.0.3'), v1('::ffff:10.0.0.4')])
    assert.equal((await from(other)).code, 'NO_SERVER');
  assert.equal((await from(v1('2001:db8::1'))).code, 'NO_SERVER');
  assert.equal((await from(v1('2001:DB8:0:0::2'))).code, 'NO_SERVER');
  assert.match((await from(v1('2001:db8::3'))).payload, /^2001:db8:0:0::\/64 has 2/);
});

test('a server is reached at the address that the header tells, and its session counts as from there', async (t) => {
  const { proxy, lines } = await proxyBehind(t, { host: '0.0.0.0', registerFrom: ['127.0.0.3/32'] });
  const server = await fakeServer(t, proxy, 1);
  const peer = peerOf(proxy);
  peer.send(Buffer.concat([v2('127.0.0.3'), Buffer.from(`${JSON.stringify(setupOf(server))}\n`)]));
  assert.equal((await peer.nextFrame()).status, 'registered');
  assert.equal((await rowOf(proxy, 1))?.address, `127.0.0.3:${server.port}`);
  for (const header of [
    'PROXY UNKNOWN\r\n',
    v1('127.0.0.4'),
    Buffer.from('\r\n\r\n\0\r\nQUIT\n\x20\0\0\0', 'latin1'),
  ]) {
    const stranger = peerOf(proxy);
    stranger.send(header);
    stranger.send(setupOf(server));
    const { code, payload } = await stranger.nextFrame();
    assert.equal(code, 'REGISTRATION_REFUSED');
    const own = header === v1('127.0.0.4') ? '127.0.0.4' : BALANCER;
    assert.match(payload, new RegExp(`may not register from ${own}`));
  }
  const refused = lines.filter(({ message }) => message === 'registration refused').map(({ from }) => from);
  assert.deepEqual(refused, [BALANCER, '127.0.0.4', BALANCER]);
  const itself = peerOf(proxy);
  itself.send(v1('127.0.0.3'));
  itself.send({ ...setupOf(server), listenport: proxy.port });
  assert.match((await itself.nextFrame()).payload, /is this proxy itself/);
});

test('from elsewhere a header is no header', async (t) => {
  const { proxy, lines } = await proxyBehind(t);
  for (const header of [v1('10.0.0.1'), v2('10.0.0.1')]) {
    const peer = peerOf(proxy, OTHER);
    peer.send(header);
    peer.send(NOBODY_SERVES);
    assert.equal((await peer.nextFrame()).code, 'BAD_JSON');
    assert.equal(await peer.ended(), 'fin');
  }
  const plain = peerOf(proxy, OTHER);
  plain.send(NOBODY_SERVES);
  assert.equal((await plain.nextFrame()).code, 'NO_SERVER');
  assert.deepEqual(closings(lines), []);
});

test('a balancer that sends no header, half of one or a wrong one is closed, and the log says why', async (t) => {
  const { proxy, lines } = await proxyBehind(t);
  const cases: [bytes: string | Buffer, why: RegExp][] = [
    [NOBODY_SERVES, /does not begin with a PROXY header/],
    ['PROXY TCP4 1.2.3.4 5.6.7.8 1 x\r\n', /line is malformed/],
    ['PROXY '.repeat(20), /no end within 107 bytes/],
    [Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff', 'latin1'), /more than 4096 bytes/],
  ];
  for (const [at, [bytes, why]] of cases.entries()) {
    const peer = peerOf(proxy);
    peer.send(bytes);
    await peer.ended();
    assert.equal(peer.received(), '');
    await eventually(async () => closings(lines).length > at);
    const [line] = lines.filter(({ message }) => message === CLOSED).slice(-1);
    assert.match(String(line?.why), why);
    assert.deepEqual([line?.level, line?.from], ['warn', BALANCER]);
  }
});

test('a balancer that leaves in the middle of a header is told of in the log', async (t) => {
  // What another connection shows to have been read is the same thread's.
  const { proxy, lines } = await proxyBehind(t, { workers: 1 });
  for (const [at, leave] of (['close', 'reset'] as const).entries()) {
    const peer = peerOf(proxy);
    await peer.connected();
    peer.send('PROXY TCP4');
    // What follows on another connection has been read after it.
    const later = peerOf(proxy);
    later.send(v1('10.0.0.1'));
    later.send(NOBODY_SERVES);
    await later.nextFrame();
    peer[leave]();
    await eventually(async () => closings(lines).length > at);
    assert.match(String(closings(lines).at(-1)), /left in the middle/);
  }
  assert.equal((await policies(proxy)).proxy.connections, 2);
});

test('a health check that connects and leaves makes no line', async (t) => {
  const { proxy, lines } = await proxyBehind(t);
  for (let check = 0; check < 5; check += 1) {
    const peer = peerOf(proxy);
    await peer.connected();
    if (check % 2 === 0) {
      peer.close();
      await peer.ended();
    } else peer.reset();
  }
  const last = peerOf(proxy);
  last.send('x');
  await last.ended();
  await eventually(async () => closings(lines).length > 0);
  assert.equal(closings(lines).length, 1);
});

test('a packet from the live page passes, with TLS too', async (t) => {
  for (const tls of [null, { ...good, clientCa: null }]) {
    const { proxy } = await proxyBehind(t, { tls });
    const url = `http://127.0.0.1:${proxy.adminPort}/api/send`;
    const body = JSON.stringify({ clientId: '900', policy: 'none', payload: 'hello' });
    const response = await fetch(url, { method: 'POST', body });
    assert.match(await response.text(), /NO_SERVER/);
  }
});

describe('with TLS the header comes before the handshake', () => {
  const NOT_ASKED = { clientCa: null };

  /** A load balancer that writes `header` in pieces of `step` bytes, the last one together with what its client sends. */
  async function balancer(
    t: TestContext,
    { port }: RunningProxy,
    header: Buffer,
    step: number,
  ): Promise<number> {
    const server = createServer((client) => {
      const behind = connect({ port, host: '127.0.0.1', noDelay: true });
      for (const socket of [client, behind]) socket.on('error', () => {});
      sockets.push(client, behind);
      client.once('data', async (hello) => {
        client.pause();
        let at = 0;
        for (; at + step < header.length; at += step) {
          behind.write(header.subarray(at, at + step));
          await nextTurn();
        }
        behind.write(Buffer.concat([header.subarray(at), hello]));
        client.pipe(behind).pipe(client);
      });
    });
    t.after(() => server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async function firstReply(port: number, packet: string, plain?: Socket): Promise<string> {
    const socket = connectTls({
      ...(plain === undefined ? { port, host: '127.0.0.1' } : { socket: plain }),
      ca: ca.cert,
      servername: 'localhost',
    });
    sockets.push(socket);
    const came = within(once(socket, 'data'), 20_000, 'reply');
    socket.write(packet);
    return String((await came)[0]);
  }

  test('split anywhere, and in one chunk with what follows', async (t) => {
    const { proxy } = await proxyBehind(t, { tls: { ...good, ...NOT_ASKED } });
    for (const header of [Buffer.from(v1('10.0.0.1')), v2('10.0.0.1'), v2('10.0.0.1', Buffer.alloc(4000))]) {
      for (const step of header.length > 1000 ? [500, 5000] : [1, 7, 5000]) {
        const port = await balancer(t, proxy, header, step);
        assert.match(await firstReply(port, NOBODY_SERVES), /NO_SERVER/, `${step} bytes at a time`);
      }
    }
  });

  test('the address is that of the header, for limits, servers and the lines about handshakes', async (t) => {
    const limits = { registerFrom: ['127.0.0.3'], maxConnectionsPerSource: 1, workers: 1 };
    const { proxy, lines } = await proxyBehind(t, { tls: { ...good, ...NOT_ASKED }, ...limits });
    const server = await fakeServer(t, proxy, 1);
    const port = await balancer(t, proxy, v2('127.0.0.3'), 5000);
    assert.match(await firstReply(port, `${JSON.stringify(setupOf(server))}\n`), /registered/);
    assert.equal((await rowOf(proxy, 1))?.address, `127.0.0.3:${server.port}`);
    assert.match(await firstReply(port, NOBODY_SERVES), /127\.0\.0\.3 has 1 connections open/);
    const plain = peerOf(proxy);
    plain.send(`${v1('10.0.0.7')}${NOBODY_SERVES}`);
    await plain.ended();
    await eventually(async () => lines.some(({ address }) => address === '10.0.0.7'));
  });

  test('without a header there is no handshake, and from elsewhere there is one as ever', async (t) => {
    const { proxy, lines } = await proxyBehind(t, { tls: { ...good, ...NOT_ASKED } });
    const failed = connectTls({ port: proxy.port, host: '127.0.0.1', ca: ca.cert, servername: 'localhost' });
    failed.on('error', () => {});
    await within(new Promise((resolve) => failed.once('close', resolve)), 20_000, 'end');
    assert.match(String(closings(lines)[0]), /does not begin/);
    const other = connect({ port: proxy.port, host: '127.0.0.1', localAddress: OTHER });
    assert.match(await firstReply(proxy.port, NOBODY_SERVES, other), /NO_SERVER/);
  });
});

/** The one in the documentation, with the ports of a test. */
function configurationFor(port: number, proxy: RunningProxy, sends: string): string {
  const [example = ''] = /^ {4}defaults$[\s\S]*?^ {8}server proxy2/m.exec(OPERATING) ?? [];
  const replaced: [what: string, by: string][] = [
    ['bind :10000', `bind 127.0.0.1:${port}\n    unique-id-format %[uuid()]`],
    ['send-proxy-v2', sends],
    ['port 10081', `port ${proxy.adminPort}`],
    ['server proxy1 10.0.0.11:10000', `server proxy1 127.0.0.1:${proxy.port}`],
    ['        server proxy2', ''],
  ];
  return `${replaced.reduce((text, [what, by]) => {
    assert.ok(text.includes(what), `the example has no "${what}"`);
    return text.replace(what, by);
  }, example)}\n`;
}

const hasHaproxy = (await attempt('haproxy', ['-v'], { timeoutMs: 10_000 })).isOk;

describe('HAProxy in front', {
  skip: hasHaproxy ? false : 'HAProxy is not installed: apt-get install haproxy',
}, () => {
  for (const [sends, isTls] of [
    ['send-proxy', false],
    ['send-proxy-v2', false],
    ['send-proxy-v2 proxy-v2-options crc32c,unique-id', false],
    ['send-proxy-v2', true],
  ] as const) {
    test(`${sends}${isTls ? ', TLS passed through' : ''}`, async (t) => {
      const tls = isTls ? { ...good, clientCa: null } : null;
      const { proxy, lines } = await proxyBehind(t, { tls, maxConnectionsPerSource: 2, workers: 1 });
      const port = await freePort();
      const folder = await mkdtemp(join(tmpdir(), 'haproxy-'));
      t.after(() => rm(folder, { recursive: true }));
      const file = join(folder, 'haproxy.cfg');
      await writeFile(file, configurationFor(port, proxy, sends));
      const haproxy = await startProcess('haproxy', ['-db', '-f', file]);
      t.after(() => haproxy.stop());
      await waitForListener('haproxy', port, t.signal);
      const open = (localAddress: string): Socket => {
        const plain = connect({ port, host: '127.0.0.1', localAddress });
        const socket = isTls ? connectTls({ socket: plain, ca: ca.cert, servername: 'localhost' }) : plain;
        sockets.push(socket);
        return socket;
      };
      const ask = async (localAddress: string): Promise<Frame> => {
        const socket = open(localAddress);
        const came = within(once(socket, 'data'), 20_000, 'reply');
        socket.write(NOBODY_SERVES);
        return JSON.parse(String((await came)[0]));
      };
      for (const _ of ['one', 'two']) assert.equal((await ask('127.0.0.5')).code, 'NO_SERVER');
      assert.match((await ask('127.0.0.5')).payload, /^127\.0\.0\.5 has 2 connections open/);
      assert.equal((await ask('127.0.0.6')).code, 'NO_SERVER');
      assert.deepEqual(closings(lines), []);
    });
  }
});
