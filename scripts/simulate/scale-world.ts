// shell · one world without faults, to see what a request and a probe cost the proxy in it.
// Must never differ from another one in anything but the number of servers and policies.
import { hash } from 'node:crypto';
import { Session } from 'node:inspector/promises';
import { createCore } from '../../services/proxy/core.ts';
import { readProxyOptions } from '../../services/proxy/options.ts';
import { FrameReader } from '../../services/shared/framing.ts';
import { isHealthProbe } from '../../services/shared/health-probe.ts';
import { formatAnswer, formatRequest } from '../../services/shared/packet.ts';
import type { CpuProfile } from '../kit/cpu-profile.ts';
import { Random } from '../kit/random.ts';
import type { Endpoint } from './endpoint.ts';
import { clockOf, Host } from './host.ts';
import { SimulatedNetwork } from './network.ts';
import { microsInProxy } from './proxy-share.ts';
import { Timeline } from './timeline.ts';
import { PROXY_ADDRESS, PROXY_PORT } from './world.ts';

const SERVERS_PER_POLICY = 10;
const CLIENTS = 64;
const START_MS = 1000;
const MIN_IDLE_MS = 10_000;
const MIN_PROBES = 20_000;
const REGISTER_WITHIN_MS = 30_000;
const DIGEST = '0'.repeat(40);
const SERVER_HOSTS = 64;
const STEPS_A_TURN = 32;
const SAMPLE_EVERY_US = 200;

export type ScaleRow = {
  servers: number;
  policies: number;
  requests: number;
  /** CPU of the proxy's own code, microseconds; without its kernel's and its garbage collector's share. */
  perRequestMicros: number;
  /** The same for a probe, its share of the sweeps included. */
  perProbeMicros: number;
};

export class ScaleWorld {
  readonly #size: number;
  readonly #policies: number;
  readonly #timeline = new Timeline(START_MS);
  readonly #network: SimulatedNetwork;
  readonly #core: ReturnType<typeof createCore>;
  #probes = 0;
  #answered = 0;

  constructor(size: number) {
    this.#size = size;
    this.#policies = Math.ceil(size / SERVERS_PER_POLICY);
    const random = new Random(size);
    this.#network = new SimulatedNetwork(this.#timeline, random, { min: 5, max: 15, splitPercent: 0 });
    const proxy = new Host('proxy', PROXY_ADDRESS, this.#timeline);
    this.#network.attach(proxy);
    const options = {
      ...readProxyOptions([], {}),
      port: PROXY_PORT,
      maxServers: size,
      maxSetupsPerSource: 0,
    };
    this.#core = createCore(options, () => {}, {
      clock: clockOf(proxy, this.#timeline),
      network: this.#network.of(proxy),
      random: () => random.between(0, 0x3fff_ffff) / 0x4000_0000,
      nonce: () => 'nobody asks for one',
    });
  }

  async measure(requests: number): Promise<ScaleRow> {
    await this.#core.open();
    this.#registerAll();
    await this.#runUntil(() => this.#ready === this.#size, REGISTER_WITHIN_MS);
    // A second more, so that the probes have found their places in it.
    await this.#runFor(1000);
    this.#probes = 0;
    const idleMs = Math.max(MIN_IDLE_MS, (MIN_PROBES / this.#size) * 1000);
    const idle = await this.#timed(() => this.#runFor(idleMs));
    const idlePerMs = idle.cpuMicros / idle.tookMs;
    const perProbeMicros = idle.cpuMicros / this.#probes;
    this.#ask(requests);
    const busy = await this.#timed(() => this.#runUntil(() => this.#answered >= requests, Infinity));
    // What the probes cost meanwhile is told beside it.
    const perRequestMicros = (busy.cpuMicros - idlePerMs * busy.tookMs) / requests;
    return { servers: this.#size, policies: this.#policies, requests, perRequestMicros, perProbeMicros };
  }

  get #ready(): number {
    let ready = 0;
    for (const { rotation } of this.#core.sources.table.routes) ready += rotation.members.length;
    return ready;
  }

  #registerAll(): void {
    const hosts = Array.from({ length: Math.min(SERVER_HOSTS, this.#size) }, (_, at) => {
      const host = new Host(`servers-${at}`, `10.0.4.${at}`, this.#timeline);
      this.#network.attach(host);
      return host;
    });
    for (let id = 0; id < this.#size; id += 1) {
      const host = hosts[id % hosts.length] as Host;
      const port = 10_001 + id;
      this.#network.listen(host, port, false, (connection) => this.#serve(connection, id));
      const connection = this.#network.dial(host, PROXY_ADDRESS, PROXY_PORT);
      const setup = { type: 1, id, privPoliId: id % this.#policies, listenport: port, keepAlive: true };
      connection.write(JSON.stringify(setup), 'utf8');
      connection.on('data', () => connection.end());
    }
  }

  #serve(connection: Endpoint, id: number): void {
    const reader = new FrameReader();
    connection.on('data', (chunk) => {
      reader.feed(chunk);
      let answers = '';
      while (reader.next()) {
        const { srcid, payload } = JSON.parse(reader.bytes.toString('utf8', reader.start, reader.end));
        const isProbe = isHealthProbe({ clientId: srcid, payload });
        if (isProbe) this.#probes += 1;
        answers += formatAnswer(id, srcid, isProbe ? hash('sha1', payload) : DIGEST);
      }
      connection.write(answers, 'utf8');
    });
  }

  // Each client keeps a connection and asks for one policy after another.
  #ask(requests: number): void {
    let asked = 0;
    for (let client = 0; client < CLIENTS; client += 1) {
      const host = new Host(`client-${client}`, `10.0.5.${client}`, this.#timeline);
      this.#network.attach(host);
      const connection = this.#network.dial(host, PROXY_ADDRESS, PROXY_PORT);
      const next = (): void => {
        if (asked >= requests) return;
        asked += 1;
        connection.write(
          formatRequest(client, String(asked % this.#policies), 'a payload of some bytes'),
          'utf8',
        );
      };
      connection.on('data', () => {
        this.#answered += 1;
        next();
      });
      next();
    }
  }

  async #timed(work: () => Promise<void>): Promise<{ cpuMicros: number; tookMs: number }> {
    const startMs = this.#timeline.nowMs;
    const session = new Session();
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US });
    await session.post('Profiler.start');
    await work();
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    return { cpuMicros: microsInProxy(profile as CpuProfile), tookMs: this.#timeline.nowMs - startMs };
  }

  #runFor(ms: number): Promise<void> {
    return this.#runUntil(() => false, ms);
  }

  // Promises of the proxy (its probes' outcomes) are settled every few steps: in a world without faults nobody can tell.
  async #runUntil(isOver: () => boolean, withinMs: number): Promise<void> {
    const untilMs = this.#timeline.nowMs + withinMs;
    let steps = 0;
    while (true) {
      const work = this.#timeline.next(untilMs);
      if (work === null) return;
      work();
      steps += 1;
      if (steps % STEPS_A_TURN !== 0) continue;
      await new Promise((resolve) => setImmediate(resolve));
      if (isOver()) return;
    }
  }
}
