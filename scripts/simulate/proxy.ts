// pure · one simulated proxy: its machine, and the proxy's own code in its process, which can end and be started again.
import { type Core, createCore } from '../../services/proxy/core/core.ts';
import type { Host } from './host.ts';
import type { Promises } from './promises.ts';
import type { SimulatedServer } from './server.ts';
import { PROXY_PORT, type World } from './world.ts';

/** After a freeze it takes the proxy so long until everything is promised again. */
const AFTER_STALL_MS = 3000;

export class SimulatedProxy {
  readonly name: string;
  readonly host: Host;
  /** Of its latest start. */
  core!: Core;
  /** What is promised of its latest start. */
  promises!: Promises;
  /** Its process runs. */
  isUp = false;
  /** Counts the starts of its process. */
  starts = 0;
  /** When its stop began; Infinity before. */
  stoppingSinceMs = Number.POSITIVE_INFINITY;
  /** The end of its last freeze. */
  stalledUntilMs = Number.NEGATIVE_INFINITY;
  readonly #world: World;
  readonly #reachesFromMs = new Map<string, number>();

  constructor(world: World) {
    const number = world.proxies.length + 1;
    this.#world = world;
    this.name = `proxy-${number}`;
    this.host = world.network.addHost(this.name, `10.0.0.${number}`);
  }

  get sources() {
    return this.core.sources;
  }

  /** Starts its process, with an empty table. */
  async start(): Promise<void> {
    const { network, random, options, onProxyStart } = this.#world;
    this.host.revive();
    this.starts += 1;
    this.isUp = true;
    this.stoppingSinceMs = Number.POSITIVE_INFINITY;
    this.core = createCore(options, () => {}, {
      clock: this.host.clock(),
      network: network.of(this.host),
      random: () => random.between(0, 0x3fff_ffff) / 0x4000_0000,
      nonce: () => `nonce ${random.between(0, 0x3fff_ffff)}`,
      boot: `${this.name}-${this.starts}`,
    });
    onProxyStart(this);
    await this.core.open();
  }

  /** Ends its process at once. */
  kill(): void {
    this.#world.requestsBefore += this.sources.counters.requests;
    this.isUp = false;
    this.host.kill();
    this.#world.network.stopListening(this.host);
  }

  /** Stops its process in good order, as SIGTERM does; a frozen one when it continues. Resolves when it has stopped. */
  stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.host.run(() => {
      const others = this.#world.proxies.filter((proxy) => proxy !== this && proxy.isUp);
      const addresses = others.map(({ host }) => `${host.address}:${PROXY_PORT}`);
      this.stoppingSinceMs = this.#world.nowMs;
      const stopped = this.core.stop(addresses.length === 0 ? null : addresses);
      stopped.then(resolve, (error: Error) => this.violate('no crash', String(error.stack)));
    });
    return promise;
  }

  /** Whether it was frozen, or recovering from that, after a time. */
  hasStalledSince(sinceMs: number): boolean {
    return this.stalledUntilMs + AFTER_STALL_MS > sinceMs;
  }

  /** Nothing gets from it to an address, or back, from now on: it alone, and other proxies do not notice. */
  cutOff(address: string): void {
    this.#reachesFromMs.set(address, Number.POSITIVE_INFINITY);
    this.#world.network.cut(address, this.host.address);
  }

  /** Ends `cutOff`. @param recoversMs so long after that nothing is promised */
  reach(address: string, recoversMs: number): void {
    this.#reachesFromMs.set(address, this.#world.nowMs + recoversMs);
    this.#world.network.heal(address, this.host.address);
  }

  /** Ends every `cutOff`. */
  reachAll(recoversMs: number): void {
    for (const address of this.#reachesFromMs.keys()) this.reach(address, recoversMs);
  }

  /** From when on it can be expected to reach an address, if it was cut off; Infinity while it is. */
  reachesFromMs(address: string): number {
    return this.#reachesFromMs.get(address) ?? Number.NEGATIVE_INFINITY;
  }

  /** When the server had recovered from its last fault, as this proxy can see it; Infinity during one. */
  healthySinceMs({ healthySinceMs, host }: SimulatedServer): number {
    return Math.max(healthySinceMs, this.reachesFromMs(host.address));
  }

  /** A promise of its was not kept. */
  violate(invariant: string, detail: string): void {
    this.#world.violate(invariant, this.#named(detail));
  }

  /** Adds a line to the log. */
  trace(text: () => string): void {
    this.#world.trace(() => this.#named(text()));
  }

  // Where there is one proxy its name says nothing.
  #named(text: string): string {
    return this.#world.proxies.length === 1 ? text : `${this.name}: ${text}`;
  }
}
