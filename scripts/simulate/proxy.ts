// pure · one simulated proxy: its machine, and the proxy's own code in its process, which can end and be started again.
import { type Core, createCore } from '../../services/proxy/core/core.ts';
import type { World as ProxyWorld } from '../../services/proxy/core/world.ts';
import { createKeeper } from '../../services/proxy/workers/keeper.ts';
import type { Host } from './host.ts';
import type { Promises } from './promises.ts';
import type { SimulatedServer } from './server.ts';
import { type Thread, WorkerThread } from './threads.ts';
import { PROXY_PORT, type World } from './world.ts';

/** After a freeze it takes the proxy so long until everything is promised again. */
const AFTER_STALL_MS = 3000;

export class SimulatedProxy {
  readonly name: string;
  /** Its machine, with the main thread of its process. */
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
  /** Its process listens. */
  isOpen = false;
  /** Those that serve requests. */
  threads: readonly Thread[] = [];
  /** The main thread, and those of its workers. */
  hosts: readonly Host[];
  /** Workers that have ended before they have closed everything. */
  readonly #crashed = new Set<Host>();
  /** What the threads had read that have ended. */
  #endedRequests = 0;
  readonly #world: World;
  readonly #reachesFromMs = new Map<string, number>();

  constructor(world: World) {
    const number = world.proxies.length + 1;
    this.#world = world;
    this.name = `proxy-${number}`;
    this.host = world.network.addHost(this.name, `10.0.0.${number}`);
    this.hosts = [this.host];
  }

  get sources() {
    return this.core.sources;
  }

  /** Requests that its threads have read since its start. */
  get requests(): number {
    return this.threads.reduce((sum, { counters }) => sum + counters.requests, this.#endedRequests);
  }

  /** No worker has ended before it was told to. */
  get isWhole(): boolean {
    return this.#crashed.size === 0;
  }

  /** Starts its process, with an empty table. Resolves when it listens. */
  async start(): Promise<void> {
    const { options, onProxyStart } = this.#world;
    this.host.revive();
    this.#world.requestsBefore += this.#endedRequests;
    this.#endedRequests = 0;
    this.#crashed.clear();
    this.starts += 1;
    this.isUp = true;
    this.stoppingSinceMs = Number.POSITIVE_INFINITY;
    this.core = options.workers === 1 ? this.#alone() : this.#withWorkers();
    onProxyStart(this);
    this.promises.traffic.watch({ host: this.host, table: this.sources.table });
    await this.core.open();
    this.isOpen = true;
  }

  /** What its code runs in, on one of its threads. */
  worldOn(host: Host): ProxyWorld {
    const { network, random } = this.#world;
    return {
      clock: host.clock(),
      network: network.of(host),
      random: () => random.between(0, 0x3fff_ffff) / 0x4000_0000,
      nonce: () => `nonce ${random.between(0, 0x3fff_ffff)}`,
      boot: `${this.name}-${this.starts}`,
    };
  }

  #alone(): Core {
    const core = createCore(this.#world.options, () => {}, this.worldOn(this.host));
    this.#setThreads([{ host: this.host, ...core.sources }]);
    return core;
  }

  #withWorkers(): Core {
    const { options } = this.#world;
    this.#setThreads([]);
    return createKeeper(
      options,
      () => {},
      this.worldOn(this.host),
      (...launch) => {
        const thread = new WorkerThread(this, this.#world, ...launch);
        this.#setThreads([...this.threads, thread]);
        this.promises.traffic.watch(thread);
        return {
          post: (message) => thread.post(message),
          end: async () => {
            const left = thread.end();
            if (!thread.hasClosed) this.#crashed.add(thread.host);
            else if (left > 0)
              this.violate('nothing is left', `${left} connections of a worker that has closed all`);
            this.#remove(thread);
          },
        };
      },
    );
  }

  #remove(thread: Thread): void {
    if (!this.threads.includes(thread)) return;
    this.#endedRequests += thread.counters.requests;
    this.#setThreads(this.threads.filter((one) => one !== thread));
  }

  #setThreads(threads: readonly Thread[]): void {
    this.threads = threads;
    this.hosts = [this.host, ...threads.map(({ host }) => host).filter((host) => host !== this.host)];
  }

  /** Ends one of its workers, unless it is the last one. @returns false when it is */
  crashWorker(): boolean {
    const thread = this.#world.random.pick(this.threads);
    if (!this.isOpen || !(thread instanceof WorkerThread) || this.threads.length === 1) return false;
    this.trace(() => `${thread.host.name} crashes`);
    this.#crashed.add(thread.host);
    this.promises.onWorkerLost(thread);
    thread.crash();
    this.#remove(thread);
    return true;
  }

  /** Whether a connection to this thread is lost because the thread is. */
  hasLost(host: Host | undefined): boolean {
    return host !== undefined && this.#crashed.has(host);
  }

  /** Stops its process from running, all threads at once. */
  freeze(): void {
    for (const host of this.hosts) host.freeze();
  }

  /** As `freeze`, when one of its threads has read its input after a timer, and is about to do what that has put off. */
  freezeInTurn(): void {
    const { hosts } = this;
    const host = hosts.length === 1 ? this.host : this.#world.random.pick(hosts);
    host.freezeInTurn(() => this.freeze());
  }

  thaw(): void {
    for (const host of this.hosts) host.thaw();
  }

  /** Ends its process at once. */
  kill(): void {
    this.isUp = false;
    this.isOpen = false;
    for (const host of this.hosts) {
      host.kill();
      this.#world.network.stopListening(host);
    }
    for (const thread of this.threads) this.#remove(thread);
  }

  /** Whether it has done something since the last time that this was asked. */
  takeActed(): boolean {
    let hasActed = false;
    for (const host of this.hosts) {
      hasActed ||= host.hasActed;
      host.hasActed = false;
    }
    return hasActed;
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
