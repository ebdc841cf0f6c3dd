// shell · a real proxy and its servers, processes of their own on loopback, and what is looked up about them.
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fetchPolicies, type PolicySnapshot, waitForServers } from '../kit/policies.ts';
import { freePorts } from '../kit/ports.ts';
import { type RunningProcess, startProcess } from '../kit/process.ts';
import { ROOT } from '../kit/project.ts';
import { type ProxyProcess, startProxyProcess } from '../kit/proxy-process.ts';
import { SERVERS, type Server } from './plan.ts';
import type { Handles } from './verdict.ts';

const SERVER_MAIN = join(ROOT, 'services', 'server', 'main.ts');
const WHOLE_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 15_000;
/** An evicted server is forgotten sooner than by default, so that forgetting is a part of the churn. */
const SETTINGS = { PROXY_FORGET_AFTER: '5000' };
// Left alone, V8 takes minutes to a full collection, and a rise of minutes can't be told from a leak. At least one falls
// into each window in which memory is judged.
const COLLECT_GARBAGE = ['--expose-gc', '--import=data:text/javascript,setInterval(gc,10000).unref()'];

/** One server, which can be ended, frozen and started again. */
export class ServerProcess {
  readonly #args: readonly string[];
  readonly #problems: string[];
  #process: RunningProcess | null = null;

  /** @param problems gets a line when it ends by itself */
  constructor({ id, policy }: Server, port: number, proxyPort: number, problems: string[]) {
    const where = ['--host', '127.0.0.1', '--proxy', `127.0.0.1:${proxyPort}`, '--log-level', 'error'];
    this.#args = [SERVER_MAIN, id, policy, String(port), ...where];
    this.#problems = problems;
  }

  /** Starts it; it registers by itself. It gets no setting of this process's environment, where .env may have put some. */
  async start(): Promise<void> {
    const env = { PATH: process.env.PATH ?? '' };
    const started = await startProcess(process.execPath, this.#args, { env, stopWithinMs: STOP_WITHIN_MS });
    this.#process = started;
    void started.ended.then((how) => {
      if (this.#process === started)
        this.#problems.push(`a server ended by itself: ${how} ${started.tail()}`.trim());
    });
  }

  /** Freezes it (SIGSTOP) or resumes it (SIGCONT). */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.child.kill(name);
  }

  /** Ends it cleanly, a frozen one too, or without a warning. */
  async stop(how: 'cleanly' | 'killed' = 'cleanly'): Promise<void> {
    const running = this.#process;
    this.#process = null;
    running?.child.kill(how === 'killed' ? 'SIGKILL' : 'SIGCONT');
    await (how === 'killed' ? running?.ended : running?.stop());
  }
}

export class Stage {
  readonly proxy: ProxyProcess;
  readonly #servers = new Map<string, ServerProcess>();
  readonly #problems: string[];

  constructor(proxy: ProxyProcess, problems: string[]) {
    this.proxy = proxy;
    this.#problems = problems;
  }

  /** A server that was started, by its id. */
  server(id: string): ServerProcess | undefined {
    return this.#servers.get(id);
  }

  async startServers(servers: readonly Server[]): Promise<void> {
    const ports = await freePorts(servers.length);
    const starts = servers.map((each, at) => {
      const server = new ServerProcess(each, ports[at] ?? 0, this.proxy.port, this.#problems);
      this.#servers.set(each.id, server);
      return server.start();
    });
    await Promise.all(starts);
  }

  /** The policy table, and how many connections the proxy has from clients. */
  async status(): Promise<PolicySnapshot & { proxy: { connections: number } }> {
    return (await fetchPolicies(this.proxy.adminUrl)) as Awaited<ReturnType<Stage['status']>>;
  }

  /** Waits until all permanent servers are in rotation. @throws Failure when that takes too long */
  async whole(signal: AbortSignal): Promise<void> {
    const { adminUrl } = this.proxy;
    await waitForServers({ adminUrl, count: SERVERS.length, timeoutMs: WHOLE_WITHIN_MS, signal });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
    await this.proxy.stop();
  }
}

/**
 * Starts the proxy and the permanent servers.
 * @param problems gets a line for each server that ends by itself
 * @param signal   is for starting only: what runs is ended by `stop`
 * @throws Failure when they do not start
 */
export async function startStage(problems: string[], signal: AbortSignal): Promise<Stage> {
  const proxy = await startProxyProcess({ nodeFlags: COLLECT_GARBAGE, environment: SETTINGS });
  const stage = new Stage(proxy, problems);
  try {
    signal.throwIfAborted();
    await stage.startServers(SERVERS);
    return stage;
  } catch (error) {
    await stage.stop();
    throw error;
  }
}

/** How many files a process has open, by kind; empty when it has ended. */
export function readHandles(pid: number): Handles {
  const handles: Record<string, number> = {};
  for (const fd of attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
    const target = attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    // It was closed since it was listed.
    if (target === null) continue;
    const kind = /^(socket|pipe):/.exec(target)?.[1] ?? (target.startsWith('/') ? 'file' : 'other');
    handles[kind] = (handles[kind] ?? 0) + 1;
  }
  return handles;
}

function attempt<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}
