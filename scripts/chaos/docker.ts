// shell · the acting half of the Docker adapter: verbs on the replicas of one Compose project, called by what they are to
// reach: killing the dead is no error. Must never act on a container that isn't the project's, or wait without a deadline.
import type { Container, ContainerInspectInfo } from 'dockerode';
import { run } from '../kit/command.ts';
import { ROOT } from '../kit/project.ts';
import { CALL_TIMEOUT_MS, callEngine, callForgivingly } from './docker-call.ts';
import { ClusterView, isUp } from './docker-view.ts';
import type { Replica, SavedAliases } from './replicas.ts';

export { isUp } from './docker-view.ts';
export type { Replica, SavedAliases } from './replicas.ts';

const COMPOSE_TIMEOUT_MS = 60_000;
const CPU_PERIOD_US = 100_000;
// 0 is accepted and does nothing.
const NO_CPU_QUOTA = -1;

type Verb = {
  /** For the error: `paused`. */
  participle: string;
  /** The statuses after which to look whether it is so already. */
  refusals: readonly number[];
  isReached(info: ContainerInspectInfo): boolean;
  timeoutMs?: number;
  call(container: Container, abortSignal: AbortSignal): Promise<unknown>;
};

/** The containers of one Compose project, to be broken and mended. Errors are EngineErrors with one sentence. */
export class ChaosCluster extends ClusterView {
  readonly #env: NodeJS.ProcessEnv;
  readonly #saved = new Map<string, SavedAliases>();

  /** @param env what Compose gets on top of the environment when the cluster is scaled: the same as for bringing it up */
  constructor(project: string, env: NodeJS.ProcessEnv = {}) {
    super(project);
    this.#env = env;
  }

