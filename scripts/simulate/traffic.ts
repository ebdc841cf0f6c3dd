// pure · what the proxy sends to servers, seen on the wire: which request goes where, and what is promised of that.
import type { State } from '../../services/proxy/health/health.ts';
import type { Upstream } from '../../services/proxy/servers/upstream.ts';
import { FrameReader } from '../../services/shared/framing.ts';
import { isHealthProbe } from '../../services/shared/health-probe.ts';
import type { SimulatedProxy } from './proxy.ts';
import type { SimulatedServer } from './server.ts';
import type { SimulatedSocket } from './socket.ts';
import type { Thread } from './threads.ts';
import { isPoison, type World } from './world.ts';

/** Ports to one server that a proxy which closes first by chance may leave behind. */
const MAX_TIME_WAITS = 10;
/** How often a request may have stood behind another one that broke the connection, or was silent. */
const MAX_MOVES = 7;
/** A poison that stood behind another request when it killed, or on a reused connection. */
const KILLS_FROM_BEHIND = 2;
// By then nothing is left of what was at the address before.
const MOVED_LATELY_MS = 3000;
const RETRY_WINDOW_MS = 10_000;
const RETRY_SHARE = 0.2;
const RETRY_FLOOR = 100;
// Ten in any second are allowed in any case.
const ALWAYS_RETRIES = 100;
const DESTINATION = /"destid":"?([^",}]*)/;
// After their answers it can't be seen from here which request was the first.
const UNCLEAR = new Set(['lie', 'lie-always', 'answer-twice', 'misaddress', 'garble']);

/** A thread that has connections to servers, with the table that it goes by. */
type Sender = Pick<Thread, 'host' | 'table'>;

/** How a thread uses a server that takes one request on each connection. */
type Dialling = {
  /** When the requests were sent that have no answer. */
  sentMs: Map<Wire, number>;
  /** So many of them may be there of which none is old. */
  allowed: number;
};

/** One connection from the proxy to a server. */
type Wire = {
  sender: Sender;
  isConnected: boolean;
  isOver: boolean;
  /** An answer has come over it. */
  hasAnswered: boolean;
  /** It has carried more than a probe. */
  isReal: boolean;
  reader: FrameReader;
  /** What was sent over it and has no answer yet, oldest first. */
  queue: Send[];
  /** Null where its server keeps connections. */
  dialling: Dialling | null;
};

/** A request that was handed to a server. */
export type Send = {
  wire: Wire;
  atMs: number;
  clientId: string;
  upstream: Upstream;
  /** The server at that address; undefined when there was none. */
  server: SimulatedServer | undefined;
  /** It was the first without an answer on its connection: the one that is worked on. */
  wasFirst: boolean;
  /** Its connection had been used before. */
  wasReused: boolean;
  isUnclear: boolean;
};

/** A request that was handed to a server of a policy: counted from outside, by no rule of the budget that this checks. */
type Handover = { atMs: number; isAgain: boolean; isCharged: boolean };

/** Where a request has been sent. */
export type Sent = { payload: string; policy: string; sends: Send[] };

type SeenState = State | 'not in the table';

export class Traffic {
  readonly #world: World;
  readonly #proxy: SimulatedProxy;
  readonly #sources: SimulatedProxy['sources'];
  readonly #onDisorder: (policy: string) => void;
  readonly #requests = new Map<string, Sent>();
  /** By policy. */
  readonly #handovers = new Map<string, Handover[]>();
  readonly #timeWaits = new Map<string, number>();
  readonly #replacedMs = new Map<string, number>();
  /** When something last happened to the server at an address. */
  readonly #changedMs = new Map<string, number>();
  /** What servers on trial have been given, by address. */
  readonly #onTrial = new Map<string, Send[]>();
  readonly #askedMs = new Map<string, number>();
  readonly #kills = new Map<string, number>();
  /** When a connection to a server of a policy was last given up before it was established. */
  readonly #failedDialMs = new Map<string, number>();
  readonly #dialling = new WeakMap<Upstream, Dialling>();

