// shell · a real proxy and its servers, processes of their own on loopback, and what is looked up about them.
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fetchPolicies, type PolicySnapshot, type ServerRow, waitForServers } from '../kit/policies.ts';
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
// V8 starts with a small space for new objects and doubles it under load, at some moment: a step that is no leak.
const FIXED_NEW_SPACE = ['--min-semi-space-size=16', '--max-semi-space-size=16'];

/** The proxy and the servers that were started beside it; each server keeps its port. */
export class Stage {
  readonly proxy: ProxyProcess;
  /** Gets a line for each server that ends by itself. */
  readonly #problems: string[];
  readonly #ports = new Map<string, number>();
  readonly #running = new Map<string, RunningProcess>();

  constructor(proxy: ProxyProcess, problems: string[]) {
    this.proxy = proxy;
    this.#problems = problems;
  }

  /** Starts a server; it registers by itself. It gets no setting of this process's environment, where .env may have put some. */
  async start({ id, policy }: Server): Promise<void> {
    const port = this.#ports.get(id) ?? (await freePorts(1))[0] ?? 0;
    this.#ports.set(id, port);
    const proxy = ['--host', '127.0.0.1', '--proxy', `127.0.0.1:${this.proxy.port}`, '--log-level', 'error'];
    const started = await startProcess(process.execPath, [SERVER_MAIN, id, policy, String(port), ...proxy], {
      env: { PATH: process.env.PATH ?? '' },
      stopWithinMs: STOP_WITHIN_MS,
    });
    this.#running.set(id, started);
    void started.ended.then((how) => {
      if (this.#running.get(id) !== started) return;
      this.#running.delete(id);
      this.#problems.push(`server ${id} ended by itself: ${how} ${started.tail()}`.trim());
    });
  }

  /** Freezes a server (SIGSTOP) or resumes it (SIGCONT). */
  signal(id: string, name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#running.get(id)?.child.kill(name);
  }

  /** Ends a server cleanly, a frozen one too, or without a warning. */
  async stop(id: string, how: 'cleanly' | 'killed' = 'cleanly'): Promise<void> {
    const running = this.#running.get(id);
    this.#running.delete(id);
    running?.child.kill(how === 'killed' ? 'SIGKILL' : 'SIGCONT');
    await (how === 'killed' ? running?.ended : running?.stop());
  }

  /** The servers in the policy table, and how many connections the proxy has to its port. */
  async status(): Promise<{ servers: ServerRow[]; connections: number }> {
    const answer = await fetchPolicies(this.proxy.adminUrl);
    const { policies, proxy } = answer as PolicySnapshot & { proxy: { connections: number } };
    return { servers: policies.flatMap(({ servers }) => servers), connections: proxy.connections };
  }

  /** Waits until all permanent servers are in rotation. @throws Failure when that takes too long */
  async whole(signal: AbortSignal): Promise<void> {
    const { adminUrl } = this.proxy;
    await waitForServers({ adminUrl, count: SERVERS.length, timeoutMs: WHOLE_WITHIN_MS, signal });
  }

  async end(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((id) => this.stop(id)));
    await this.proxy.stop();
  }
}

/**
 * Starts the proxy and the permanent servers.
 * @param problems gets a line for each server that ends by itself
 * @param signal   is for starting only: what runs is ended by `end`
 * @throws Failure when they do not start
 */
export async function startStage(problems: string[], signal: AbortSignal): Promise<Stage> {
  const proxy = await startProxyProcess({
    nodeFlags: [...COLLECT_GARBAGE, ...FIXED_NEW_SPACE],
    environment: SETTINGS,
  });
  const stage = new Stage(proxy, problems);
  try {
    signal.throwIfAborted();
    await Promise.all(SERVERS.map((server) => stage.start(server)));
    return stage;
  } catch (error) {
    await stage.end();
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
