// shell · the containers of one Compose project, through the Docker Engine: look at them, break them, mend them.
import Docker, { type Container, type ContainerInspectInfo } from 'dockerode';
import { need, type Patience } from '../kit/time.ts';
import { compose } from './cluster.ts';
import {
  type FoundReplica,
  type MissingEndpoint,
  missingEndpoints,
  policyIn,
  projectFilter,
  type Replica,
  type SavedAliases,
  savedAliases,
  toReplicas,
} from './replicas.ts';

export type { Replica, SavedAliases } from './replicas.ts';

// dockerode does not negotiate; every engine since 20.10 speaks this one.
export const API_VERSION = 'v1.41';
// Long enough for a slow engine, short enough for a run that has to heal.
const CALL_TIMEOUT_MS = 10_000;
const POLL_MS = 20;
const CHECKED_WITHIN_MS = 5_000;
const CPU_PERIOD_US = 100_000;
// 0 is accepted and does nothing.
const NO_CPU_QUOTA = -1;

/** How long to wait for a state of a container, and what ends the wait early. */
export type Wait = Omit<Patience, 'everyMs'>;

/** A call that the engine refused or did not answer. */
export class EngineError extends Error {
  override name = 'EngineError';
  /** The HTTP status; null when there was no answer. */
  readonly status: number | null;

  constructor(message: string, status: number | null, cause: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/**
 * Runs a call to the engine to its end.
 * @param what for the error: `server-p1-1 could not be paused`
 * @throws EngineError with one sentence
 */
export async function callEngine<Answer>(
  what: string,
  call: (abortSignal: AbortSignal) => Promise<Answer>,
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<Answer> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    return await call(deadline);
  } catch (error) {
    const { statusCode, json, message } = error as Error & { statusCode?: number; json?: unknown };
    if (deadline.aborted) throw new EngineError(`${what}: no answer in ${timeoutMs / 1000} s.`, null, error);
    const reason = (json as { message?: string } | null | undefined)?.message ?? message;
    throw new EngineError(`${what}: ${reason.trim().replace(/\.$/, '')}.`, statusCode ?? null, error);
  }
}

/** What a container is like when it has got where a call was to bring it. */
type IsDone = (info: ContainerInspectInfo) => boolean;
/** A call; `graceS` is how long SIGTERM has before SIGKILL. */
type Call = (container: Container, options: { abortSignal: AbortSignal; t: number }) => Promise<unknown>;
type Verb = (replica: Replica, graceS?: number) => Promise<void>;

/** The containers of one Compose project; acts on no other. Every method throws an EngineError with one sentence. */
export class DockerCluster {
  /** The Compose project's name. */
  readonly project: string;
  /** The numbers of its processes are those of other machines. */
  readonly isElsewhere: boolean = false;
  /** The engine that every command talks to. */
  protected readonly engine = new Docker({ version: API_VERSION });
  readonly #env: NodeJS.ProcessEnv;
  readonly #policies = new Map<string, string | null>();

  /** @param env what Compose gets on top of the environment when the cluster is scaled: the same as for bringing it up */
  constructor(project: string, env: NodeJS.ProcessEnv = {}) {
    this.project = project;
    this.#env = env;
  }

