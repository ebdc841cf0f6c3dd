// A real proxy in the test's own process, and servers that behave as a test says; everything made here ends with its test.
import { hash } from 'node:crypto';
import { after, type TestContext } from 'node:test';
import { type ProxyOptions, readProxyOptions } from '../services/proxy/options.ts';
import { type RunningProxy, startProxy } from '../services/proxy/proxy.ts';
import type { ClusterEvent, EventType } from '../services/proxy/status/events.ts';
import { isHealthProbe } from '../services/shared/health-probe.ts';
import { connectPeer, type Frame, PATIENCE_MS, type Peer, scriptedServer, within } from './peers.ts';

const stops: Promise<void>[] = [];
after(() => within(Promise.all(stops), PATIENCE_MS, 'stop of each proxy'));

/** Stops a proxy, which takes a third of a second, while the next test runs; the file fails unless all of them have stopped. */
export function stopMeanwhile(proxy: RunningProxy): void {
  const stop = proxy.stop();
  stop.catch(() => {});
  stops.push(stop);
}

/** A proxy on ports of its own; stopped with the test. Its times are short unless the test sets them. */
export async function testProxy(
  t: TestContext,
  overrides: Partial<ProxyOptions> = {},
): Promise<RunningProxy> {
  const short = { healthIntervalMs: 200, healthTimeoutMs: 150, drainTimeoutMs: 1000, startupMs: 0 };
  const proxy = await startProxy(
    { ...defaultsOfTests(), port: 0, adminPort: 0, host: '127.0.0.1', ...short, ...overrides },
    () => {},
  );
  const peers: Peer[] = [];
  peersOf.set(proxy, peers);
  // A proxy waits for its peers to close; here they have no reason to linger.
  t.after(() => {
    for (const { socket } of peers) socket.destroy();
    stopMeanwhile(proxy);
  });
  return proxy;
}

/** The defaults, but with as many workers as PROXY_WORKERS says: a test that only one thread can pass sets `workers` itself. */
export function defaultsOfTests(): ProxyOptions {
  const { PROXY_WORKERS } = process.env;
  return readProxyOptions([], { PROXY_WORKERS });
}

const peersOf = new WeakMap<RunningProxy, Peer[]>();

/** A connection to the proxy that ends with the test. */
export function clientOf(proxy: RunningProxy): Peer {
  const peer = connectPeer(proxy.port);
  peersOf.get(proxy)?.push(peer);
  return peer;
}

/** The next event that `isWanted`, among those that have come and those that will. */
export function eventOf(
  proxy: RunningProxy,
  type: EventType,
  id: string | number,
  { after = 0, timeoutMs = PATIENCE_MS } = {},
): Promise<ClusterEvent> {
  const isWanted = (event: ClusterEvent): boolean =>
    event.type === type && String(event.id) === String(id) && event.seq > after;
  const seen = proxy.events.since(after).find(isWanted);
  if (seen !== undefined) return Promise.resolve(seen);
  let stop = (): void => {};
  const coming = new Promise<ClusterEvent>((resolve) => {
    stop = proxy.events.listen((event) => {
      if (isWanted(event)) resolve(event);
    });
  });
  return within(coming, timeoutMs, `"${type}" of server ${id}`).finally(() => stop());
}

/** The number of the newest event. */
export function lastSeq(proxy: RunningProxy): number {
  return proxy.events.since(0).at(-1)?.seq ?? 0;
}

export type FakeServer = {
  readonly id: number;
  readonly port: number;
  /** Real requests that reached it, probes left out. */
  readonly requests: Frame[];
  /** Health probes that reached it. */
  readonly probes: Frame[];
  /** Connections to it that are open. */
  openConnections(): number;
  /** Sends the setup packet over a connection of its own and waits for the reply. */
  register(extra?: object): Promise<Peer>;
  /** `register`, and waits until it is in rotation. */
  join(extra?: object): Promise<Peer>;
  /** Stops listening and cuts its connections. */
  die(): Promise<void>;
};

/** What a fake server does with a frame; `answer` sends the right answer. */
export type Behaviour = (peer: Peer, frame: Frame, answer: () => void) => void;

/** Answers as a server should. */
const honest: Behaviour = (_peer, _frame, answer) => answer();

/**
 * A server whose answers to real requests are up to `behave`; probes are answered as they should be unless `onProbe` says otherwise.
 */
