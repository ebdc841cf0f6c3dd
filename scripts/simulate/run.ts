// shell · runs seeds, each in a simulated world of its own, spread over threads. This file is the threads' code too.
import { availableParallelism } from 'node:os';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { SimulatedClient } from './client.ts';
import { behave } from './client-behaviours.ts';
import { healAll, killByPoison, strike } from './faults.ts';
import { Promises } from './promises.ts';
import type { Reached } from './results.ts';
import { drawScenario, FAULTS_UNTIL_MS, type Only, type Scenario } from './scenario.ts';
import { SimulatedServer } from './server.ts';
import { START_MS, type Violation, World } from './world.ts';

const SERVERS_WITHIN_MS = 300;
const CLIENTS_FROM_MS = 700;
const HEALED_AT_MS = START_MS + FAULTS_UNTIL_MS + 1000;
const SETTLES_IN_MS = 6500;
// A server that is not there is forgotten 10 s after it has registered.
const FORGERIES_SETTLE_IN_MS = 13_000;
const FORGOTTEN_AFTER_MS = 130_000;
const STOPS_WITHIN_MS = 15_000;
const LAST_REPLIES_MS = 3000;
// What these clients leave behind has to be over when everything is healed.
const FORGER_UNTIL_MS = HEALED_AT_MS;
const POISONER_UNTIL_MS = START_MS + FAULTS_UNTIL_MS - 2000;
const MAX_STEPS = 3_000_000;
// Draws of the scenario and of what happens in it must not depend on each other.
const RUN_SALT = 0x5eed;

/** Many times what the slowest seed takes on a busy machine. */
const SEED_LIMIT_MS = 60_000;
const SEEDS_AT_A_TIME = 4;
// A world lives for a tenth of a second: most of it is garbage at the first collection.
const YOUNG_GENERATION_MB = 64;

export type SeedResult = {
  seed: number;
  violation: Violation | null;
  steps: number;
  requests: number;
  simulatedMs: number;
  /** What its world has reached, and how often. */
  reached: Reached;
  /** Empty unless it was asked for. */
  log: string[];
};

export type Job = {
  firstSeed: number;
  count: number;
  only: Only;
  isTracing?: boolean;
  signal: AbortSignal;
  /** @returns false when that was enough */
  onResult: (result: SeedResult) => boolean;
  /** The code of the threads, and what it gets beside the job: these run seeds as this file does. */
  worker?: { file: string; data: unknown };
  /** A thread that works on one seed for so long is ended, and the seed counts as one that does not end. */
  limitMs?: number;
};

/** Runs `count` seeds from `firstSeed` on, on as many threads as the machine has cores. Rejects when `signal` fires. */
export async function runSeeds(job: Job): Promise<void> {
  const {
    firstSeed,
    count,
    only,
    isTracing = false,
    signal,
    onResult,
    worker,
    limitMs = SEED_LIMIT_MS,
  } = job;
  const endSeed = firstSeed + count;
  const returned: number[] = [];
  let nextSeed = firstSeed;
  let isEnough = false;
  const isOver = (): boolean => isEnough || (returned.length === 0 && nextSeed >= endSeed);
  const take = (): number[] => {
    const seeds: number[] = [];
    while (seeds.length < SEEDS_AT_A_TIME && !isOver()) seeds.push(returned.pop() ?? nextSeed++);
    return seeds;
  };
  const report = (result: SeedResult): void => {
    if (!onResult(result)) isEnough = true;
  };
  // Ends when no seed is left, or when its thread had to be ended.
  const runThread = async (): Promise<void> => {
    const thread = new Worker(worker?.file ?? import.meta.filename, {
      workerData: { only, isTracing, ...(worker?.data as object) },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    const open: number[] = [];
    let watchdog: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const goOn = (): void => {
          clearTimeout(watchdog);
          if (open.length === 0) {
            open.push(...take());
            if (open.length > 0) thread.postMessage(open);
          }
          if (open.length === 0 || isEnough) resolve();
          else watchdog = setTimeout(onSilence, limitMs);
        };
        const onSilence = (): void => {
          const seed = open.shift() as number;
          report(endlessSeed(seed, limitMs));
          returned.push(...open);
          resolve();
        };
        thread.on('message', (result: SeedResult) => {
          open.shift();
          report(result);
          goOn();
        });
        thread.on('error', reject);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        goOn();
      });
    } finally {
      clearTimeout(watchdog);
      await thread.terminate();
    }
  };
  signal.throwIfAborted();
  const threads = Math.min(availableParallelism(), Math.ceil(count / SEEDS_AT_A_TIME));
  const runAll = async (): Promise<void> => {
    while (!isOver()) await runThread();
  };
  await Promise.all(Array.from({ length: threads }, runAll));
}

function endlessSeed(seed: number, limitMs: number): SeedResult {
  const detail = `one step was still running after ${limitMs / 1000} s of real time`;
  const violation = { invariant: 'it ends', detail, atMs: null };
  return { seed, violation, steps: 0, requests: 0, simulatedMs: 0, reached: {}, log: [] };
}

/** One seed from beginning to end, or to the first promise that is not kept. Real time plays no part in it. */
class Run {
  readonly #seed: number;
  readonly #scenario: Scenario;
  readonly #world: World;
  #steps = 0;