  /** SIGKILL; resolves when it is dead. It stays so: the restart policy is off until it is started. */
  async kill(replica: Replica): Promise<void> {
    await this.#reach(replica, {
      participle: 'killed',
      refusals: [409],
      isReached: ({ State }) => !State.Running,
      call: (container, abortSignal) => container.kill({ abortSignal }),
    });
  }

  /** SIGTERM, and SIGKILL after `graceS` seconds; resolves when it has ended, and it stays so. */
  async stop(replica: Replica, graceS: number): Promise<void> {
    await this.#reach(replica, {
      participle: 'stopped',
      refusals: [304],
      isReached: ({ State }) => !State.Running,
      timeoutMs: graceS * 1000 + CALL_TIMEOUT_MS,
      call: (container, abortSignal) => container.stop({ t: graceS, abortSignal }),
    });
  }

  /** Resolves when the process has been started, some 30 ms before a server listens. */
  async start(replica: Replica): Promise<void> {
    await this.#reach(replica, {
      participle: 'started',
      refusals: [304],
      isReached: isUp,
      call: (container, abortSignal) => container.start({ abortSignal }),
    });
  }

  /** SIGTERM, SIGKILL after `graceS` seconds, start; with 0 SIGKILL comes at once. */
  async restart(replica: Replica, graceS: number): Promise<void> {
    await this.#reach(replica, {
      participle: 'restarted',
      refusals: [],
      isReached: isUp,
      timeoutMs: graceS * 1000 + CALL_TIMEOUT_MS,
      call: (container, abortSignal) => container.restart({ t: graceS, abortSignal }),
    });
  }

  async pause(replica: Replica): Promise<void> {
    await this.#reach(replica, {
      participle: 'paused',
      refusals: [409],
      isReached: ({ State }) => State.Paused,
      call: (container, abortSignal) => container.pause({ abortSignal }),
    });
  }

  async unpause(replica: Replica): Promise<void> {
    await this.#reach(replica, {
      participle: 'unpaused',
      refusals: [409, 500],
      isReached: ({ State }) => !State.Paused,
      call: (container, abortSignal) => container.unpause({ abortSignal }),
    });
  }

  /**
   * Disconnects it from all its networks, and remembers the aliases.
   * @param networks from `aliasesOf`, so that nothing comes between the caller's clock and the call
   */
  async detach(replica: Replica, networks?: SavedAliases): Promise<void> {
    const from = networks ?? (await this.aliasesOf(replica));
    if (Object.keys(from).length > 0) this.#saved.set(replica.name, from);
    await Promise.all(Object.keys(from).map((network) => this.#disconnect(replica, network)));
  }

  /**
   * Connects it again to its networks under its aliases; where it is connected but nameless, it gets them.
   * @param saved without it, what `detach` has remembered, and otherwise what Compose gives
   */
  async attach(replica: Replica, saved = this.#saved.get(replica.name)): Promise<void> {
    for (const { network, aliases, isConnected } of await this.missing(replica, saved)) {
      // Aliases of a connected container can't be changed.
      if (isConnected) await this.#disconnect(replica, network);
      await this.#connect(replica, network, aliases);
    }
  }

  /** @param percent of one CPU */
  async limitCpu(replica: Replica, percent: number): Promise<void> {
    await this.#setQuota(replica, Math.round((percent / 100) * CPU_PERIOD_US));
  }

  async unlimitCpu(replica: Replica): Promise<void> {
    await this.#setQuota(replica, NO_CPU_QUOTA);
  }

  /**
   * Gives a service `count` replicas; resolves when they have started or ended. Every stopped replica of that service
   * is started by it; other services are left alone, whatever their number and state.
   * @throws Failure with Compose's last lines
   */
  async scale(service: string, count: number): Promise<void> {
    // Naming the service, and no dependencies: what is not named keeps its number and stays dead where it is dead.
    const up = [
      'up',
      '--detach',
      '--no-recreate',
      '--no-build',
      '--no-deps',
      '--scale',
      `${service}=${count}`,
    ];
    await run('docker', ['compose', '--ansi', 'never', '--project-name', this.project, ...up, service], {
      cwd: ROOT,
      env: { ...process.env, ...this.#env },
      timeoutMs: COMPOSE_TIMEOUT_MS,
      failure: { what: `${service} could not be scaled to ${count}`, next: 'Look at "docker compose ps".' },
    });
  }

  async #reach(replica: Replica, { participle, refusals, isReached, timeoutMs, call }: Verb): Promise<void> {
    await callForgivingly(
      `${replica.name} could not be ${participle}`,
      refusals,
      async () => isReached(await this.inspect(replica)),
      (abortSignal) => call(this.container(replica), abortSignal),
      timeoutMs,
    );
  }

  async #disconnect(replica: Replica, network: string): Promise<void> {
    await this.#reach(replica, {
      participle: `cut off from ${network}`,
      refusals: [403, 500],
      isReached: ({ NetworkSettings }) => NetworkSettings.Networks[network] === undefined,
      call: (_, abortSignal) =>
        this.docker.getNetwork(network).disconnect({ Container: replica.containerId, abortSignal }),
    });
  }

  async #connect(replica: Replica, network: string, Aliases: string[]): Promise<void> {
    await this.#reach(replica, {
      participle: `connected to ${network}`,
      refusals: [403, 500],
      isReached: ({ NetworkSettings }) => {
        const found = NetworkSettings.Networks[network]?.Aliases;
        return Aliases.every((alias) => found?.includes(alias));
      },
      call: (_, abortSignal) => {
        const options = { Container: replica.containerId, EndpointConfig: { Aliases }, abortSignal };
        return this.docker.getNetwork(network).connect(options);
      },
    });
  }

  async #setQuota(replica: Replica, CpuQuota: number): Promise<void> {
    await callEngine(`${replica.name}'s CPU quota could not be set`, (abortSignal) =>
      this.container(replica).update({ CpuPeriod: CPU_PERIOD_US, CpuQuota, abortSignal }),
    );
  }
}