export async function fakeServer(
  t: TestContext,
  proxy: RunningProxy,
  id: number,
  { policy = '1', behave = honest, onProbe = honest, port = 0 } = {} as {
    policy?: string;
    behave?: Behaviour;
    onProbe?: Behaviour;
    port?: number;
  },
): Promise<FakeServer> {
  const requests: Frame[] = [];
  const probes: Frame[] = [];
  const server = await scriptedServer(
    (peer) => {
      // A peer that closes is closed in return, as a server would.
      void peer.ended(600_000).then(() => peer.socket.end());
      void serve(peer);
    },
    { port },
  );
  async function serve(peer: Peer): Promise<void> {
    while (true) {
      const frame = await peer.nextFrame(600_000).catch(() => null);
      if (frame === null) return;
      const isProbe = isProbeFrame(frame);
      (isProbe ? probes : requests).push(frame);
      (isProbe ? onProbe : behave)(peer, frame, () => peer.send(answerTo(id, frame)));
    }
  }
  const die = async (): Promise<void> => server.close();
  t.after(() => die().catch(() => {}));
  const register = async (extra: object = {}): Promise<Peer> => {
    const peer = clientOf(proxy);
    peer.send({ type: 1, id, privPoliId: policy, listenport: server.port, ...extra });
    const reply = await peer.nextFrame();
    if (reply.status !== 'registered') throw new Error(`not registered: ${JSON.stringify(reply)}`);
    return peer;
  };
  return {
    id,
    port: server.port,
    requests,
    probes,
    openConnections: () => server.connections.filter(({ socket }) => !socket.destroyed).length,
    register,
    join: async (extra = {}) => {
      const after = lastSeq(proxy);
      const peer = await register(extra);
      await eventOf(proxy, 'admitted', id, { after });
      return peer;
    },
    die,
  };
}

/** Whether a frame that reached a server is a health probe. */
export function isProbeFrame({ srcid, payload }: Frame): boolean {
  return isHealthProbe({ clientId: srcid, payload });
}

/** Behaves badly in a `share` of the cases, else as it should. */
export function sometimes(bad: Behaviour, share: number, random: () => number): Behaviour {
  return (peer, frame, answer) => (random() < share ? bad : honest)(peer, frame, answer);
}

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Load = {
  /** Requests sent so far. */
  count(): number;
  /** Ends it and waits for the last reply; rejects at the first that is not the right answer. */
  stop(): Promise<void>;
};

/** 200 requests a second over one connection, three at a time, whatever becomes of them: each must be answered right. */
export function startLoad(proxy: RunningProxy): Load {
  const peer = clientOf(proxy);
  let sent = 0;
  const timer = setInterval(() => {
    for (let batch = 0; batch < 3; batch += 1) {
      peer.send(request(`load ${sent}`));
      sent += 1;
    }
  }, 15);
  // Also when the test has failed, or the timer would keep the process alive.
  peer.socket.on('close', () => clearInterval(timer));
  return {
    count: () => sent,
    stop: async () => {
      clearInterval(timer);
      for (let got = 0; got < sent; got += 1) {
        const reply = await peer.nextFrame();
        if (reply.payload !== digestOf(`load ${got}`))
          throw new Error(`request ${got} of ${sent} was answered with ${JSON.stringify(reply)}`);
      }
    },
  };
}

/** The right answer of server `id` to a request. */
export function answerTo(id: number, frame: Frame): object {
  return { type: 2, srcid: id, destid: frame.srcid, payloadsize: 40, payload: digestOf(frame.payload) };
}

/** The SHA-1 of a payload, as the protocol has it. */
export function digestOf(payload: string): string {
  return hash('sha1', payload);
}

/** A request packet. */
export function request(
  payload = 'hello',
  { policy = '1', client = 111 }: { policy?: string | number; client?: number } = {},
): Frame {
  return { type: 0, srcid: client, privPoliId: policy, payloadsize: Buffer.byteLength(payload), payload };
}

/** Sends one request over a connection of its own and returns the reply. */
export async function ask(
  proxy: RunningProxy,
  packet: Frame | string = request(),
  timeoutMs = PATIENCE_MS,
): Promise<Frame> {
  const peer = clientOf(proxy);
  try {
    peer.send(packet);
    return await peer.nextFrame(timeoutMs);
  } finally {
    peer.socket.destroy();
  }
}

/** Asks until the answer is that the proxy shuts down: of several workers each learns of it a moment later. */
export async function untilRefused(peer: Peer, packet = request('x', { policy: 'none' })): Promise<Frame> {
  while (true) {
    peer.send(packet);
    const reply = await peer.nextFrame();
    if (reply.code === 'SHUTTING_DOWN') return reply;
  }
}

/**
 * Has clients send a request each, with payload `held`, one after the other, until one has to wait for a server.
 * @param held counts the requests that have come to a server
 * @returns the client whose request waits
 */
export async function clientThatWaits(proxy: RunningProxy, held: () => number): Promise<Peer> {
  const waiting = async (): Promise<number> => (await policies(proxy)).policies[0]?.waiting;
  while (true) {
    const before = held();
    const peer = clientOf(proxy);
    peer.send(request('held'));
    await eventually(async () => held() > before || (await waiting()) === 1);
    if (held() === before) return peer;
  }
}

/** The policy table as the status listener shows it. */
export async function policies(proxy: RunningProxy): Promise<Frame> {
  const response = await fetch(`http://127.0.0.1:${proxy.adminPort}/api/policies`);
  return (await response.json()) as Frame;
}

/** One server's row of the policy table. */
export async function rowOf(proxy: RunningProxy, id: number): Promise<Frame | undefined> {
  const { policies: rows } = await policies(proxy);
  return rows.flatMap(({ servers }: Frame) => servers).find((server: Frame) => server.id === id);
}

/** Waits until something holds that no event tells of. */
export async function eventually(holds: () => Promise<boolean>, timeoutMs = PATIENCE_MS): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadlineMs)
      throw new Error(`did not become true within ${timeoutMs} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
