// pure · one simulated world: time, network and chance, and who is in it.
import { type ProxyOptions, readProxyOptions } from '../../services/proxy/options.ts';
import { Random } from '../kit/random.ts';
import type { ClientConnection, SimulatedClient } from './client.ts';
import { Timeline } from './host.ts';
import { type Latency, SimulatedNetwork } from './network.ts';
import type { SimulatedProxy } from './proxy.ts';
import type { Group, Reached } from './results.ts';
import type { SimulatedServer } from './server.ts';
import { MESSAGE_MS } from './threads.ts';

export const START_MS = 1000;
export const PROXY_PORT = 10_000;

const DEFAULTS = readProxyOptions([], {});

/** A promise that was not kept; `atMs` is simulated time, null for a step that does not end. */
export type Violation = { invariant: string; detail: string; atMs: number | null };

export class World {
  readonly timeline = new Timeline(START_MS);
  readonly random: Random;
  readonly network: SimulatedNetwork;
  /** Of all proxies. */
  readonly options: ProxyOptions;
  /** All have the same servers and clients. */
  readonly proxies: SimulatedProxy[] = [];
  /** A proxy's process has been started. */
  onProxyStart: (proxy: SimulatedProxy) => void = () => {};
  readonly servers: SimulatedServer[] = [];
  /** Servers that have another one's id. */
  readonly twins = new Set<SimulatedServer>();
  readonly clients: SimulatedClient[] = [];
  /** A server has read a request that kills it; `proxy` has sent it. */
  onPoison!: (server: SimulatedServer, payload: string, proxy: SimulatedProxy) => void;
  /** From now on no fault begins any more. */
  isHealed = false;
  /** All proxies are stopped, and none starts any more. */
  isEnding = false;
  /** Promises outside of the proxies are about to be settled: they belong to the step that is under way. */
  isUnsettled = false;
  /** Payloads that a server has answered wrongly on purpose. */
  readonly lies = new Set<string>();
  /** Answers (see `strayKey`) on connections on which a server has answered twice: only a digest can tell them apart. */
  readonly strays = new Set<string>();
  /** Payloads that were answered under another client's id, over a connection that carries one request. */
  readonly misaddressed = new Set<string>();
  /** Connections of clients that never read. */
  readonly deafConnections = new Set<ClientConnection>();
  /** Some requests get no answer for long, though their servers are not faulty. */
  hasSlowWork = false;
  /** Connections that the proxy takes, where clients want more; Infinity elsewhere. */
  places = Number.POSITIVE_INFINITY;
  /** So long may it take until what one thread of a proxy knows is known to all. */
  readonly messageMs: number;
  /** The first promise that was not kept: it ends this world. */
  violation: Violation | null = null;
  /** What has been reached, and how often. */
  readonly reachedCounts: Reached = {};
  /** Requests that earlier starts of the proxies have got. */
  requestsBefore = 0;
  /** How many things have happened. */
  steps = 0;
  readonly log: string[] = [];
  readonly #isTracing: boolean;

  constructor(seed: number, latency: Latency, options: Partial<ProxyOptions>, isTracing = false) {
    this.#isTracing = isTracing;
    this.random = new Random(seed);
    this.network = new SimulatedNetwork(this.timeline, this.random, latency);
    this.options = { ...DEFAULTS, ...options, port: PROXY_PORT };
    this.messageMs = this.options.workers === 1 ? 0 : MESSAGE_MS;
  }

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  /** Counts that something was reached, for the table of what worlds have to reach. */
  reached(group: Group, name: string, times = 1): void {
    if (times === 0) return;
    this.reachedCounts[group] ??= {};
    const counts = this.reachedCounts[group];
    counts[name] = (counts[name] ?? 0) + times;
  }

  /** A promise was not kept. Only the first one counts. */
  violate(invariant: string, detail: string): void {
    this.violation ??= { invariant, detail, atMs: this.nowMs };
  }

  /** Adds a line to the log; the text is made only in worlds that keep one. */
  trace(text: () => string): void {
    if (this.#isTracing) this.log.push(`${(this.nowMs / 1000).toFixed(5)} ${text()}`);
  }
}

/** The wrong answer to a payload is the right one to this: recognisable, and no other request's. */
export function liePayload(payload: string): string {
  return `a lie about ${payload}`;
}

/** How a client and a digest are noted in `World.strays`. */
export function strayKey(clientId: string | number, digest: string): string {
  return `${clientId} ${digest}`;
}

/** Before a payload that kills the process that reads it. */
export const POISON = 'poison ';

export function isPoison(payload: string): boolean {
  return payload.startsWith(POISON);
}

/** How long a payload of the form "slow 700 …" takes at least, wherever it goes; 0 for others. */
export function slownessOf(payload: string): number {
  return payload.startsWith('slow ') ? Number(/^slow (\d+) /.exec(payload)?.[1] ?? 0) : 0;
}
