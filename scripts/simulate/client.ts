// pure · one simulated client, and what it holds every reply against.
// Must never let a reply pass that is not the next one due on its connection.
import { hash } from 'node:crypto';
import { FrameReader } from '../../services/shared/framing.ts';
import { formatRequest } from '../../services/shared/packet.ts';
import type { Endpoint } from './endpoint.ts';
import { Host } from './host.ts';
import { lieAbout, PROXY_ADDRESS, PROXY_PORT, poison, slow, strayKey, type World } from './world.ts';

// The longest that anything is under way, in pieces too.
const ON_ITS_WAY_MS = 20;

/** What a reply has to be: an answer to this request, or a refusal for what was no request. */
export type Expected = {
  kind: 'answer' | 'refusal' | 'any';
  payload: string;
  policy: string;
  sentMs: number;
};

export type Reply = {
  type: number;
  code?: string;
  payload: string;
  sent?: boolean;
  destid?: string | number;
};

export type ClientKind =
  | 'sequential'
  | 'pipeline'
  | 'oneshot'
  | 'half-close'
  | 'stall'
  | 'vanish'
  | 'drip'
  | 'cut-short'
  | 'garbage'
  | 'forger'
  /** Sends what is refused among its requests. */
  | 'refused'
  /** Begins a packet and does not end it. */
  | 'half'
  /** Tens of requests in one write. */
  | 'burster'
  /** Some of its requests are slow wherever they go. */
  | 'dawdler'
  /** Some of its requests kill whoever reads them. */
  | 'poisoner'
  /** Sends and never reads. */
  | 'deaf'
  /** Holds connections and sends nothing. */
  | 'squatter'
  /** Only sends what is refused. */
  | 'flooder';

export type ClientSpec = { id: number; kind: ClientKind; policies: string[]; thinkMs: number; burst: number };

/** What the watcher wants to know of replies. */
export type ReplyWatcher = {
  onAsked(expected: Expected): void;
  onDeaf(link: ClientLink): void;
  onReply(expected: Expected, reply: Reply, client: SimulatedClient): void;
};

export class SimulatedClient {
  readonly spec: ClientSpec;
  readonly host: Host;
  /** When its link was last cut off, until when. */
  cutUntilMs = Number.NEGATIVE_INFINITY;
  readonly links = new Set<ClientLink>();
  readonly #world: World;
  readonly #watcher: ReplyWatcher;
  #requests = 0;

  constructor(spec: ClientSpec, world: World, watcher: ReplyWatcher) {
    this.spec = spec;
    this.#world = world;
    this.#watcher = watcher;
    this.host = new Host(`client-${spec.id}`, `10.0.2.${spec.id}`, world.timeline);
    world.network.attach(this.host);
  }

  get world(): World {
    return this.#world;
  }

  /** Opens a connection to the proxy. */
  open(): ClientLink {
    const endpoint = this.#world.network.dial(this.host, PROXY_ADDRESS, PROXY_PORT);
    const link = new ClientLink(endpoint, this, this.#watcher);
    this.links.add(link);
    return link;
  }

  /** The next request: its line, and what is expected in reply. */
  next(): { line: string; expected: Expected } {
    const { random, timeline } = this.#world;
    this.#requests += 1;
    const policy = random.pick(this.spec.policies);
    const plain = `${this.host.name} request ${this.#requests} ${'x'.repeat(random.between(0, 60) + this.#padding)}`;
    const payload = this.#marked(plain);
    const line = formatRequest(this.spec.id, policy, payload);
    return { line, expected: { kind: 'answer', payload, policy, sentMs: timeline.nowMs } };
  }

  // So that it shows whether they are held.
  get #padding(): number {
    return this.spec.kind === 'deaf' ? 900 : 0;
  }

  #marked(payload: string): string {
    const { random } = this.#world;
    if (this.spec.kind === 'poisoner' && random.between(1, 3) === 1) return poison(payload);
    if (this.spec.kind === 'dawdler' && random.between(1, 3) === 1)
      return slow(payload, random.between(600, 1200));
    return payload;
  }

  /** Somebody has to watch a connection whose client never reads. */
  watchDeaf(link: ClientLink): void {
    this.#watcher.onDeaf(link);
  }
}

/** One connection of a client, with the replies that are due on it. */
export class ClientLink {
  readonly endpoint: Endpoint;
  readonly due: Expected[] = [];
  isConnected = false;
  isGone = false;
  /** The client has gone itself: nothing is due to it any more. */
  hasVanished = false;
  /** The client does not read now: nobody can reply to it in time. */
  readsLate = false;
  /** How many replies the proxy has written to it, taken or not. */
  replied = 0;
  /** How many of its packets were refused. */
  refused = 0;
  onProgress: () => void = () => {};
  /** How many bytes each request had that was sent on it. */
  readonly #sizes: number[] = [];
  readonly #reader = new FrameReader();
  readonly #client: SimulatedClient;
  readonly #watcher: ReplyWatcher;

