// shell · what a request and a probe cost the proxy with few servers and with many, in worlds without faults.
// This file is the code of its threads too: each number of servers is measured in one, with a heap of its own.
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { Session } from 'node:inspector/promises';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { isHealthProbe } from '../../services/shared/health-probe.ts';
import { formatAnswer, formatRequest } from '../../services/shared/packet.ts';
import { type CpuProfile, type ProfileNode, selfTimes } from '../kit/cpu-profile.ts';
import { count, textTable } from '../kit/words.ts';
import type { Host } from './host.ts';
import { SimulatedProxy } from './proxy.ts';
import { readPackets, type SimulatedSocket } from './socket.ts';
import { PROXY_PORT, World } from './world.ts';

const SIZES = [10, 100, 1000, 10_000];
const WARM_UP_SIZE = 100;
const WARM_UP_REQUESTS = 100_000;
// Ten thousand servers' connections outlive a small young generation, and copying them would be most of what is measured.
const YOUNG_GENERATION_MB = 512;
const SERVERS_PER_POLICY = 10;
const SERVER_HOSTS = 64;
const CLIENTS = 64;
const REGISTER_WITHIN_MS = 30_000;
const MIN_IDLE_MS = 10_000;
const MIN_PROBES = 20_000;
const SAMPLE_EVERY_US = 200;
const STEPS_A_TURN = 32;
const LATENCY = { min: 5, max: 15, splitPercent: 0 };
const DIGEST = '0'.repeat(40);

export type ScaleRow = {
  servers: number;
  policies: number;
  requests: number;
  /** CPU of the proxy's own code, microseconds; without the kernel's and the garbage collector's share. */
  perRequestMicros: number;
  /** The same for a probe, its share of the sweeps included. */
  perProbeMicros: number;
};

