// shell · runs seeds, each in a simulated world of its own, spread over threads. This file is the threads' code too.
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { parentPort, Worker, type WorkerOptions } from 'node:worker_threads';
import { SimulatedClient } from './client.ts';
import { behave, type ClientKind } from './client-behaviours.ts';
import { healAll, killByPoison, strike } from './faults.ts';
import { Promises } from './promises.ts';
import { SimulatedProxy } from './proxy.ts';
import type { Reached } from './results.ts';
import { type Cause, drawScenario, FAULTS_UNTIL_MS, type Only, type Scenario } from './scenario.ts';
import { SimulatedServer } from './server.ts';
import { START_MS, type Violation, World } from './world.ts';

const SERVERS_WITHIN_MS = 300;
const CLIENTS_FROM_MS = 700;
const HEALED_AT_MS = START_MS + FAULTS_UNTIL_MS + 1000;
const SETTLES_IN_MS = 6500;
// A server that is not there is forgotten 10 s after it has registered, and a proxy that stops and starts again takes as long.
const SETTLES_LATE_IN_MS = 13_000;
const FORGOTTEN_AFTER_MS = 130_000;
const STOPS_WITHIN_MS = 15_000;
const LAST_REPLIES_MS = 3000;
// What these clients leave behind has to be over when everything is healed.
const ENDS_EARLY: Partial<Record<ClientKind, number>> = {
  forger: HEALED_AT_MS,
  poisoner: START_MS + FAULTS_UNTIL_MS - 2000,
};
const MAX_STEPS = 3_000_000;
const SLOW_CAUSES = new Set<Cause>(['sluggish', 'slow-request', 'middlebox']);
// Draws of the scenario and of what happens in it must not depend on each other.
const RUN_SALT = 0x5eed;

/** Many times what the slowest seed takes. */
const SEED_LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 100;
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

type Order = { seed: number; only: Only; isTracing: boolean };

export type Job = {
  firstSeed: number;
  count: number;
  /** The causes of a seed's world. */
  only: (seed: number) => Only;
  isTracing?: boolean;
  signal: AbortSignal;
  /** @returns false when that was enough */
  onResult: (result: SeedResult) => boolean;
  threadOptions?: WorkerOptions;
  /** A thread that has worked for so much processor time on a seed is ended, and the seed counts as one that does not end. */
  limitMs?: number;
};

/** Runs `count` seeds from `firstSeed` on, on as many threads as the machine has cores. Rejects when `signal` fires. */
export async function runSeeds(job: Job): Promise<void> {
  const { firstSeed, count, only, isTracing = false, signal, onResult } = job;
  const { threadOptions = {}, limitMs = SEED_LIMIT_MS } = job;
  let nextSeed = firstSeed;
  let isEnough = false;
  let threads = 0;
  const isOver = (): boolean => isEnough || nextSeed >= firstSeed + count;
  // Ends when no seed is left, or when its thread has to be ended.
  const runThread = async (): Promise<void> => {
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB };
    const thread = new Worker(import.meta.filename, { resourceLimits, ...threadOptions });
    threads += 1;
    try {
      while (!isOver()) {
        const order: Order = { seed: nextSeed, only: only(nextSeed), isTracing };
        nextSeed += 1;
        thread.postMessage(order);
        const result = await nextResult(thread, signal, () => limitMs * threads);
        if (!onResult(result ?? endlessSeed(order.seed, limitMs))) isEnough = true;
        if (result === null) return;
      }
    } finally {
      threads -= 1;
      await thread.terminate();
    }
  };
  const runThreads = async (): Promise<void> => {
    while (!isOver()) await runThread();
  };
  signal.throwIfAborted();
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), count) }, runThreads));
}

// Null when none has come by the time that this process has used so much of the processor: all threads that run share it,
// and while the process is stopped, or others have the processor, nothing is used.
async function nextResult(
  thread: Worker,
  signal: AbortSignal,
  limitMs: () => number,
): Promise<SeedResult | null> {
  const endless = new AbortController();
  const before = process.cpuUsage();
  const watchdog = setInterval(() => {
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1000 > limitMs()) endless.abort();
  }, LOOK_EVERY_MS);
  try {
    const [result] = await once(thread, 'message', { signal: AbortSignal.any([signal, endless.signal]) });
    return result;
  } catch (error) {
    signal.throwIfAborted();
    if (endless.signal.aborted) return null;
    throw error;
  } finally {
    clearInterval(watchdog);
  }
}

function endlessSeed(seed: number, limitMs: number): SeedResult {
  const detail = `one step was still running after ${limitMs / 1000} s of processor time`;
  const violation = { invariant: 'it ends', detail, atMs: null };
  return { seed, violation, steps: 0, requests: 0, simulatedMs: 0, reached: {}, log: [] };
}

if (parentPort !== null) {
  const port = parentPort;
  port.on('message', async (order: Order) => port.postMessage(await runSeed(order)));
}

