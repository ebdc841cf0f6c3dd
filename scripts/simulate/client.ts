// pure · one simulated client, its connections, and the replies that are due on them.
import { formatRequest } from '../../services/shared/packet.ts';
import type { ClientKind } from './client-behaviours.ts';
import type { Host } from './host.ts';
import type { SimulatedProxy } from './proxy.ts';
import { readPackets, type SimulatedSocket } from './socket.ts';
import { POISON, PROXY_PORT, type World } from './world.ts';

// The longest that a packet is under way, in pieces too.
const ON_ITS_WAY_MS = 20;
// So that it shows when the proxy holds the requests of a client that does not read.
const DEAF_PADDING = 900;
const REPEATS_AFTER_MS = 50;
/** The first reply of what the proxy writes is a refusal for want of room in a queue. */
const NO_PLACE = /^[^\n]*the queue is full/;

/** What a reply has to be: an answer to a request of so many bytes, a refusal of what was no request, or either. */
export type Expected = {
  kind: 'answer' | 'refusal' | 'any';
  payload: string;
  policy: string;
  sentMs: number;
  /** From when on the reply may be expected, where that is not `sentMs`. */
  dueFromMs?: number;
  bytes: number;
};

export type Reply = { type: number; code?: string; payload: string; destid?: string | number };

export type ClientSpec = { id: number; kind: ClientKind; policies: string[]; thinkMs: number; burst: number };

export class SimulatedClient {
  readonly spec: ClientSpec;
  readonly world: World;
  readonly host: Host;
  /** The end of the last time that it was cut off. */
  cutUntilMs = Number.NEGATIVE_INFINITY;
  readonly connections = new Set<ClientConnection>();
  /** Which of the proxies it asks. */
  #at: number;
  #requests = 0;

  constructor(spec: ClientSpec, world: World) {
    this.spec = spec;
    this.world = world;
    this.host = world.network.addHost(`client-${spec.id}`, `10.0.2.${spec.id}`);
    this.#at = spec.id % world.proxies.length;
  }

