// shell · one simulated world: the proxy's own code with simulated time, network and chance, and everything around it.
import { createCore } from '../../services/proxy/core.ts';
import { type ProxyOptions, readProxyOptions } from '../../services/proxy/options.ts';
import { Random } from '../kit/random.ts';
import type { ClientConnection, SimulatedClient } from './client.ts';
import { type Host, Timeline } from './host.ts';
import { type Latency, SimulatedNetwork } from './network.ts';
import type { Promises } from './promises.ts';
import type { Group, Reached } from './results.ts';
import type { SimulatedServer } from './server.ts';

export const START_MS = 1000;
export const PROXY_ADDRESS = '10.0.0.1';
export const PROXY_PORT = 10_000;

/** After a freeze it takes the proxy so long until everything is promised again. */
const AFTER_STALL_MS = 3000;
const DEFAULTS = readProxyOptions([], {});

/** A promise that was not kept; `atMs` is simulated time, null for a step that does not end. */
export type Violation = { invariant: string; detail: string; atMs: number | null };

export class World {
  readonly timeline = new Timeline(START_MS);
  readonly random: Random;
  readonly network: SimulatedNetwork;
  readonly proxy: Host;
  readonly options: ProxyOptions;
  readonly core: ReturnType<typeof createCore>;
  readonly servers: SimulatedServer[] = [];
  /** Servers that have another one's id. */
  readonly twins = new Set<SimulatedServer>();
  readonly clients: SimulatedClient[] = [];
  promises!: Promises;
  /** A server has read a request that kills it. */
  onPoison!: (server: SimulatedServer, payload: string) => void;
  /** From now on no fault begins any more. */
  isHealed = false;
  /** When the proxy's stop began; Infinity before. */
  stoppingSinceMs = Number.POSITIVE_INFINITY;
  /** The end of the proxy's last freeze. */
  stalledUntilMs = Number.NEGATIVE_INFINITY;
  /** Payloads that a server has answered wrongly on purpose. */
  readonly lies = new Set<string>();
  /** Answers (see `strayKey`) on connections on which a server has answered twice: only a digest can tell them apart. */
  readonly strays = new Set<string>();
  /** Payloads that were answered under another client's id, over a connection that carries one request. */
  readonly misaddressed = new Set<string>();
  /** Connections of clients that never read. */
  readonly deafConnections = new Set<ClientConnection>();
  /** Some requests or servers are slow, though not faulty. */
  hasSlowWork = false;
  /** Connections that the proxy takes, where clients want more; Infinity elsewhere. */
  places = Number.POSITIVE_INFINITY;
  /** The first promise that was not kept: it ends this world. */
  violation: Violation | null = null;
  /** What has been reached, and how often. */
  readonly reachedCounts: Reached = {};
  /** How many things have happened. */
  steps = 0;
  readonly log: string[] = [];
  readonly #isTracing: boolean;

  constructor(seed: number, latency: Latency, options: Partial<ProxyOptions>, isTracing = false) {
    this.#isTracing = isTracing;
    this.random = new Random(seed);
    this.network = new SimulatedNetwork(this.timeline, this.random, latency);
    this.proxy = this.network.addHost('proxy', PROXY_ADDRESS);
    this.options = { ...DEFAULTS, ...options, port: PROXY_PORT };
    this.core = createCore(this.options, () => {}, {
      clock: this.proxy.clock(),
      network: this.network.of(this.proxy),
      random: () => this.random.between(0, 0x3fff_ffff) / 0x4000_0000,
      nonce: () => `nonce ${this.random.between(0, 0x3fff_ffff)}`,
    });
  }

  get sources() {
    return this.core.sources;
  }

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  /** Whether the proxy was frozen, or recovering from that, after a time. */
  hasStalledSince(sinceMs: number): boolean {
    return this.stalledUntilMs + AFTER_STALL_MS > sinceMs;
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