  /** All replicas, or a service's, by name; stopped ones too. */
  async replicas(service?: string): Promise<Replica[]> {
    const filters = projectFilter(this.project);
    const found = await callEngine('The containers could not be listed', (abortSignal) =>
      this.engine.listContainers({ all: true, filters, abortSignal }),
    );
    const wanted = toReplicas(this.project, found).filter(
      (replica) => service === undefined || replica.service === service,
    );
    return await Promise.all(
      wanted.map(async (replica) => ({ ...replica, policy: await this.#policyOf(replica) })),
    );
  }

  /** @throws Error when there is no such replica */
  async find(name: string): Promise<Replica> {
    const all = await this.replicas();
    const found = all.find((replica) => replica.name === name);
    if (found !== undefined) return found;
    const names = all.map((replica) => replica.name).join(', ') || 'nothing';
    throw new Error(`There is no ${name} in ${this.project}, only: ${names}.`);
  }

  /**
   * The replica that a plan calls `server-p1-2`: the second of its service. After an upgrade Compose numbers them otherwise.
   * @throws Error when there is no such replica
   */
  async findByPlace(name: string): Promise<Replica> {
    const [, service, place] = /^(.*)-(\d+)$/.exec(name) ?? [];
    return (await this.replicas(service))[Number(place) - 1] ?? (await this.find(name));
  }

  async inspect(replica: FoundReplica): Promise<ContainerInspectInfo> {
    return await callEngine(`${replica.name} could not be inspected`, (abortSignal) =>
      this.#container(replica).inspect({ abortSignal }),
    );
  }

  /** Its networks with their aliases, as `attach` wants them; empty when it is cut off. */
  async aliasesOf(replica: Replica): Promise<SavedAliases> {
    return savedAliases(await this.inspect(replica), replica);
  }

  /**
   * Whether it is on its networks under its aliases.
   * @param saved from `aliasesOf`; without it, those that Compose gives
   */
  async isAttached(replica: Replica, saved?: SavedAliases): Promise<boolean> {
    return (await this.#missing(replica, saved)).length === 0;
  }

  /** In how many periods of 100 ms the quota has held it back so far. */
  async throttledPeriods(replica: Replica): Promise<number> {
    const stats = await callEngine(`${replica.name}'s CPU could not be looked at`, (abortSignal) => {
      const options = { stream: false as const, 'one-shot': true, abortSignal };
      return this.#container(replica).stats(options);
    });
    return stats.cpu_stats.throttling_data.throttled_periods;
  }

  /** RFC 3339 with nanoseconds: another one after each start. */
  async startedAt(replica: Replica): Promise<string> {
    return (await this.inspect(replica)).State.StartedAt;
  }

  /**
   * Inspects it every 20 ms until it is in a state.
   * @param what for the error: `is still paused`
   * @throws Error when it is not so in time, and the signal's reason
   */
  async waitUntil(
    replica: Replica,
    what: string,
    isSo: (info: ContainerInspectInfo) => boolean,
    wait: Wait,
  ): Promise<void> {
    const look = async (): Promise<boolean> => isSo(await this.inspect(replica));
    await need(`${replica.name} ${what}`, look, { ...wait, everyMs: POLL_MS });
  }

  /** @param wait.since `startedAt` of an earlier start: waits for a later one */
  async waitUntilRunning(replica: Replica, wait: Wait & { since?: string }): Promise<void> {
    const isSo = (info: ContainerInspectInfo): boolean => isUp(info) && info.State.StartedAt !== wait.since;
    await this.waitUntil(replica, 'is not running', isSo, wait);
  }

  /**
   * Waits until Docker's first health checks of a container are over; call it before `pause`. A check that begins while its
   * container is being frozen stays frozen with the engine's lock on it, and nothing can thaw the container any more.
   */
  async waitUntilChecked(replica: Replica): Promise<void> {
    const isSo = ({ State }: ContainerInspectInfo): boolean => State.Health?.Status !== 'starting';
    await this.waitUntil(replica, 'has not been checked by Docker', isSo, { withinMs: CHECKED_WITHIN_MS });
  }

  /** SIGKILL; resolves when it is dead. It stays so: the restart policy is off until it is started. */
  readonly kill = this.#verb('killed', [409], hasEnded, (it, { abortSignal }) => it.kill({ abortSignal }));

  /** SIGTERM, and SIGKILL after the grace; resolves when it has ended, and it stays so. */
  readonly stop = this.#verb('stopped', [304], hasEnded, (it, options) => it.stop(options));

  /** Resolves when the process has been started, some 30 ms before a server listens. */
  readonly start = this.#verb('started', [304], isUp, (it, { abortSignal }) => it.start({ abortSignal }));

  /** SIGTERM, SIGKILL after the grace, start. */
  readonly restart = this.#verb('restarted', [], isUp, (it, options) => it.restart(options));

  readonly pause = this.#verb('paused', [409], isPaused, (it, { abortSignal }) => it.pause({ abortSignal }));

  readonly unpause = this.#verb(
    'unpaused',
    [409, 500],
    (info) => !isPaused(info),
    (it, { abortSignal }) => it.unpause({ abortSignal }),
  );

  /** Starts it if it is not up. One that waits for its restart, for up to a minute, is up for `start`, so it is stopped first. */
  async bringUp(replica: Replica): Promise<void> {
    const info = await this.inspect(replica);
    if (isUp(info)) return;
    if (info.State.Restarting) await this.stop(replica);
    await this.start(replica);
  }

  /** Disconnects it from networks. @param networks from `aliasesOf`, which can't be asked any more afterwards */
  async detach(replica: Replica, networks: SavedAliases): Promise<void> {
    await Promise.all(Object.keys(networks).map((network) => this.#disconnect(replica, network)));
  }

  /**
   * Connects it again to its networks under its aliases; where it is connected but nameless, it gets them.
   * @param saved from `aliasesOf`; without it, those that Compose gives
   */
  async attach(replica: Replica, saved?: SavedAliases): Promise<void> {
    for (const { network, aliases, isConnected } of await this.#missing(replica, saved)) {
      // Aliases of a connected container can't be changed.
      if (isConnected) await this.#disconnect(replica, network);
      await this.#connect(replica, network, aliases);
    }
  }

  /** @param percent of one CPU; null: as much as there is */
  async limitCpu(replica: Replica, percent: number | null): Promise<void> {
    const CpuQuota = percent === null ? NO_CPU_QUOTA : Math.round((percent / 100) * CPU_PERIOD_US);
    await callEngine(`${replica.name}'s CPU quota could not be set`, (abortSignal) =>
      this.#container(replica).update({ CpuPeriod: CPU_PERIOD_US, CpuQuota, abortSignal }),
    );
  }

  /**
   * Gives a service `count` replicas; resolves when they have started or ended. Every stopped replica of that service
   * is started by it; other services are left alone, whatever their number and state.
   * @throws Failure with Compose's last lines
   */
  async scale(service: string, count: number): Promise<void> {
    const up = ['up', '--detach', '--no-recreate', '--no-build', '--no-deps'];
    const args = [...up, '--scale', `${service}=${count}`, service];
    const what = `${service} could not be scaled to ${count}`;
    await compose({ project: this.project, env: this.#env }, args, what);
  }

  #verb(participle: string, refusals: readonly number[], isDone: IsDone, call: Call): Verb {
    return (replica, graceS = 0) => this.#reach(replica, participle, refusals, isDone, call, graceS);
  }

  // A refusal is no failure when the container is where it was to be brought. The status alone does not say so: 409 is both
  // "already paused" and "not running".
  async #reach(
    replica: Replica,
    participle: string,
    refusals: readonly number[],
    isDone: IsDone,
    call: Call,
    graceS = 0,
  ): Promise<void> {
    const what = `${replica.name} could not be ${participle}`;
    const make = (abortSignal: AbortSignal): Promise<unknown> =>
      call(this.#container(replica), { abortSignal, t: graceS });
    try {
      await callEngine(what, make, graceS * 1000 + CALL_TIMEOUT_MS);
    } catch (error) {
      const { status } = error as EngineError;
      if (status === null || !refusals.includes(status) || !isDone(await this.inspect(replica))) throw error;
    }
  }

  async #disconnect(replica: Replica, network: string): Promise<void> {
    const isCutOff: IsDone = ({ NetworkSettings }) => NetworkSettings.Networks[network] === undefined;
    const Container = replica.containerId;
    await this.#reach(replica, `cut off from ${network}`, [403, 500], isCutOff, (_, { abortSignal }) =>
      this.engine.getNetwork(network).disconnect({ Container, abortSignal }),
    );
  }

  async #connect(replica: Replica, network: string, Aliases: string[]): Promise<void> {
    const isConnected: IsDone = ({ NetworkSettings }) =>
      Aliases.every((alias) => NetworkSettings.Networks[network]?.Aliases?.includes(alias));
    const Container = replica.containerId;
    await this.#reach(replica, `connected to ${network}`, [403, 500], isConnected, (_, { abortSignal }) => {
      const options = { Container, EndpointConfig: { Aliases }, abortSignal };
      return this.engine.getNetwork(network).connect(options);
    });
  }

  async #missing(replica: Replica, saved: SavedAliases | undefined): Promise<MissingEndpoint[]> {
    return missingEndpoints(await this.inspect(replica), replica, saved);
  }

  // A container keeps its environment, so one look is enough. One that has gone since it was listed has none.
  async #policyOf(replica: FoundReplica): Promise<string | null> {
    const { containerId } = replica;
    if (!this.#policies.has(containerId)) {
      const info = await this.inspect(replica).catch((error: EngineError) => {
        if (error.status === 404) return null;
        throw error;
      });
      this.#policies.set(containerId, info && policyIn(info.Config.Env));
    }
    return this.#policies.get(containerId) ?? null;
  }

  /** The engine that a replica runs on. */
  protected engineOf(_replica: FoundReplica): Docker {
    return this.engine;
  }

  #container(replica: FoundReplica): Container {
    return this.engineOf(replica).getContainer(replica.containerId);
  }
}

/** Running and not about to be restarted; a paused one is up too. */
export function isUp({ State }: Pick<ContainerInspectInfo, 'State'>): boolean {
  return State.Running && !State.Restarting;
}

function hasEnded({ State }: ContainerInspectInfo): boolean {
  return !State.Running;
}

function isPaused({ State }: ContainerInspectInfo): boolean {
  return State.Paused;
}