/** Runs one seed in this thread, from beginning to end, or to the first promise that is not kept. */
export async function runSeed({ seed, only, isTracing }: Order): Promise<SeedResult> {
  const scenario = drawScenario(seed, only);
  const world = makeWorld(seed, scenario, isTracing);
  const { timeline, random, servers, clients, network } = world;
  for (const proxy of world.proxies) void proxy.start();
  await new Promise((resolve) => setImmediate(resolve));
  for (const server of servers) timeline.after(random.between(0, SERVERS_WITHIN_MS), () => server.start());
  for (const fault of scenario.faults) timeline.after(fault.atMs, () => strike(fault, world));
  const hasForger = clients.some(({ spec }) => spec.kind === 'forger');
  const isLate = hasForger || world.proxies.length > 1;
  const settledMs = HEALED_AT_MS + (isLate ? SETTLES_LATE_IN_MS : SETTLES_IN_MS);
  const stopMs = settledMs + random.between(0, 200);
  for (const client of clients) {
    const untilMs = ENDS_EARLY[client.spec.kind] ?? stopMs + 500;
    timeline.after(CLIENTS_FROM_MS + random.between(0, 500), () => behave(client, untilMs));
  }
  await at(world, HEALED_AT_MS, () => healAll(world));
  await at(world, settledMs, () => {
    for (const { promises } of world.proxies) promises.checkTable();
  });
  if (scenario.endsEmpty) {
    await at(world, stopMs, () => {
      for (const { host, connections } of clients) {
        host.kill();
        connections.clear();
      }
      for (const server of servers) server.crash(true);
    });
    await at(world, stopMs + FORGOTTEN_AFTER_MS, () => {
      for (const { promises } of world.proxies) promises.checkEmpty();
    });
  }
  await stop(world, stopMs);
  let requests = world.requestsBefore;
  for (const proxy of world.proxies) {
    requests += proxy.requests;
    world.reached('traffic', 'a late answer was dropped', proxy.sources.counters.lateAnswers);
  }
  world.reached('limits', 'a full accept queue', network.droppedSyns);
  world.reached('traits', 'a middlebox has forgotten a connection', network.forgotten);
  const { violation, steps, reachedCounts: reached, log } = world;
  return { seed, violation, steps, requests, simulatedMs: world.nowMs - START_MS, reached, log };
}

function makeWorld(seed: number, scenario: Scenario, isTracing: boolean): World {
  const { causes, options, latency } = scenario;
  const world = new World(seed ^ RUN_SALT, latency, options, isTracing);
  for (let at = 0; at < scenario.proxies; at += 1) world.proxies.push(new SimulatedProxy(world));
  world.network.limitedAddress = (world.proxies[0] as SimulatedProxy).host.address;
  world.network.portsPerDestination = scenario.portsPerDestination;
  world.network.forgetsAfterMs = scenario.forgetsAfterMs;
  world.hasSlowWork = causes.some((cause) => SLOW_CAUSES.has(cause));
  world.places = options.maxConnections ?? Number.POSITIVE_INFINITY;
  world.onPoison = (server, payload, proxy) => killByPoison(world, server, payload, proxy);
  world.onProxyStart = (proxy) => {
    proxy.promises = new Promises(world, proxy);
  };
  world.servers.push(...scenario.servers.map((spec) => new SimulatedServer(spec, world)));
  world.clients.push(...scenario.clients.map((spec) => new SimulatedClient(spec, world)));
  for (const cause of causes) world.reached('causes', cause);
  if (causes.length > 0) world.trace(() => `causes: ${causes.join(', ')}`);
  return world;
}

async function stop(world: World, atMs: number): Promise<void> {
  const stopped = new Set<SimulatedProxy>();
  await at(world, atMs, () => {
    world.trace(() => 'the proxies are stopped');
    world.isEnding = true;
    for (const proxy of world.proxies) {
      if (proxy.threads.some(({ openRequests }) => openRequests() > 0))
        world.reached('traffic', 'requests were open when the stop began');
      void proxy.stop().then(() => stopped.add(proxy));
    }
  });
  const untilMs = world.nowMs + STOPS_WITHIN_MS;
  while (stopped.size < world.proxies.length && world.nowMs < untilMs && world.violation === null) {
    await runUntil(world, world.nowMs + 100);
  }
  await at(world, world.nowMs + LAST_REPLIES_MS, () => {
    for (const proxy of world.proxies) proxy.promises.checkEnd(stopped.has(proxy));
  });
}

// Does `work` at that time, unless a violation has ended this world before.
async function at(world: World, atMs: number, work: () => void): Promise<void> {
  await runUntil(world, atMs);
  if (world.violation === null) work();
}

async function runUntil(world: World, untilMs: number): Promise<void> {
  const { timeline, proxies } = world;
  while (world.violation === null) {
    const work = timeline.next(untilMs);
    if (work === null) return;
    world.steps += 1;
    if (world.steps > MAX_STEPS) world.violate('it ends', `${MAX_STEPS} steps and no end`);
    try {
      work();
    } catch (error) {
      world.violate('no crash', String((error as Error).stack));
    }
    const acted = proxies.filter((proxy) => proxy.takeActed());
    if (acted.length === 0 && !world.isUnsettled) continue;
    world.isUnsettled = false;
    // What promises have in store belongs to this step.
    await new Promise((resolve) => setImmediate(resolve));
    for (const proxy of acted) {
      proxy.takeActed();
      proxy.promises.check();
    }
  }
}
