// test · announcing to proxies that are late, die, refuse, say nothing, move, or multiply.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  freePort,
  PATIENCE_MS,
  type Peer,
  type ScriptedServer,
  scriptedServer,
  within,
} from '../../test-support/peers.ts';
import { NUMBERS } from '../proxy/options.ts';
import { type Clock, systemClock } from '../shared/clock.ts';
import type { Line } from '../shared/log.ts';
import { formatSetup } from '../shared/packet.ts';
import { Announcement, type AnnounceOptions, LOOK_UP_MS } from './announce.ts';
import { type MakeSetup, SESSION_TIMES } from './session.ts';

const REGISTERED = { type: 1, id: 7, privPoliId: '2', status: 'registered' };
const CLAIM = { id: 7, policy: '2', listenPort: 9000, incarnation: 'boot-1' };
const SETUP: MakeSetup = (nonce, sessionsWith) =>
  formatSetup({
    ...CLAIM,
    canProve: true,
    proof: nonce === null ? null : `proof for ${nonce}`,
    sessionsWith,
  });

/** Nobody waits for this in a test. */
const LONG_MS = 600_000;

type Script = Parameters<typeof scriptedServer>[0];

const accept: Script = (peer) => {
  peer.nextFrame().then(
    () => peer.send(REGISTERED),
    () => {},
  );
};

async function proxyAt(
  t: TestContext,
  script: Script = accept,
  at: { port?: number; host?: string } = {},
): Promise<ScriptedServer> {
  const proxy = await scriptedServer(script, at);
  t.after(() => proxy.close());
  return proxy;
}

function announce(t: TestContext, port: number, options: Partial<AnnounceOptions> = {}) {
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  const announcement = new Announcement({
    proxies: [{ host: 'proxy', port }],
    serverId: 7,
    setup: SETUP,
    resolve: async () => ['127.0.0.1'],
    clock: systemClock,
    log: (line) => {
      lines.push(line);
      for (const look of waiting) look();
    },
    ...options,
  });
  announcement.start();
  t.after(() => announcement.leave(0));
  const logged = (pattern: RegExp): Promise<void> => {
    const seen = new Promise<void>((resolve) => {
      const look = () => {
        if (lines.some((line) => pattern.test(JSON.stringify(line)))) resolve();
      };
      waiting.add(look);
      look();
    });
    return within(seen, 20_000, `line ${pattern}`);
  };
  return { announcement, lines, logged };
}

/** Its waits are noted, but for those between two look-ups, and pass in no time. */
function hastyClock() {
  const lookUpMs = 50_000;
  const waits: number[] = [];
  const sleep: Clock['sleep'] = (ms, signal) => {
    if (ms === lookUpMs) return systemClock.sleep(LONG_MS, signal);
    waits.push(ms);
    return systemClock.sleep(1, signal);
  };
  return { waits, clock: { ...systemClock, sleep }, lookUpMs, random: () => 0.5 };
}

/** Its time goes on where a test says so, and then the session looks at it. */
function handClock() {
  let nowMs = 0;
  let look = (): void => {};
  const clock: Clock = {
    ...systemClock,
    now: () => nowMs,
    after: (_ms, work) => {
      look = work;
      return () => {};
    },
    soon: (work) => work(),
  };
  const pass = (ms: number): void => {
    nowMs += ms;
    look();
  };
  return { clock, pass };
}

async function registered(proxy: ScriptedServer): Promise<Peer> {
  const peer = await proxy.nextConnection();
  const deadline = performance.now() + 5_000;
  while (!peer.received().includes('}\n') && performance.now() < deadline) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  return peer;
}

test('sends the setup packet and echoes heartbeats', async (t) => {
  const proxy = await proxyAt(t, () => {});
  const { logged } = announce(t, proxy.port);
  const peer = await proxy.nextConnection();
  assert.deepEqual(await peer.nextFrame(), {
    type: 1,
    id: 7,
    privPoliId: '2',
    listenport: 9000,
    session: true,
    keepAlive: true,
    incarnation: 'boot-1',
    auth: 'hmac-sha-256',
  });
  peer.send(REGISTERED);
  await logged(/"registered"/);
  for (let i = 0; i < 3; i += 1) {
    peer.send({ type: 3, srcid: 'proxy' });
    assert.deepEqual(await peer.nextFrame(), { type: 3, srcid: 7 });
  }
});

