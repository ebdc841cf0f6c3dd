// pure · what the proxy sends to servers, as the wire shows it: which request went where, and which of them was worked on.
import type { Upstream } from '../../services/proxy/servers/upstream.ts';
import { isHealthProbe } from '../../services/shared/health-probe.ts';
import type { Endpoint } from './endpoint.ts';
import { RetryAccount } from './retry-account.ts';
import type { SimulatedServer } from './server.ts';
import { isPoison, type World } from './world.ts';

/** One connection from the proxy to a server. */
type Wire = {
  isConnected: boolean;
  /** An answer has come over it. */
  hasAnswered: boolean;
  /** It has carried more than a probe. */
  isReal: boolean;
  /** The beginning of a line that is not whole yet. */
  begun: string;
  /** What was sent over it and has no answer yet, oldest first. */
  queue: Send[];
};

/** A request that was handed to a server. */
export type Send = {
  wire: Wire;
  clientId: string;
  upstream: Upstream;
  /** Who was at that address; undefined when nobody was. */
  server: SimulatedServer | undefined;
  /** It was the first without an answer on its connection: the one that is worked on. */
  wasFirst: boolean;
  /** Its connection had been used before. */
  wasReused: boolean;
  /** To a server after whose answers nobody here can tell which request was the first. */
  isUnclear: boolean;
};

/** What became of a request. */
export type Sent = { payload: string; policy: string; sends: Send[] };

const UNCLEAR = new Set(['liar', 'full-liar', 'doubler', 'misaddresser', 'garbler']);
// By then nothing is left of what was at the address before.
const MOVED_LATELY_MS = 3000;

const DESTINATION = /"destid":"?([^",}]*)/;

type Observer = {
  /** A request is about to go to an address. @returns who that is in the table; undefined when it may not go there */
  onSend(payload: string, host: string, port: number): Upstream | undefined;
  /** It is on its way, perhaps for the second time. */
  onSent(sent: Sent, send: Send): void;
  /** An answer has come to a one-request connection that the proxy has then closed first. */
  onTimeWait(destination: string): void;
  /** A connection to a server of this policy is over: what was on it goes elsewhere. */
  onBroken(policy: string): void;
};

export class Traffic {
  readonly #world: World;
  readonly #servers: readonly SimulatedServer[];
  readonly #observer: Observer;
  readonly #requests = new Map<string, Sent>();
  readonly #accounts = new Map<string, RetryAccount>();

  constructor(world: World, servers: readonly SimulatedServer[], observer: Observer) {
    this.#world = world;
    this.#servers = servers;
    this.#observer = observer;
  }

  /** Where the request has been; undefined when it was never sent. */
  find(payload: string): Sent | undefined {
    return this.#requests.get(payload);
  }

  accountOf(policy: string): RetryAccount {
    const account = this.#accounts.get(policy) ?? new RetryAccount();
    this.#accounts.set(policy, account);
    return account;
  }

  get accounts(): Iterable<[string, RetryAccount]> {
    return this.#accounts;
  }

  /** Looks at all that goes over a connection that the proxy dials. */
  follow(endpoint: Endpoint, host: string, port: number): void {
    const wire: Wire = { isConnected: false, hasAnswered: false, isReal: false, begun: '', queue: [] };
    endpoint.on('connect', () => {
      wire.isConnected = true;
    });
    // What was on it, or was just about to be written, goes elsewhere.
    const onGone = (): void => {
      const policy = this.#world.sources.table.findByAddress(host, port)?.policy;
      if (policy !== undefined && (!wire.isConnected || wire.isReal)) this.#observer.onBroken(policy);
    };
    endpoint.on('error', onGone);
    endpoint.on('end', onGone);
    endpoint.on('close', onGone);
    endpoint.on('data', (chunk) => this.#onChunk(wire, chunk));
    endpoint.onWrite = (text) => {
      for (const line of text.split('\n')) if (line !== '') this.#onLine(wire, line, host, port);
    };
    endpoint.onReleased = (isTimeWait) => {
      if (isTimeWait && wire.hasAnswered && wire.isReal && this.#closesFirst(host, port))
        this.#observer.onTimeWait(`${host}:${port}`);
    };
  }

  #onChunk(wire: Wire, chunk: Buffer): void {
    const lines = (wire.begun + chunk.toString('latin1')).split('\n');
    wire.begun = lines.pop() ?? '';
    for (const line of lines) {
      const id = DESTINATION.exec(line)?.[1];
      const first = wire.queue[0];
      // What is no answer, or one to somebody else, ends no attempt: the connection is about to be closed.
      if (first === undefined || id !== first.clientId) continue;
      wire.queue.shift();
      wire.hasAnswered = true;
      const next = wire.queue[0];
      if (next !== undefined) next.wasFirst = true;
    }
  }

  // An old server in good health, which closes after its answer.
  #closesFirst(host: string, port: number): boolean {
    const server = this.#servers.find(({ address }) => address === `${host}:${port}`);
    if (server === undefined || this.#world.timeline.nowMs - server.atAddressSinceMs < MOVED_LATELY_MS)
      return false;
    return !server.spec.keepsAlive && server.behaviour === 'honest' && server.isUp;
  }

  #onLine(wire: Wire, line: string, host: string, port: number): void {
    const packet = JSON.parse(line) as {
      srcid: string | number;
      payload: string;
      privPoliId: string | number;
    };
    const { srcid, payload, privPoliId } = packet;
    if (isHealthProbe({ clientId: srcid, payload })) return;
    wire.isReal = true;
    const upstream = this.#observer.onSend(payload, host, port);
    if (upstream === undefined) return;
    const { timeline, reached } = this.#world;
    const sent = this.#requests.get(payload) ?? { payload, policy: String(privPoliId), sends: [] };
    const account = this.accountOf(sent.policy);
    const before = sent.sends.at(-1);
    if (before === undefined) account.countFirst(timeline.nowMs);
    // What a connection lost that had been idle is sent again for nothing.
    else account.countAgain(timeline.nowMs, before.wasFirst && before.wire.isConnected && !before.wasReused);
    this.#requests.set(payload, sent);
    const wasFirst = wire.queue.length === 0;
    const server = this.#servers.find(({ address }) => address === `${host}:${port}`);
    const isUnclear = server !== undefined && UNCLEAR.has(server.behaviour);
    const send: Send = {
      wire,
      clientId: String(srcid),
      upstream,
      server,
      wasFirst,
      wasReused: wire.hasAnswered,
      isUnclear,
    };
    sent.sends.push(send);
    wire.queue.push(send);
    if (before !== undefined) reached('traffic', 'a request was sent again');
    if (!wasFirst) reached('traffic', 'a request stood behind another');
    if (isPoison(payload)) reached('traffic', 'a poison was sent');
    this.#observer.onSent(sent, send);
  }
}

/** How many servers may have worked on a request; what stood on a connection that broke before it was used does not count. */
export function exposuresOf({ sends }: Sent): { first: number; any: number; reused: number } {
  const exposed = sends.filter(({ wire }) => wire.isConnected);
  return {
    first: exposed.filter(({ wasFirst }) => wasFirst).length,
    any: exposed.length,
    reused: exposed.filter(({ wasReused }) => wasReused).length,
  };
}
