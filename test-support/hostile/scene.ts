// What a case takes place on: a real proxy in a process of its own, servers and clients. It stops all that it has started.
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Failure } from '../../scripts/kit/failure.ts';
import { fetchPolicies, type ServerRow } from '../../scripts/kit/policies.ts';
import { accepts } from '../../scripts/kit/ports.ts';
import { startProcess } from '../../scripts/kit/process.ts';
import { type ProxyEvent, watchProxy } from '../../scripts/kit/proxy-events.ts';
import { type ProxyProcess, startProxyProcess } from '../../scripts/kit/proxy-process.ts';
import type { EventType } from '../../services/proxy/status/events.ts';
import { Client } from './client.ts';
import { type Behaviour, honest, listenKept } from './kept-server.ts';
import type { OldServerOptions } from './old-server.ts';

const OLD_SERVER = new URL('./old-server.ts', import.meta.url);
const CROWD = new URL('./crowd.ts', import.meta.url).pathname;
const READY_WITHIN_MS = 15_000;
const POLL_MS = 10;

/** The whole case, or a small form of it that shows the same within seconds. */
export type Size = { isSmall: boolean; seconds: number };

export type SceneProxy = ProxyProcess & {
  /** Everything that has happened to its servers. */
  events: readonly ProxyEvent[];
  /** Its log, a JSON document a line. */
  log: readonly string[];
  rows(): Promise<ServerRow[]>;
};

export type ServerSetup = { policy?: string; host?: string };

export class Scene {
  readonly size: Size;
  /** Fires when the case is over, or has been interrupted. */
  readonly signal: AbortSignal;
  readonly #ending = new AbortController();
  readonly #cleanUps: (() => unknown)[] = [];
  #lastServerId = 0;

  constructor(size: Size, signal: AbortSignal) {
    this.size = size;
    this.signal = AbortSignal.any([signal, this.#ending.signal]);
  }

  async close(): Promise<void> {
    for (const cleanUp of this.#cleanUps.splice(0).toReversed()) await cleanUp();
    this.#ending.abort();
  }

  /**
   * The product's own proxy with its defaults, but for `environment`.
   * @param before what its command line begins with, such as a shell that lowers a limit
   */
  async proxy(environment: Record<string, string> = {}, before: readonly string[] = []): Promise<SceneProxy> {
    const log: string[] = [];
    const started = await startProxyProcess({
      tracer: before,
      environment,
      onLine: (line) => void log.push(line),
      signal: this.signal,
    });
    const { adminUrl } = started;
    const events: ProxyEvent[] = [];
    const watch = watchProxy(adminUrl, { event: (event) => events.push(event) });
    this.#cleanUps.push(
      () => started.stop(),
      () => watch.close(),
    );
    const rows = async () => (await fetchPolicies(adminUrl)).policies.flatMap(({ servers }) => servers);
    return { ...started, events, log, rows };
  }

  /** A server of the old kind, in rotation. @returns its port */
  async oldServer(
    proxy: SceneProxy,
    options: Partial<Omit<OldServerOptions, 'id'>> & ServerSetup = {},
  ): Promise<number> {
    const { policy = '1', ...own } = options;
    const id = this.#nextServerId();
    const workerData: OldServerOptions = {
      backlog: 6,
      readBytes: 2048,
      workMs: 0,
      closesAfterMs: 0,
      ...own,
      id,
    };
    const worker = new Worker(OLD_SERVER, { workerData });
    this.#cleanUps.push(() => worker.terminate());
    const [port] = (await once(worker, 'message')) as [number];
    await this.join(proxy, { id, policy, port });
    return port;
  }

  /** A keep-alive server that behaves so towards what is no probe, in rotation. @returns its id */
  async keptServer(
    proxy: SceneProxy,
    behave: Behaviour = honest,
    { policy = '1', host = '127.0.0.1' }: ServerSetup = {},
  ): Promise<number> {
    const id = this.#nextServerId();
    const { port, close } = await listenKept(id, behave, host);
    this.#cleanUps.push(close);
    await this.join(proxy, { id, policy, port, keepAlive: true }, host);
    return id;
  }

  /** Registers a server as its setup packet says, and waits until it is in rotation. */
  async join(
    proxy: SceneProxy,
    { policy, port, ...fields }: { id: number; policy: string; port: number; keepAlive?: boolean },
    host = '127.0.0.1',
  ): Promise<void> {
    const packet = { type: 1, privPoliId: policy, listenport: port, ...fields };
    const reply = await this.send(proxy, JSON.stringify(packet), host);
    if (!reply.includes('registered'))
      throw new Failure(`The server was not registered: ${reply}`, 'Look at it.');
    const deadlineMs = performance.now() + READY_WITHIN_MS;
    while (!proxy.events.some(({ type, id }) => type === 'admitted' && id === String(fields.id))) {
      if (performance.now() > deadlineMs) throw new Failure('The server was not admitted.', 'Look at it.');
      await sleep(POLL_MS, undefined, { signal: this.signal });
    }
  }

  /** Sends one packet over a connection of its own, from `host`. @returns what came first, or why nothing did */
  async send(proxy: SceneProxy, packet: string, host = '127.0.0.1'): Promise<string> {
    const socket = net.connect({ port: proxy.port, host: '127.0.0.1', localAddress: host });
    socket.on('error', () => {}).setTimeout(5_000, () => void socket.destroy());
    socket.setEncoding('utf8').write(`${packet}\n`);
    try {
      for await (const chunk of socket.iterator()) return String(chunk);
      return 'closed without a reply';
    } catch (error) {
      return (error as Error).message;
    }
  }

  client(proxy: SceneProxy): Client {
    const client = new Client(proxy.port);
    this.#cleanUps.push(() => client.close());
    return client;
  }

  clients(proxy: SceneProxy, howMany: number): Client[] {
    return Array.from({ length: howMany }, () => this.client(proxy));
  }

  /**
   * Many hostile clients in a process of their own.
   * @param kind as in crowd.ts
   * @param isAwaited resolves once all have been connected, else once they try to be
   */
  async crowd(port: number, kind: string, howMany: number, isAwaited = true): Promise<void> {
    const { stop } = await startProcess(process.execPath, [CROWD, kind, `${port}`, `${howMany}`], {
      readyLine: isAwaited ? /^ready$/ : /^trying$/,
      signal: this.signal,
      deadlineMs: 30_000,
    });
    this.#cleanUps.push(stop);
  }

  wait(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.signal });
  }

  /** How many of these ports are closed. */
  async dead(ports: readonly number[]): Promise<number> {
    return (await Promise.all(ports.map((port) => accepts(port)))).filter((isUp) => !isUp).length;
  }

  #nextServerId(): number {
    this.#lastServerId += 1;
    return this.#lastServerId;
  }
}

/** How many events of these types there were. */
export function countEvents({ events }: SceneProxy, ...types: EventType[]): number {
  return events.filter(({ type }) => types.includes(type)).length;
}