test('a challenge is answered with the proof, and a second one with the end of the session', async (t) => {
  const proxy = await proxyAt(t, () => {});
  const { logged } = announce(t, proxy.port);
  const peer = await proxy.nextConnection();
  await peer.nextFrame();
  peer.send({ type: 5, nonce: 'n1' });
  const { proof, ...setup } = await peer.nextFrame();
  assert.deepEqual([proof, setup.id, setup.incarnation], ['proof for n1', 7, 'boot-1']);
  peer.send({ type: 5, nonce: 'n2' });
  await logged(/refuses this server.*one proof after the other/);
  assert.equal(await peer.ended(), 'fin');
});

test('a proxy that is not there yet is found soon after it starts', async (t) => {
  const port = await freePort();
  const { lines, logged } = announce(t, port);
  await logged(/no session with the proxy.*ECONNREFUSED/);
  const proxy = await proxyAt(t, accept, { port });
  await registered(proxy);
  await logged(/"registered".*"failures"/);
  assert.equal(lines.length, 2, 'one line for the first failure, one for the recovery');
});

test('an IPv6 address is written with brackets', async (t) => {
  const { lines, logged } = announce(t, await freePort(), { resolve: async () => ['::1'] });
  await logged(/no session with the proxy/);
  assert.match(String(lines[0]?.proxy), /^\[::1\]:\d+$/);
});

test('a proxy that dies and comes back gets the same registration again', async (t) => {
  const first = await proxyAt(t);
  const { logged } = announce(t, first.port);
  const before = await registered(first);
  await logged(/"registered"/);
  await first.close();
  const second = await proxyAt(t, accept, { port: first.port });
  const after = await registered(second);
  assert.equal(after.received(), before.received());
});

test('a session that breaks is renewed, with FIN and with RST', async (t) => {
  const proxy = await proxyAt(t);
  announce(t, proxy.port);
  const first = await registered(proxy);
  first.close();
  const second = await registered(proxy);
  second.reset();
  await registered(proxy);
});

test('a refusal is told with its sentence, and asked for again only after a while', async (t) => {
  const refusal = {
    type: -1,
    code: 'REGISTRATION_REFUSED',
    retryable: false,
    payload: 'The token is wrong.',
  };
  const proxy = await proxyAt(t, (peer) => peer.send(refusal));
  const { waits, ...hasty } = hastyClock();
  const { lines, logged } = announce(t, proxy.port, { ...hasty, refusedMs: 7_000 });
  await logged(/refuses this server.*The token is wrong.*REGISTRATION_REFUSED/);
  for (let i = 0; i < 3; i += 1) await proxy.nextConnection();
  assert.deepEqual(waits.slice(0, 2), [7_000, 7_000]);
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['warn', 'debug'],
    'the second time it is no news',
  );
});