/** Measures each number of servers in turn, never two at once; takes minutes with a million requests. */
export async function measureScale(
  requests: number,
  signal: AbortSignal,
  onSize: (size: number) => void,
): Promise<ScaleRow[]> {
  const rows: ScaleRow[] = [];
  for (const size of SIZES) {
    signal.throwIfAborted();
    onSize(size);
    const worker = new Worker(import.meta.filename, {
      workerData: { size, requests },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    try {
      const [row] = await once(worker, 'message', { signal });
      rows.push(row);
    } finally {
      await worker.terminate();
    }
  }
  return rows;
}

/** The rows as a table, with each cost against the first row's. */
export function formatScale(rows: readonly ScaleRow[]): string {
  const cost = (value: number, base = value): string =>
    `${value.toFixed(1)} µs (× ${(value / base).toFixed(2)})`;
  const cells = rows.map(({ servers, policies, requests, perRequestMicros, perProbeMicros }) => [
    ...[servers, policies, requests].map(count),
    cost(perRequestMicros, rows[0]?.perRequestMicros),
    cost(perProbeMicros, rows[0]?.perProbeMicros),
  ]);
  const head = ['servers', 'policies', 'requests', 'CPU per request', 'CPU per probe'];
  return textTable([head, ...cells], 'r').join('\n');
}

/** Microseconds of a profile in the proxy's code, or in Node's on its behalf; not in the simulated world's. */
export function microsInProxy(profile: CpuProfile): number {
  const times = selfTimes(profile);
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  let micros = 0;
  const visit = (node: ProfileNode, isCallerProxy: boolean): void => {
    const { url } = node.callFrame;
    const isProxy = url.includes('/services/') || (isCallerProxy && !url.includes('/scripts/'));
    if (isProxy) micros += times.get(node.id) ?? 0;
    for (const id of node.children ?? []) visit(byId.get(id) as ProfileNode, isProxy);
  };
  const root = profile.nodes[0];
  if (root !== undefined) visit(root, false);
  return micros;
}

async function measureSize(size: number, requests: number): Promise<ScaleRow> {
  const policies = Math.ceil(size / SERVERS_PER_POLICY);
  const world = new World(size, LATENCY, { maxServers: size, maxSetupsPerSource: 0 });
  const counts = { probes: 0, answers: 0 };
  const proxy = new SimulatedProxy(world);
  world.proxies.push(proxy);
  await proxy.start();
  registerServers(world, size, policies, counts);
  const isReady = (): boolean => {
    const routes = [...proxy.sources.table.routes];
    return routes.reduce((ready, { rotation }) => ready + rotation.members.length, 0) === size;
  };
  await run(world, REGISTER_WITHIN_MS, isReady);
  // A second more, in which the probes are spread.
  await run(world, 1000);
  counts.probes = 0;
  const idle = await profile(world, Math.max(MIN_IDLE_MS, (MIN_PROBES / size) * 1000));
  const perProbeMicros = idle.cpuMicros / counts.probes;
  ask(world, requests, policies, counts);
  const busy = await profile(world, Number.POSITIVE_INFINITY, () => counts.answers >= requests);
  const probingMicros = (idle.cpuMicros / idle.tookMs) * busy.tookMs;
  const perRequestMicros = (busy.cpuMicros - probingMicros) / requests;
  return { servers: size, policies, requests, perRequestMicros, perProbeMicros };
}

type Counts = { probes: number; answers: number };

function registerServers({ network, proxies }: World, size: number, policies: number, counts: Counts): void {
  const hosts = Array.from({ length: Math.min(SERVER_HOSTS, size) }, (_, at) =>
    network.addHost(`servers-${at}`, `10.0.4.${at}`),
  );
  for (let id = 0; id < size; id += 1) {
    const host = hosts[id % hosts.length] as Host;
    const listenport = 10_001 + id;
    network.listen(host, listenport, false, (connection) => serve(connection, id, counts));
    const connection = network.dial(host, addressOf(proxies), PROXY_PORT);
    connection.write(JSON.stringify({ type: 1, id, privPoliId: id % policies, listenport, keepAlive: true }));
    connection.on('data', () => connection.end());
  }
}

function serve(connection: SimulatedSocket, id: number, counts: Counts): void {
  let answers = '';
  readPackets<{ srcid: number; payload: string }>(connection, ({ srcid, payload }) => {
    const isProbe = isHealthProbe({ clientId: srcid, payload });
    if (isProbe) counts.probes += 1;
    answers += formatAnswer(id, srcid, isProbe ? hash('sha1', payload) : DIGEST);
  });
  connection.on('data', () => {
    connection.write(answers);
    answers = '';
  });
}

// Each client keeps a connection and asks for one policy after another.
function ask({ network, proxies }: World, requests: number, policies: number, counts: Counts): void {
  let asked = 0;
  for (let client = 0; client < CLIENTS; client += 1) {
    const host = network.addHost(`client-${client}`, `10.0.5.${client}`);
    const connection = network.dial(host, addressOf(proxies), PROXY_PORT);
    const next = (): void => {
      if (asked >= requests) return;
      asked += 1;
      connection.write(formatRequest(client, String(asked % policies), 'a payload of some bytes'));
    };
    connection.on('data', () => {
      counts.answers += 1;
      next();
    });
    next();
  }
}

function addressOf([proxy]: readonly SimulatedProxy[]): string {
  return (proxy as SimulatedProxy).host.address;
}

type Cost = { cpuMicros: number; tookMs: number };

async function profile(world: World, withinMs: number, isOver?: () => boolean): Promise<Cost> {
  const startMs = world.nowMs;
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US });
  await session.post('Profiler.start');
  await run(world, withinMs, isOver);
  const stopped = await session.post('Profiler.stop');
  session.disconnect();
  return { cpuMicros: microsInProxy(stopped.profile as CpuProfile), tookMs: world.nowMs - startMs };
}

// Promises of the proxy (its probes' outcomes) are settled every few steps: without faults that makes no difference.
async function run({ timeline }: World, withinMs: number, isOver = (): boolean => false): Promise<void> {
  const untilMs = timeline.nowMs + withinMs;
  for (let steps = 1; ; steps += 1) {
    const work = timeline.next(untilMs);
    if (work === null) return;
    work();
    if (steps % STEPS_A_TURN !== 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    if (isOver()) return;
  }
}

if (parentPort !== null) {
  const { size, requests } = workerData as { size: number; requests: number };
  // Nothing is measured before the code is warm.
  await measureSize(WARM_UP_SIZE, Math.min(requests, WARM_UP_REQUESTS));
  parentPort.postMessage(await measureSize(size, requests));
}
