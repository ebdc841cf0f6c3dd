// shell · the calibration beside a run: what the machine keeps from the load generator, the proxy and the servers.
import type { DockerCluster } from '../../cluster/docker.ts';
import { readProc } from '../../kit/process-cost.ts';
import { epochMs } from '../../kit/time.ts';
import type { MachineSample } from '../journal.ts';

const EVERY_MS = 50;
const LOOK_EVERY_MS = 300;
const CONNTRACK_EVERY = 10;
const CONNTRACK_FILE = '/proc/sys/net/netfilter/nf_conntrack_count';
/** A process that waited for less between two samples is left out. */
const NOTABLE_MS = 0.5;

export type MachineWatch = {
  /** The load generator was late by so much. */
  loadLag(ms: number): void;
  stop(): void;
};

/** @param onSample gets a sample about 20 times a second; its `atMs` is ms since the epoch */
export function watchMachine(
  cluster: DockerCluster,
  onSample: (sample: MachineSample) => unknown,
): MachineWatch {
  const processes = new Processes(cluster);
  let loadLagMs = 0;
  let count = 0;
  let conntrack: number | null = null;
  const timer = setInterval(() => {
    if (count % CONNTRACK_EVERY === 0) conntrack = readConntrack();
    count += 1;
    onSample({ atMs: epochMs(), loadLagMs, waitMs: processes.waits(), conntrack });
    loadLagMs = 0;
  }, EVERY_MS);
  return {
    loadLag: (ms) => {
      loadLagMs += ms;
    },
    stop: () => clearInterval(timer),
  };
}

/** Entries of the connection tracking table; null where it can't be read. */
export function readConntrack(): number | null {
  const text = readProc(CONNTRACK_FILE).trim();
  return text === '' ? null : Number(text);
}

/** How long the main thread of each replica's process has waited for a processor, as the kernel counts it. */
class Processes {
  readonly #cluster: DockerCluster;
  readonly #watched = new Map<string, { file: string; waitedMs: number }>();
  #known = 0;
  #nextLookMs = 0;
  #isFirst = true;

  constructor(cluster: DockerCluster) {
    this.#cluster = cluster;
  }

  /** Replica → ms since the last call. Processes that are not known yet are looked for meanwhile. */
  waits(): Record<string, number> {
    const waits: Record<string, number> = {};
    for (const [name, watched] of this.#watched) {
      const waitedMs = readWaitMs(watched.file);
      const ms = (waitedMs ?? 0) - watched.waitedMs;
      if (waitedMs === null) this.#watched.delete(name);
      else watched.waitedMs = waitedMs;
      if (ms >= NOTABLE_MS) waits[name] = Math.round(ms * 100) / 100;
    }
    if (this.#cluster.isElsewhere) return waits;
    const isComplete = this.#known > 0 && this.#watched.size >= this.#known;
    if (!isComplete && performance.now() >= this.#nextLookMs) void this.#look();
    return waits;
  }

  async #look(): Promise<void> {
    // No other look begins before this one is over.
    this.#nextLookMs = Number.POSITIVE_INFINITY;
    try {
      const replicas = await this.#cluster.replicas();
      this.#known = replicas.length;
      for (const replica of replicas) {
        if (replica.state !== 'running' || this.#watched.has(replica.name)) continue;
        this.#watch(replica.name, (await this.#cluster.inspect(replica)).State.Pid);
      }
      // What they waited for before the first look is not this run's.
      if (this.#watched.size > 0) this.#isFirst = false;
    } catch {
      // The engine may be busy; the next look is soon.
    }
    this.#nextLookMs = performance.now() + LOOK_EVERY_MS;
  }

  #watch(name: string, containerPid: number): void {
    // The first process of a container is Docker's init, and the role is its child.
    const [child] = readProc(`/proc/${containerPid}/task/${containerPid}/children`).split(' ');
    const file = `/proc/${child || containerPid}/schedstat`;
    const waitedMs = readWaitMs(file);
    if (waitedMs !== null) this.#watched.set(name, { file, waitedMs: this.#isFirst ? waitedMs : 0 });
  }
}

/** The second number: nanoseconds in the run queue. Null where that can't be read. */
function readWaitMs(file: string): number | null {
  const waited = readProc(file).split(' ')[1];
  return waited === undefined ? null : Number(waited) / 1e6;
}