test('a server that another one with its id has replaced says so, and waits longer each time', async (t) => {
  const sentence = 'Another server registered with this id from 10.0.0.9:9000: give each an id of its own.';
  const farewell = { type: -1, code: 'REGISTRATION_REFUSED', retryable: false, payload: sentence };
  const proxy = await proxyAt(t, (peer) => {
    peer.nextFrame().then(
      () => {
        peer.send(REGISTERED);
        peer.send(farewell);
      },
      () => {},
    );
  });
  const { waits, ...hasty } = hastyClock();
  const { logged } = announce(t, proxy.port, hasty);
  await logged(/another server has the id of this one.*10\.0\.0\.9:9000/);
  for (let round = 0; round < 7; round += 1) await proxy.nextConnection();
  assert.deepEqual(waits.slice(0, 6), [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
});

test('a refusal that may pass (shutting down) is asked for again at once', async (t) => {
  const refusal = { type: -1, code: 'SHUTTING_DOWN', retryable: true, payload: 'Going.' };
  const proxy = await proxyAt(t, (peer, index) => (index === 0 ? peer.send(refusal) : accept(peer, index)));
  const { logged } = announce(t, proxy.port, { refusedMs: 60_000 });
  await logged(/"registered"/);
});

test('a proxy that never answers the setup packet is dialled again', async (t) => {
  const proxy = await proxyAt(t, () => {});
  const times = { connectMs: 300, replyMs: 60, silenceMs: 3_000 };
  const { logged } = announce(t, proxy.port, { times });
  for (let i = 0; i < 3; i += 1) await proxy.nextConnection();
  await logged(/did not answer the setup packet/);
});

test('a proxy that sends no heartbeats is dialled again', async (t) => {
  const proxy = await proxyAt(t);
  announce(t, proxy.port, { times: { connectMs: 300, replyMs: 1_000, silenceMs: 100 } });
  const first = await registered(proxy);
  await first.ended();
  await registered(proxy);
});

test('heartbeats keep the session', async (t) => {
  const proxy = await proxyAt(t);
  const { clock, pass } = handClock();
  const { logged } = announce(t, proxy.port, { clock, times: { ...SESSION_TIMES, silenceMs: 400 } });
  const peer = await registered(proxy);
  await logged(/"registered"/);
  for (let i = 0; i < 12; i += 1) {
    pass(399);
    peer.send({ type: 3 });
    await peer.nextFrame();
  }
  pass(401);
  await logged(/no session with the proxy.*missed three heartbeats/);
});

test('a proxy of the old kind, which closes after its reply, is not stormed', async (t) => {
  const proxy = await proxyAt(t, (peer) => {
    peer.nextFrame().then(
      () => {
        peer.send(REGISTERED);
        peer.close();
      },
      () => {},
    );
  });
  const { waits, ...hasty } = hastyClock();
  const { lines } = announce(t, proxy.port, hasty);
  for (let i = 0; i < 6; i += 1) await proxy.nextConnection();
  assert.deepEqual(waits.slice(0, 5), [50, 100, 200, 400, 800]);
  assert.equal(lines.filter(({ message }) => message === 'registered').length, 1, 'told once');
});

test('bytes that are no packets end the session, and it is renewed', async (t) => {
  const proxy = await proxyAt(t, (peer, index) =>
    index === 0 ? peer.send('HTTP/1.1 400\r\n') : accept(peer, index),
  );
  const { logged } = announce(t, proxy.port);
  await logged(/what is not a packet/);
  await logged(/"registered"/);
});

test('keeps one session with each address, and finds new ones', async (t) => {
  const first = await proxyAt(t);
  const second = await proxyAt(t, accept, { port: first.port, host: '127.0.0.2' });
  const third = await proxyAt(t, accept, { port: first.port, host: '127.0.0.3' });
  let addresses = ['127.0.0.1', '127.0.0.2'];
  announce(t, first.port, { resolve: async () => addresses, lookUpMs: 20 });
  await Promise.all([registered(first), registered(second)]);
  assert.equal(third.connections.length, 0);
  addresses = [...addresses, '127.0.0.3'];
  await registered(third);
  assert.deepEqual(
    [first, second, third].map(({ connections }) => connections.length),
    [1, 1, 1],
  );
});

test('a new proxy is found before it refuses the requests that wait for its first server', () => {
  assert.ok(LOOK_UP_MS + 250 < NUMBERS['startup-hold'].value);
});

test('an address that the name no longer has keeps its session, and is let go when it breaks for good', async (t) => {
  const old = await proxyAt(t);
  const young = await proxyAt(t, accept, { port: old.port, host: '127.0.0.2' });
  let addresses = ['127.0.0.1'];
  let lookUps = 0;
  const resolve = async () => {
    lookUps += 1;
    return addresses;
  };
  announce(t, old.port, { resolve, lookUpMs: 20 });
  const session = await registered(old);
  addresses = ['127.0.0.2'];
  await registered(young);
  session.send({ type: 3 });
  await session.nextFrame();
  await old.close();
  // Back at the old address: whoever still dialled it would be seen there.
  const seen = lookUps;
  while (lookUps < seen + 20) await systemClockSleep(10);
  const again = await proxyAt(t, accept, { port: old.port });
  const at = lookUps;
  while (lookUps < at + 30) await systemClockSleep(10);
  assert.equal(again.connections.length, 0);
  assert.equal(young.connections.length, 1);
});

test('a proxy that is met at a second address keeps the first session, and is asked again later', async (t) => {
  const boot = { ...REGISTERED, proxy: 'boot-of-proxy' };
  const asked: unknown[] = [];
  const script: Script = (peer) => {
    peer.nextFrame().then(
      ({ sessionsWith }) => {
        asked.push(sessionsWith);
        peer.send(sessionsWith === undefined ? boot : { ...boot, status: 'known' });
      },
      () => {},
    );
  };
  const first = await proxyAt(t, script);
  const second = await proxyAt(t, script, { host: '127.0.0.2' });
  let names: string[] = [];
  const { logged } = announce(t, first.port, {
    proxies: [
      { host: 'proxy', port: first.port },
      { host: 'the-same', port: second.port },
    ],
    resolve: async (host) => (host === 'proxy' ? ['127.0.0.1'] : names),
    lookUpMs: 20,
  });
  const session = await registered(first);
  await logged(/"registered"/);
  names = ['127.0.0.2'];
  await logged(/this proxy has a session already.*127\.0\.0\.2/);
  for (let i = 0; i < 3; i += 1) await second.nextConnection();
  assert.deepEqual(asked.slice(0, 3), [undefined, ['boot-of-proxy'], ['boot-of-proxy']]);
  assert.equal(first.connections.length, 1, 'the first session stands');
  // Once the first one is gone, the second address is worth a session.
  session.reset();
  await first.close();
  await logged(/"registered".*127\.0\.0\.2/);
});

test('a proxy that will stop soon keeps its session, the names are looked up at once, and its end is no warning', async (t) => {
  let lookUps = 0;
  const proxy = await proxyAt(t);
  const { lines, logged } = announce(t, proxy.port, {
    resolve: async () => {
      lookUps += 1;
      return ['127.0.0.1'];
    },
    lookUpMs: LONG_MS,
  });
  const peer = await registered(proxy);
  await logged(/"registered"/);
  const before = lookUps;
  for (let i = 0; i < 2; i += 1) {
    peer.send({ type: 3, srcid: 'proxy', leaving: true });
    assert.deepEqual(await peer.nextFrame(), { type: 3, srcid: 7 });
  }
  assert.equal(lookUps, before + 1);
  peer.close();
  await logged(/no session with the proxy|"registered".*"registered"/);
  await registered(proxy);
  assert.deepEqual(
    lines.filter(({ level }) => level === 'warn'),
    [],
  );
  assert.equal(lines.filter(({ message }) => message === 'the proxy will stop soon').length, 1);
});

test('a look-up that fails is not "nobody": the known addresses are dialled on', async (t) => {
  const first = await proxyAt(t);
  let isKnown = true;
  const { logged } = announce(t, first.port, { resolve: async () => (isKnown ? ['127.0.0.1'] : null) });
  await registered(first);
  await logged(/"registered"/);
  isKnown = false;
  await first.close();
  const second = await proxyAt(t, accept, { port: first.port });
  await registered(second);
});

test('a name that has no address yet is asked for until it has', async (t) => {
  const proxy = await proxyAt(t);
  let lookUps = 0;
  const resolve = async () => {
    lookUps += 1;
    return lookUps < 3 ? null : ['127.0.0.1'];
  };
  const { lines } = announce(t, proxy.port, { resolve });
  await registered(proxy);
  assert.equal(lines.filter(({ message }) => /no address/.test(message)).length, 1);
});

test('leave: every proxy is told, heartbeats are echoed on, and nobody is dialled afterwards', async (t) => {
  const first = await proxyAt(t);
  const second = await proxyAt(t, accept, { port: first.port, host: '127.0.0.2' });
  const { announcement } = announce(t, first.port, { resolve: async () => ['127.0.0.1', '127.0.0.2'] });
  const peers = await Promise.all([registered(first), registered(second)]);
  const left = announcement.leave(LONG_MS);
  let isLeft = false;
  void left.then(() => {
    isLeft = true;
  });
  for (const peer of peers) assert.deepEqual(await peer.nextFrame(), { type: 4, id: 7 });
  peers[0]?.send({ type: 3 });
  assert.deepEqual(await peers[0]?.nextFrame(), { type: 3, srcid: 7 });
  assert.equal(isLeft, false, 'waits for the proxies');
  for (const peer of peers) peer.close();
  await within(left, PATIENCE_MS, 'leave');
  assert.deepEqual([first.connections.length, second.connections.length], [1, 1]);
});

test('leave: a proxy that keeps the session open is left at the deadline', async (t) => {
  const proxy = await proxyAt(t);
  const { clock, pass } = handClock();
  const { announcement, logged } = announce(t, proxy.port, { clock });
  const peer = await registered(proxy);
  await logged(/"registered"/);
  const left = announcement.leave(150);
  assert.deepEqual(await peer.nextFrame(), { type: 4, id: 7 });
  pass(149);
  peer.send({ type: 3 });
  assert.deepEqual(await peer.nextFrame(), { type: 3, srcid: 7 }, 'it still waits');
  pass(2);
  await within(left, PATIENCE_MS, 'leave');
});

test('leave: with no proxy at all there is nothing to wait for', async (t) => {
  const { announcement, logged } = announce(t, await freePort());
  await logged(/ECONNREFUSED/);
  await within(announcement.leave(LONG_MS), PATIENCE_MS, 'leave');
});

function systemClockSleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