  constructor(endpoint: Endpoint, client: SimulatedClient, watcher: ReplyWatcher) {
    this.endpoint = endpoint;
    this.#client = client;
    this.#watcher = watcher;
    endpoint.on('connect', () => {
      this.isConnected = true;
      const { peer } = endpoint;
      if (peer === null) return;
      peer.onWrite = (text) => {
        this.replied += text.split('\n').length - 1;
      };
    });
    endpoint.on('data', (chunk) => this.#read(chunk));
    endpoint.on('error', () => {});
    endpoint.on('end', () => this.#onGone());
    endpoint.on('close', () => this.#onGone());
  }

  /** Sends text of which the replies `expected` are due. */
  send(text: string, expected: readonly Expected[]): void {
    if (this.isGone) return;
    this.due.push(...expected);
    for (const one of expected) if (one.policy !== '') this.#watcher.onAsked(one);
    this.endpoint.write(text, 'utf8');
  }

  /** As `send`, and notes how large each request is. */
  sendSized(lines: readonly string[], expected: readonly Expected[]): void {
    for (const line of lines) this.#sizes.push(Buffer.byteLength(line));
    this.send(lines.join(''), expected);
  }

  /** The bytes of the requests from the one to before the other. */
  bytesOf(from: number, to: number): number {
    let sum = 0;
    for (const size of this.#sizes.slice(from, to)) sum += size;
    return sum;
  }

  /** The client goes, and does not care for replies. */
  vanish(isReset: boolean): void {
    this.hasVanished = true;
    this.#client.links.delete(this);
    if (isReset) this.endpoint.reset();
    else this.endpoint.destroy();
  }

  /** Closes a connection on which nothing is due. */
  close(): void {
    this.endpoint.destroy();
    this.#onGone();
  }

  #read(chunk: Buffer): void {
    this.#reader.feed(chunk);
    while (this.#reader.next()) {
      const { bytes, start, end } = this.#reader;
      this.#onReply(JSON.parse(bytes.toString('utf8', start, end)));
    }
    if (this.#reader.fault !== null) this.#violate('framing', 'the proxy sent what is no frame');
    this.onProgress();
  }

  #onReply(reply: Reply): void {
    const expected = this.due.shift();
    if (reply.type === -1) {
      this.refused += 1;
      this.#client.world.reached('errors', reply.code ?? '');
    }
    if (this.#isNoPlace(reply)) {
      this.#client.world.reached('limits', '--max-connections');
      this.hasVanished = true;
      return;
    }
    if (expected === undefined) {
      this.#violate('exactly one reply', `one more than was asked for: ${JSON.stringify(reply)}`);
      return;
    }
    const { world } = this.#client;
    world.trace(
      () => `${this.#client.host.name} got ${reply.code ?? 'its answer'} for "${expected.payload}"`,
    );
    if (expected.kind === 'any') return;
    if (reply.type === 2) this.#checkAnswer(expected, reply);
    else if (reply.type !== -1)
      this.#violate('the right answer', `neither answer nor error: ${JSON.stringify(reply)}`);
    this.#watcher.onReply(expected, reply, this.#client);
  }

  // Refused before anything was read: whatever was sent on it is due no more.
  #isNoPlace(reply: Reply): boolean {
    return this.#client.world.places < Number.POSITIVE_INFINITY && reply.code === 'OVERLOADED';
  }

  #checkAnswer(expected: Expected, reply: Reply): void {
    const { lies, strays, misaddressed } = this.#client.world;
    const { payload } = expected;
    const { id } = this.#client.spec;
    if (String(reply.destid) !== String(id) && !misaddressed.has(payload))
      this.#violate("a reply carries the asker's id", `${JSON.stringify(reply)} for "${payload}"`);
    if (expected.kind === 'answer' && reply.payload === hash('sha1', payload)) return;
    const isLie = lies.has(payload) && reply.payload === hash('sha1', lieAbout(payload));
    if (isLie && expected.kind === 'answer') return;
    // One place behind on its connection, among answers to the same client: only a digest tells.
    if (strays.has(strayKey(id, reply.payload))) return;
    this.#violate('the right answer', `"${payload}" got another's answer: ${JSON.stringify(reply)}`);
  }

  #onGone(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#client.links.delete(this);
    const { stoppingSinceMs } = this.#client.world;
    // Who stops closes after the replies to what has come, and what is on its way then comes too late.
    const isStopping = stoppingSinceMs < Number.POSITIVE_INFINITY;
    const isDue = ({ kind, sentMs }: Expected): boolean =>
      !isStopping || (kind === 'answer' && sentMs < stoppingSinceMs - ON_ITS_WAY_MS);
    const lost = this.due.filter(isDue);
    // Refused for want of a place, and reset before it has read that.
    const mayMissIt = this.readsLate && this.#client.world.places < Number.POSITIVE_INFINITY;
    if (!this.hasVanished && !mayMissIt && lost.length > 0) {
      const what = this.isConnected ? 'the connection ended' : 'it could not connect';
      this.#violate('exactly one reply', `${what} with no reply to "${lost[0]?.payload}"`);
    }
    this.onProgress();
  }

  #violate(invariant: string, detail: string): void {
    this.#client.world.violate(invariant, `${this.#client.host.name}: ${detail}`);
  }
}
