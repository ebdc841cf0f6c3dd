// shell · one seed from beginning to end: the proxy's own code in a world that the seed decides.
// Must never wait for real time, or go on after the first violation.
import { createCore } from '../../services/proxy/core.ts';
import { type ProxyOptions, readProxyOptions } from '../../services/proxy/options.ts';
import { Random } from '../kit/random.ts';
import { AWAITED_PROMISES, type Only } from './causes.ts';
import { type ClientKind, SimulatedClient } from './client.ts';
import { type Cluster, dieOfPoison, healAll, strike } from './faults.ts';
import { takeUp } from './habits.ts';
import { clockOf, Host } from './host.ts';
import { SimulatedNetwork } from './network.ts';
import { drawScenario, FAULTS_UNTIL_MS, type Scenario } from './scenario.ts';
import { SimulatedServer } from './server.ts';
import type { Group, Reached } from './sometimes.ts';
import { Timeline } from './timeline.ts';
import { Watch } from './watch.ts';
import { PROXY_ADDRESS, PROXY_PORT, type Violation, type World } from './world.ts';

const START_MS = 1000;
const SERVERS_WITHIN_MS = 300;
const CLIENTS_FROM_MS = 700;
const HEALED_AT_MS = START_MS + FAULTS_UNTIL_MS + 1000;
const SETTLES_IN_MS = 6500;
// A server that is not there is forgotten 10 s after it has registered.
const FORGERIES_SETTLE_IN_MS = 13_000;
const FORGOTTEN_AFTER_MS = 130_000;
const STOPS_WITHIN_MS = 15_000;
const LAST_WORDS_MS = 3000;
// What they leave behind has to be over when everything is healed.
const ENDS_EARLY: Partial<Record<ClientKind, number>> = {
  forger: HEALED_AT_MS,
  poisoner: START_MS + FAULTS_UNTIL_MS - 2000,
};
const MAX_STEPS = 3_000_000;
// Draws of the scenario and of what happens in it must not depend on each other.
const RUN_SALT = 0x5eed;

export type SeedResult = {
  seed: number;
  violation: Violation | null;
  steps: number;
  requests: number;
  simulatedMs: number;
  /** What its world has reached, and how often. */
  reached: Reached;
  trace: readonly string[];
};

const DEFAULTS = readProxyOptions([], {});

/** @param seed a 32-bit whole number */
export async function runSeed(seed: number, isTracing: boolean, only: Only = null): Promise<SeedResult> {
  const run = new Run(seed, isTracing, only);
  await run.play();
  return run.result();
}

class Run {
  readonly #seed: number;
  readonly #trace: string[] = [];
  readonly #scenario: Scenario;
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #core: ReturnType<typeof createCore>;
  readonly #reached: Reached = {};
  #violation: Violation | null = null;
  #steps = 0;