  /** @param onDisorder requests of this policy may go to its servers out of turn now */
  constructor(world: World, proxy: SimulatedProxy, onDisorder: (policy: string) => void) {
    this.#world = world;
    this.#proxy = proxy;
    this.#sources = proxy.sources;
    this.#onDisorder = onDisorder;
    this.#sources.events.listen(({ type, address }) => {
      this.#changedMs.set(address, world.nowMs);
      if (type === 'replaced') this.#replacedMs.set(address, world.nowMs);
    });
  }

  /** From now on the thread's connections to servers are watched. */
  watch(sender: Sender): void {
    const { onDial } = this.#world.network;
    onDial.set(sender.host, (socket, address, port) => this.#follow(sender, socket, address, port));
  }

  /** A thread has crashed: its clients may send again what it had. */
  forget({ host }: Sender): void {
    for (const [payload, sent] of this.#requests) {
      sent.sends = sent.sends.filter(({ wire }) => wire.sender.host !== host);
      if (sent.sends.length > 0) continue;
      this.#requests.delete(payload);
      this.#kills.delete(payload);
    }
    for (const [address, sends] of this.#onTrial)
      this.#onTrial.set(
        address,
        sends.filter(({ wire }) => wire.sender.host !== host),
      );
  }

  /** Where the request has been; undefined when it was never sent. */
  find(payload: string): Sent | undefined {
    return this.#requests.get(payload);
  }

  /** So many requests of the policy were sent again lately that one more may have been refused. */
  isNearlyOutOfRetries(policy: string): boolean {
    const floor = RETRY_FLOOR / this.#world.options.workers;
    return this.#lately(policy).filter(({ isAgain }) => isAgain).length > floor - 30;
  }

  /** Requests that were handed to a connection that was never established may wait for another one again. */
  mayHaveComeBack(policy: string): boolean {
    const failedMs = this.#failedDialMs.get(policy) ?? Number.NEGATIVE_INFINITY;
    return failedMs > this.#world.nowMs - this.#world.options.requestTimeoutMs;
  }

  /** A client sends this request. */
  onAsked(payload: string): void {
    this.#askedMs.set(payload, this.#world.nowMs);
  }

  checkRetries(): void {
    for (const policy of this.#handovers.keys()) {
      if (this.isNearlyOutOfRetries(policy))
        this.#world.reached('limits', 'a retry budget that is nearly used up');
      const lately = this.#lately(policy);
      const charged = lately.filter(({ isCharged }) => isCharged).length;
      const firsts = lately.filter(({ isAgain }) => !isAgain).length;
      if (charged > Math.max(firsts * RETRY_SHARE, RETRY_FLOOR) + ALWAYS_RETRIES)
        this.#proxy.violate(
          'retries stay within their budget',
          `policy ${policy}: ${charged} retries and ${firsts} requests in ${RETRY_WINDOW_MS / 1000} s`,
        );
    }
  }

  #lately(policy: string): Handover[] {
    const handovers = this.#handovers.get(policy) ?? [];
    const sinceMs = this.#world.nowMs - RETRY_WINDOW_MS;
    while ((handovers[0]?.atMs ?? sinceMs) < sinceMs) handovers.shift();
    return handovers;
  }

  /** A request has killed the process that has read it. */
  onPoison(payload: string): void {
    const kills = (this.#kills.get(payload) ?? 0) + 1;
    this.#kills.set(payload, kills);
    this.#world.reached('traits', 'a poison has killed');
    if (kills > this.#world.options.maxAttempts + KILLS_FROM_BEHIND)
      this.#proxy.violate('a poison kills few servers', `"${payload}" has killed ${kills}`);
  }

  #follow(sender: Sender, socket: SimulatedSocket, host: string, port: number): void {
    const wire: Wire = {
      sender,
      isConnected: false,
      isOver: false,
      hasAnswered: false,
      isReal: false,
      reader: new FrameReader(),
      queue: [],
      dialling: null,
    };
    // What was on it, or was just about to be written, goes elsewhere.
    const onGone = (): void => {
      wire.isOver = true;
      const policy = sender.table.findByAddress(host, port)?.policy;
      if (policy !== undefined && (!wire.isConnected || wire.isReal)) this.#onDisorder(policy);
    };
    socket
      .on('connect', () => {
        wire.isConnected = true;
      })
      .on('error', onGone)
      .on('end', onGone)
      .on('close', onGone)
      .on('data', (chunk) => this.#onChunk(wire, chunk));
    socket.onWrite = (text) => {
      for (const line of text.split('\n')) if (line !== '') this.#onLine(wire, line, host, port);
    };
    socket.onReleased = (isTimeWait) => {
      endDialling(wire);
      const policy = sender.table.findByAddress(host, port)?.policy;
      if (policy !== undefined && !wire.isConnected) {
        this.#failedDialMs.set(policy, this.#world.nowMs);
        this.#onDisorder(policy);
      }
      if (isTimeWait && wire.hasAnswered && wire.isReal) this.#onTimeWait(`${host}:${port}`);
    };
  }

  #serverAt(destination: string): SimulatedServer | undefined {
    return this.#world.servers.find(({ address }) => address === destination);
  }

  // The proxy has closed first, after an answer.
  #onTimeWait(destination: string): void {
    const { nowMs } = this.#world;
    const server = this.#serverAt(destination);
    if (server === undefined || nowMs - server.atAddressSinceMs < MOVED_LATELY_MS) return;
    // Only an old server in good health closes after its answer.
    if (server.spec.keepsAlive || server.behaviour !== 'honest' || !server.isUp) return;
    const count = (this.#timeWaits.get(destination) ?? 0) + 1;
    this.#timeWaits.set(destination, count);
    if (count > MAX_TIME_WAITS)
      this.#proxy.violate('few ports stay in TIME_WAIT', `${count} to ${destination}, after answers`);
  }

  #onChunk(wire: Wire, chunk: Buffer): void {
    const { reader, queue } = wire;
    reader.feed(chunk);
    while (reader.next()) {
      endDialling(wire);
      const id = DESTINATION.exec(reader.line())?.[1];
      const first = queue[0];
      // What is no answer, or one to another client, ends no attempt: the connection is about to be closed.
      if (first === undefined || id !== first.clientId) continue;
      queue.shift();
      wire.hasAnswered = true;
      const next = queue[0];
      if (next !== undefined) next.wasFirst = true;
    }
  }

  #onLine(wire: Wire, line: string, host: string, port: number): void {
    const { srcid, payload, privPoliId } = JSON.parse(line);
    if (isHealthProbe({ clientId: srcid, payload })) return;
    wire.isReal = true;
    const destination = `${host}:${port}`;
    const upstream = wire.sender.table.findByAddress(host, port);
    if (!this.#mayGoTo(upstream, destination, payload)) return;
    if (!upstream.keepsAlive) this.#checkDialling(wire, upstream, destination);
    this.#checkNews(host, port, payload);
    const sent: Sent = this.#requests.get(payload) ?? { payload, policy: String(privPoliId), sends: [] };
    this.#requests.set(payload, sent);
    const before = sent.sends.at(-1);
    // What an idle connection has lost is sent again without being charged.
    const isCharged = before?.wasFirst === true && before.wire.isConnected && !before.wasReused;
    const handovers = this.#handovers.get(sent.policy) ?? [];
    this.#handovers.set(sent.policy, handovers);
    handovers.push({ atMs: this.#world.nowMs, isAgain: before !== undefined, isCharged });
    const server = this.#serverAt(destination);
    const send: Send = {
      wire,
      atMs: this.#world.nowMs,
      clientId: String(srcid),
      upstream,
      server,
      wasFirst: wire.queue.length === 0,
      wasReused: wire.hasAnswered,
      isUnclear: server !== undefined && UNCLEAR.has(server.behaviour),
    };
    sent.sends.push(send);
    wire.queue.push(send);
    if (before !== undefined) this.#world.reached('traffic', 'a request was sent again');
    if (!send.wasFirst) this.#world.reached('traffic', 'a request stood behind another');
    if (isPoison(payload)) this.#world.reached('traffic', 'a poison was sent');
    if (upstream.tally.inFlight >= upstream.capacity) this.#world.reached('limits', 'a full pipeline');
    if (before !== undefined) this.#onDisorder(sent.policy);
    this.#checkServers(sent);
    this.#checkOther(sent, send);
    this.#checkTrial(sent, send);
  }

  // What has been silent for long, on a connection of its own, keeps it from nothing.
  #checkTrial({ payload }: Sent, send: Send): void {
    const { host } = send.upstream;
    const { state, sinceMs } = send.upstream.health;
    if (state !== 'trial') return;
    this.#world.reached('traffic', 'a request was a trial');
    const { nowMs, options } = this.#world;
    const fromMs = Math.max(sinceMs, nowMs - options.attemptTimeoutMs);
    const key = `${host}:${send.upstream.port}`;
    const awaited = (this.#onTrial.get(key) ?? []).filter(
      (one) => one.atMs >= fromMs && !one.wire.isOver && one.wire.queue.includes(one),
    );
    this.#onTrial.set(key, [...awaited, send]);
    if (awaited.length > 0)
      this.#proxy.violate('a server on trial gets one request at a time', `"${payload}" to ${key}`);
  }

  #mayGoTo(upstream: Upstream | undefined, destination: string, payload: string): upstream is Upstream {
    const state = stateOf(upstream);
    this.#proxy.trace(() => `"${payload}" goes to ${destination}, which is ${state}`);
    if (upstream !== undefined && !isOut(state)) return true;
    // It was handed over at this very time, before its server was replaced.
    const replacedMs = this.#replacedMs.get(destination) ?? Number.NEGATIVE_INFINITY;
    if (replacedMs + this.#world.messageMs < this.#world.nowMs)
      this.#proxy.violate('nothing goes to an evicted server', `"${payload}": ${destination} is ${state}`);
    return false;
  }

  // Its accept queue may be short: it gets few connections at once, and with each that is over perhaps one more. Those that have
  // had no answer for long may only show that it is slow.
  #checkDialling(wire: Wire, upstream: Upstream, destination: string): void {
    const { nowMs, options } = this.#world;
    const few = Math.ceil(options.oneRequestConnections / options.workers);
    const dialling = this.#dialling.get(upstream) ?? { sentMs: new Map(), allowed: few };
    this.#dialling.set(upstream, dialling);
    wire.dialling = dialling;
    const { sentMs, allowed } = dialling;
    sentMs.set(wire, nowMs);
    if (sentMs.size <= allowed) return;
    const young = [...sentMs.values()].filter((ms) => nowMs - ms <= options.attemptTimeoutMs).length;
    if (young > allowed)
      this.#proxy.violate(
        'a server that has answered little gets few connections',
        `${destination}: ${young} at once, and ${allowed} may be`,
      );
  }

  // A worker may have handed it over before it heard of it, but nothing that was asked for since.
  #checkNews(host: string, port: number, payload: string): void {
    const { nowMs, messageMs } = this.#world;
    const destination = `${host}:${port}`;
    const state = stateOf(this.#sources.table.findByAddress(host, port));
    const sinceMs = this.#changedMs.get(destination) ?? Number.NEGATIVE_INFINITY;
    const askedMs = this.#askedMs.get(payload) ?? Number.NEGATIVE_INFINITY;
    if (!isOut(state) || (sinceMs + messageMs >= nowMs && sinceMs >= askedMs)) return;
    const sinceText = `has been ${state} for ${(nowMs - sinceMs).toFixed(1)} ms`;
    this.#proxy.violate('nothing goes to an evicted server', `"${payload}": ${destination} ${sinceText}`);
  }

  // What stood on a connection that broke before it was used was worked on by no server.
  #checkServers({ payload, sends }: Sent): void {
    const exposed = sends.filter(({ wire }) => wire.isConnected);
    const worked = exposed.filter(({ wasFirst }) => wasFirst).length;
    const limit = this.#world.options.maxAttempts + exposed.filter(({ wasReused }) => wasReused).length;
    if (worked > 1) this.#world.reached('traffic', 'two servers have worked on it');
    const isClear = !sends.some(({ isUnclear }) => isUnclear);
    if ((isClear && worked > limit) || exposed.length > limit + MAX_MOVES)
      this.#proxy.violate(
        'a request meets few servers',
        `"${payload}" met ${exposed.length}, worked ${worked}`,
      );
  }

  #checkOther({ payload, policy, sends }: Sent, send: Send): void {
    const { network, nowMs, options } = this.#world;
    const { upstream } = send;
    // On a connection that never stood or had been idle, or behind another one, it has not been tried.
    const wasTried = ({ wire, wasFirst, wasReused }: Send): boolean =>
      wire.isConnected && wasFirst && !wasReused;
    const before = sends.filter((one) => wasTried(one) && one !== send && one.upstream === upstream).length;
    // After a lie, or an answer too many, what stood behind looks from here as if it had been first.
    if (before === 0 || sends.some(({ isUnclear }) => isUnclear)) return;
    const members = send.wire.sender.table.route(policy)?.rotation.members ?? [];
    // Others may have been tried in vain.
    const mayDial = network.lastDialFaultMs < nowMs - options.requestTimeoutMs;
    const isBetter = (one: Upstream): boolean =>
      one.health.state === 'ready' &&
      !one.isFull &&
      one.pool?.isSilent(nowMs) !== true &&
      !sends.some((other) => other.upstream === one);
    if (before > 1 || (mayDial && members.some(isBetter)))
      this.#proxy.violate('a retry goes to another server', `"${payload}" to server ${upstream.id} again`);
  }
}

function endDialling(wire: Wire): void {
  const { dialling } = wire;
  if (dialling?.sentMs.delete(wire) === true) dialling.allowed += 1;
}

function stateOf(upstream: Upstream | undefined): SeenState {
  return upstream?.health.state ?? 'not in the table';
}

function isOut(state: SeenState): boolean {
  return state === 'evicted' || state === 'joining' || state === 'forgotten' || state === 'not in the table';
}