  constructor(seed: number, isTracing: boolean, only: Only) {
    const scenario = drawScenario(seed, only);
    const { causes, options, latency } = scenario;
    const world = new World(seed ^ RUN_SALT, latency, options, isTracing);
    this.#seed = seed;
    this.#scenario = scenario;
    this.#world = world;
    world.network.limitedHost = world.proxy;
    world.network.portsPerDestination = scenario.portsPerDestination;
    world.network.forgetsAfterMs = scenario.forgetsAfterMs;
    world.hasSlowWork = causes.includes('sluggish') || causes.includes('slow-request');
    world.places = options.maxConnections ?? Number.POSITIVE_INFINITY;
    world.onPoison = (server, payload) => killByPoison(world, server, payload);
    world.promises = new Promises(world);
    world.servers.push(...scenario.servers.map((spec) => new SimulatedServer(spec, world)));
    world.clients.push(...scenario.clients.map((spec) => new SimulatedClient(spec, world)));
    for (const cause of causes) world.reached('causes', cause);
    if (causes.length > 0) world.trace(() => `causes: ${causes.join(', ')}`);
  }

  async play(): Promise<SeedResult> {
    const world = this.#world;
    const { timeline, random, servers, clients, network } = world;
    await world.core.open();
    for (const server of servers) timeline.after(random.between(0, SERVERS_WITHIN_MS), () => server.start());
    for (const fault of this.#scenario.faults) timeline.after(fault.atMs, () => strike(fault, world));
    const hasForger = clients.some(({ spec }) => spec.kind === 'forger');
    const settledMs = HEALED_AT_MS + (hasForger ? FORGERIES_SETTLE_IN_MS : SETTLES_IN_MS);
    const stopMs = settledMs + random.between(0, 200);
    for (const client of clients) {
      const { kind } = client.spec;
      const untilMs =
        kind === 'forger' ? FORGER_UNTIL_MS : kind === 'poisoner' ? POISONER_UNTIL_MS : stopMs + 500;
      timeline.after(CLIENTS_FROM_MS + random.between(0, 500), () => behave(client, untilMs));
    }
    await this.#then(HEALED_AT_MS, () => healAll(world));
    await this.#then(settledMs, () => world.promises.checkTable());
    if (this.#scenario.endsEmpty) {
      await this.#then(stopMs, () => {
        for (const { host, connections } of clients) {
          host.kill();
          connections.clear();
        }
        for (const server of servers) server.crash(true);
      });
      await this.#then(stopMs + FORGOTTEN_AFTER_MS, () => world.promises.checkEmpty());
    }
    await this.#stop(stopMs);
    const { counters } = world.sources;
    world.reached('traffic', 'a late answer was dropped', counters.lateAnswers);
    world.reached('limits', 'a full accept queue', network.droppedSyns);
    world.reached('traits', 'a middlebox has forgotten a connection', network.forgotten);
    return {
      seed: this.#seed,
      violation: world.violation,
      steps: this.#steps,
      requests: counters.requests,
      simulatedMs: timeline.nowMs - START_MS,
      reached: world.coverage,
      log: world.log,
    };
  }

  async #stop(atMs: number): Promise<void> {
    const world = this.#world;
    let hasStopped = false;
    await this.#then(atMs, () => {
      world.trace(() => 'the proxy is stopped');
      if (world.sources.openRequests() > 0)
        world.reached('traffic', 'requests were open when the stop began');
      world.stoppingSinceMs = world.nowMs;
      world.core.stop().then(
        () => {
          hasStopped = true;
        },
        (error: Error) => world.violate('no crash', String(error.stack)),
      );
    });
    const untilMs = world.nowMs + STOPS_WITHIN_MS;
    while (!hasStopped && world.nowMs < untilMs && world.violation === null) {
      await this.#runUntil(world.nowMs + 100);
    }
    await this.#then(world.nowMs + LAST_REPLIES_MS, () => world.promises.checkEnd(hasStopped));
  }

  // Does `work` at that time, unless a violation has ended this world before.
  async #then(atMs: number, work: () => void): Promise<void> {
    await this.#runUntil(atMs);
    if (this.#world.violation === null) work();
  }

  async #runUntil(untilMs: number): Promise<void> {
    const world = this.#world;
    const { timeline, proxy } = world;
    while (world.violation === null) {
      const work = timeline.next(untilMs);
      if (work === null) return;
      this.#steps += 1;
      if (this.#steps > MAX_STEPS) world.violate('it ends', `${MAX_STEPS} steps and no end`);
      try {
        work();
      } catch (error) {
        world.violate('no crash', String((error as Error).stack));
      }
      if (!proxy.hasActed) continue;
      proxy.hasActed = false;
      // What promises have in store belongs to this step.
      await new Promise((resolve) => setImmediate(resolve));
      world.promises.check();
    }
  }
}

if (parentPort !== null) {
  const port = parentPort;
  const { only, isTracing } = workerData as { only: Only; isTracing: boolean };
  port.on('message', async (seeds: number[]) => {
    for (const seed of seeds) port.postMessage(await new Run(seed, isTracing, only).play());
  });
}