  constructor(seed: number, isTracing: boolean, only: Only) {
    this.#seed = seed;
    const scenario = drawScenario(seed, only);
    this.#scenario = scenario;
    const timeline = new Timeline(START_MS);
    const random = new Random(seed ^ RUN_SALT);
    const network = new SimulatedNetwork(timeline, random, scenario.latency, scenario.portsPerDestination);
    network.forgetsAfterMs = scenario.forgetsAfterMs;
    const proxy = new Host('proxy', PROXY_ADDRESS, timeline);
    network.attach(proxy);
    network.limitedHost = proxy;
    const options: ProxyOptions = { ...DEFAULTS, ...scenario.options, port: PROXY_PORT };
    this.#core = createCore(options, () => {}, {
      clock: clockOf(proxy, timeline),
      network: network.of(proxy),
      random: () => random.between(0, 0x3fff_ffff) / 0x4000_0000,
      nonce: () => `nonce ${random.between(0, 0x3fff_ffff)}`,
    });
    const note = (text: string): void => {
      this.#trace.push(`${(timeline.nowMs / 1000).toFixed(5)} ${text}`);
    };
    const world: World = {
      timeline,
      random,
      network,
      proxy,
      sources: this.#core.sources,
      stoppingSinceMs: Number.POSITIVE_INFINITY,
      stalledUntilMs: Number.NEGATIVE_INFINITY,
      lies: new Set(),
      strays: new Set(),
      misaddressed: new Set(),
      hasSlowWork: scenario.causes.some((cause) => cause === 'sluggish' || cause === 'slow-request'),
      places: scenario.options.maxConnections ?? Number.POSITIVE_INFINITY,
      onPoison: (server, payload) => dieOfPoison(this.#cluster, server, payload),
      reached: (group, name) => this.#reach(group, name),
      violate: (invariant, detail) => {
        if (AWAITED_PROMISES.has(invariant)) return;
        this.#violation ??= { invariant, detail, atMs: timeline.nowMs };
      },
      trace: isTracing ? (text) => note(text()) : () => {},
    };
    this.#world = world;
    const servers = scenario.servers.map((spec) => new SimulatedServer(spec, world));
    const watch = new Watch(world, options, servers);
    const clients = scenario.clients.map((spec) => new SimulatedClient(spec, world, watch));
    this.#cluster = { world, servers, clients, watch, twins: new Set(), isHealed: false };
    for (const cause of scenario.causes) this.#reach('causes', cause);
    if (scenario.causes.length > 0) world.trace(() => `causes: ${scenario.causes.join(', ')}`);
  }

  #reach(group: Group, name: string, times = 1): void {
    if (times === 0) return;
    const counts = this.#reached[group] ?? {};
    this.#reached[group] = counts;
    counts[name] = (counts[name] ?? 0) + times;
  }

  result(): SeedResult {
    const { timeline, sources } = this.#world;
    if (this.#violation !== null) this.#trace.push(`violated: ${this.#violation.invariant}`);
    this.#countTotals();
    return {
      seed: this.#seed,
      violation: this.#violation,
      steps: this.#steps,
      requests: sources.counters.requests,
      simulatedMs: timeline.nowMs - START_MS,
      reached: this.#reached,
      trace: this.#trace,
    };
  }

  // What is counted elsewhere anyway.
  #countTotals(): void {
    const { sources, network } = this.#world;
    const { lateAnswers } = sources.counters;
    this.#reach('traffic', 'a late answer was dropped', lateAnswers);
    this.#reach('limits', 'a full accept queue', network.droppedSyns);
    this.#reach('traits', 'a middlebox has forgotten a connection', network.forgotten);
  }

  async play(): Promise<void> {
    const { servers, clients, watch } = this.#cluster;
    const { timeline, random } = this.#world;
    await this.#core.open();
    for (const server of servers) timeline.after(random.between(0, SERVERS_WITHIN_MS), () => server.start());
    for (const fault of this.#scenario.faults) {
      timeline.after(fault.atMs, () => strike(fault, this.#cluster));
    }
    const hasForger = clients.some(({ spec }) => spec.kind === 'forger');
    const settledMs = HEALED_AT_MS + (hasForger ? FORGERIES_SETTLE_IN_MS : SETTLES_IN_MS);
    const stopMs = settledMs + random.between(0, 200);
    for (const client of clients) {
      const untilMs = ENDS_EARLY[client.spec.kind] ?? stopMs + 500;
      timeline.after(CLIENTS_FROM_MS + random.between(0, 500), () => takeUp(client, untilMs));
    }
    await this.#then(HEALED_AT_MS, () => healAll(this.#cluster));
    await this.#then(settledMs, () => watch.checkTable());
    if (this.#scenario.endsEmpty) await this.#empty(stopMs);
    await this.#stop(stopMs);
    watch.checkReplies(clients);
  }

  // Goes on to that time, unless a violation has ended this world before.
  async #then(atMs: number, work: () => void): Promise<void> {
    await this.#runUntil(atMs);
    if (this.#violation === null) work();
  }

  async #empty(atMs: number): Promise<void> {
    const { servers, clients, watch } = this.#cluster;
    await this.#then(atMs, () => {
      for (const { host, links } of clients) {
        host.kill();
        links.clear();
      }
      for (const server of servers) server.crash(true);
    });
    await this.#then(atMs + FORGOTTEN_AFTER_MS, () => watch.checkEmpty());
  }

  async #stop(atMs: number): Promise<void> {
    const { timeline, trace, violate } = this.#world;
    let hasStopped = false;
    await this.#then(atMs, () => {
      trace(() => 'the proxy is told to stop');
      if (this.#world.sources.openRequests() > 0)
        this.#reach('traffic', 'requests were open when the stop began');
      this.#world.stoppingSinceMs = timeline.nowMs;
      this.#core.stop().then(
        () => {
          hasStopped = true;
        },
        (error: Error) => violate('no crash', String(error.stack)),
      );
    });
    const untilMs = timeline.nowMs + STOPS_WITHIN_MS;
    while (!hasStopped && timeline.nowMs < untilMs && this.#violation === null) {
      await this.#runUntil(timeline.nowMs + 100);
    }
    await this.#then(timeline.nowMs + LAST_WORDS_MS, () => this.#cluster.watch.checkStopped(hasStopped));
  }

  async #runUntil(untilMs: number): Promise<void> {
    const { timeline, proxy } = this.#world;
    while (this.#violation === null) {
      const work = timeline.next(untilMs);
      if (work === null) return;
      this.#steps += 1;
      if (this.#steps > MAX_STEPS) this.#world.violate('it ends', `${MAX_STEPS} steps and no end`);
      try {
        work();
      } catch (error) {
        this.#world.violate('no crash', String((error as Error).stack));
      }
      if (!proxy.hasActed) continue;
      proxy.hasActed = false;
      // What promises have in store belongs to this step.
      await turn();
      this.#cluster.watch.look();
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