  /** Opens a connection to the proxy that it asks now. */
  open(): ClientConnection {
    const { network, proxies } = this.world;
    const proxy = proxies[this.#at] as SimulatedProxy;
    const socket = network.dial(this.host, proxy.host.address, PROXY_PORT);
    const connection = new ClientConnection(socket, this, proxy);
    this.connections.add(connection);
    return connection;
  }

  /** A proxy has gone, or goes: the client asks the next one, that for which no answer came included. */
  leave(proxy: SimulatedProxy, unanswered: readonly Expected[]): void {
    const { world } = this;
    if (world.proxies.length === 1 || world.isEnding) return;
    if (world.proxies[this.#at] === proxy) this.#at = (this.#at + 1) % world.proxies.length;
    if (this.repeat(unanswered)) world.reached('traits', 'a request was repeated at another proxy');
  }

  /** Sends what can be sent again over a new connection. @returns false when there is nothing */
  repeat(unanswered: readonly Expected[]): boolean {
    const { world, host, spec } = this;
    const requests = unanswered.filter(({ kind }) => kind === 'answer');
    if (requests.length === 0 || world.isEnding) return false;
    host.after(REPEATS_AFTER_MS, () => {
      const connection = this.open();
      connection.onProgress = () => {
        if (connection.due.length === 0 && !connection.isGone) connection.close();
      };
      const text = requests.map(({ policy, payload }) => formatRequest(spec.id, policy, payload)).join('');
      connection.send(
        text,
        requests.map((request) => ({ ...request, sentMs: world.nowMs })),
      );
    });
    return true;
  }

  /** @returns its next requests, and the replies that they have to get */
  next(count: number): { text: string; expected: Expected[] } {
    const { random, nowMs: sentMs } = this.world;
    const { id, kind, policies } = this.spec;
    let text = '';
    const expected: Expected[] = [];
    for (let at = 0; at < count; at += 1) {
      this.#requests += 1;
      const policy = random.pick(policies);
      const padding = random.between(0, 60) + (kind === 'deaf' ? DEAF_PADDING : 0);
      let payload = `${this.host.name} request ${this.#requests} ${'x'.repeat(padding)}`;
      if (kind === 'poisoner' && random.between(1, 3) === 1) payload = `${POISON}${payload}`;
      if (kind === 'dawdler' && random.between(1, 3) === 1)
        payload = `slow ${random.between(600, 1200)} ${payload}`;
      const line = formatRequest(id, policy, payload);
      text += line;
      expected.push({ kind: 'answer', payload, policy, sentMs, bytes: Buffer.byteLength(line) });
    }
    return { text, expected };
  }
}

/** One connection of a client, with the replies that are due on it. */
export class ClientConnection {
  readonly socket: SimulatedSocket;
  readonly client: SimulatedClient;
  readonly proxy: SimulatedProxy;
  readonly due: Expected[] = [];
  isGone = false;
  /** The client has left it: nothing is due on it any more. */
  isAbandoned = false;
  /** The client does not read now, so that no reply can be in time. */
  readsLate = false;
  /** How many replies the proxy has written to it, read or not. */
  replied = 0;
  /** How many of its packets were refused. */
  refused = 0;
  /** Called after replies, and at its end. */
  onProgress: () => void = () => {};
  #isConnected = false;
  /** A request that was sent when nothing was due, until the proxy writes its reply. */
  #alone: Expected | null = null;
  /** The proxy listened when it was opened. */
  readonly #isExpected: boolean;
  /** What is promised of the start of the proxy that it was opened to. */
  readonly #promises: SimulatedProxy['promises'];

  constructor(socket: SimulatedSocket, client: SimulatedClient, proxy: SimulatedProxy) {
    this.socket = socket;
    this.client = client;
    this.proxy = proxy;
    this.#promises = proxy.promises;
    this.#isExpected = proxy.isOpen;
    const onGone = (): void => this.#onGone();
    socket
      .on('connect', () => {
        this.#isConnected = true;
        const peer = socket.peer as SimulatedSocket;
        peer.onWrite = (text) => this.#onWritten(text, peer);
      })
      .on('end', onGone)
      .on('close', onGone);
    const reader = readPackets<Reply>(socket, (reply) => this.#onReply(reply));
    socket.on('data', () => {
      if (reader.fault !== null) this.#violate('framing', 'the proxy sent what is no frame');
      this.onProgress();
    });
  }

  /** Sends text for which the replies `expected` are due. */
  send(text: string, expected: readonly Expected[]): void {
    if (this.isGone) return;
    const [first] = expected;
    if (first?.kind === 'answer' && expected.length === 1 && this.due.length === 0) this.#alone = first;
    this.due.push(...expected);
    for (const one of expected) if (one.policy !== '') this.#promises.replies.onAsked(one);
    this.socket.write(text);
  }

  /** The client leaves without waiting for replies. */
  abandon(isReset: boolean): void {
    this.isAbandoned = true;
    this.client.connections.delete(this);
    if (isReset) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  /** Closes a connection on which nothing is due. */
  close(): void {
    this.socket.destroy();
    this.#onGone();
  }

  // By the proxy, whether this client reads it or not.
  #onWritten(text: string, { host }: SimulatedSocket): void {
    const { shares, traffic } = this.#promises;
    this.replied += text.split('\n').length - 1;
    const asked = this.#alone;
    this.#alone = null;
    if (asked === null || !NO_PLACE.test(text)) return;
    if (traffic.find(asked.payload) === undefined) shares.onNoPlace(asked, host);
  }

  #onReply(reply: Reply): void {
    const { world, host } = this.client;
    const expected = this.due.shift();
    if (reply.type === -1) {
      this.refused += 1;
      world.reached('errors', reply.code ?? '');
    }
    // Refused before anything was read: nothing is due on it any more.
    if (world.places < Number.POSITIVE_INFINITY && reply.code === 'OVERLOADED') {
      world.reached('limits', '--max-connections');
      this.isAbandoned = true;
      return;
    }
    if (expected === undefined) {
      this.#violate('exactly one reply', `one more than was asked for: ${JSON.stringify(reply)}`);
      return;
    }
    world.trace(() => `${host.name} got ${reply.code ?? 'its answer'} for "${expected.payload}"`);
    if (expected.kind !== 'any') this.#promises.replies.onReply(expected, reply, this.client);
    if (reply.code === 'SHUTTING_DOWN') this.client.leave(this.proxy, [expected]);
  }

  #onGone(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.client.connections.delete(this);
    const { stoppingSinceMs, isUp, promises } = this.proxy;
    const { world } = this.client;
    const { places, proxies } = world;
    // The proxy's process has ended since.
    const isCutShort = !isUp || promises !== this.#promises || !this.#isExpected;
    const isWorkerLost = !isCutShort && this.proxy.hasLost(this.socket.peer?.host);
    const { cutUntilMs } = this.client;
    // A proxy that stops closes after the replies to what has come; what is on its way then comes too late.
    const isStopping = stoppingSinceMs < Number.POSITIVE_INFINITY;
    const isDue = ({ kind, sentMs }: Expected): boolean =>
      !isStopping || (kind === 'answer' && sentMs < stoppingSinceMs - ON_ITS_WAY_MS && sentMs > cutUntilMs);
    const lost = this.due.filter(isDue);
    // Refused for want of a place, and reset before it has read that.
    const mayMissIt = this.readsLate && places < Number.POSITIVE_INFINITY;
    if (!this.isAbandoned && !mayMissIt && !isCutShort && !isWorkerLost && lost.length > 0) {
      const what = this.#isConnected ? 'the connection ended' : 'it could not connect';
      this.#violate('exactly one reply', `${what} with no reply to "${lost[0]?.payload}"`);
    }
    const unanswered = this.isAbandoned ? [] : this.due;
    if (isCutShort || isStopping) this.client.leave(this.proxy, unanswered);
    else if (isWorkerLost && this.client.repeat(unanswered))
      world.reached('traits', 'a request was repeated at another worker');
    // Elsewhere it is due now.
    if ((proxies.length > 1 || isWorkerLost) && !this.isAbandoned) this.due.length = 0;
    this.onProgress();
  }

  #violate(invariant: string, detail: string): void {
    this.proxy.violate(invariant, `${this.client.host.name}: ${detail}`);
  }
}
