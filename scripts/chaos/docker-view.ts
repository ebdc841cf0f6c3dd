// shell · the looking half of the Docker adapter: what the containers of one Compose project are like.
// Must never change anything, or wait without a deadline.
import { setTimeout as sleep } from 'node:timers/promises';
import Docker, { type ContainerInspectInfo } from 'dockerode';
import { callEngine } from './docker-call.ts';
import {
  type MissingEndpoint,
  missingEndpoints,
  projectFilter,
  type Replica,
  type SavedAliases,
  savedAliases,
  toReplicas,
} from './replicas.ts';

// dockerode does not negotiate; every engine since 20.10 speaks this one.
const API_VERSION = 'v1.41';
const POLL_MS = 20;
const CHECK_WITHIN_MS = 5_000;

export type Wait = { withinMs: number; signal?: AbortSignal | undefined };

/** Every method throws an EngineError with one sentence when the engine refuses or doesn't answer. */
export class ClusterView {
  /** The Compose project's name. */
  readonly project: string;
  protected readonly docker = new Docker({ version: API_VERSION });

  constructor(project: string) {
    this.project = project;
  }

  /** All replicas, or a service's, by name; stopped ones too. */
  async replicas(service?: string): Promise<Replica[]> {
    const filters = projectFilter(this.project);
    const found = await callEngine('The containers could not be listed', (abortSignal) =>
      this.docker.listContainers({ all: true, filters, abortSignal }),
    );
    const all = toReplicas(this.project, found);
    return service === undefined ? all : all.filter((replica) => replica.service === service);
  }

  /** @throws Error when there is no such replica */
  async find(name: string): Promise<Replica> {
    const all = await this.replicas();
    const found = all.find((replica) => replica.name === name);
    if (found !== undefined) return found;
    const names = all.map((replica) => replica.name).join(', ') || 'nothing';
    throw new Error(`There is no ${name} in ${this.project}, only: ${names}.`);
  }

  async inspect(replica: Replica): Promise<ContainerInspectInfo> {
    return await callEngine(`${replica.name} could not be inspected`, (abortSignal) =>
      this.container(replica).inspect({ abortSignal }),
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
    return (await this.missing(replica, saved)).length === 0;
  }

  /** In how many periods of 100 ms the quota has held it back so far. */
  async throttledPeriods(replica: Replica): Promise<number> {
    const stats = await callEngine(`${replica.name}'s CPU could not be looked at`, (abortSignal) => {
      const options = { stream: false as const, 'one-shot': true, abortSignal };
      return this.container(replica).stats(options);
    });
    return stats.cpu_stats.throttling_data.throttled_periods;
  }

  /** That of its last end; while it runs Docker says 0. */
  async exitCode(replica: Replica): Promise<number> {
    return (await this.inspect(replica)).State.ExitCode;
  }

  /** Its first process, as this machine numbers it; 0 while it does not run. */
  async processOf(replica: Replica): Promise<number> {
    return (await this.inspect(replica)).State.Pid;
  }

  /** RFC 3339 with nanoseconds: another one after each start. */
  async startedAt(replica: Replica): Promise<string> {
    return (await this.inspect(replica)).State.StartedAt;
  }

  /**
   * Looks every 20 ms.
   * @param what for the error: `is still paused`
   * @throws Error when it is not so in time, and the signal's reason
   */
  async waitUntil(
    replica: Replica,
    what: string,
    isSo: (info: ContainerInspectInfo) => boolean,
    { withinMs, signal }: Wait,
  ): Promise<void> {
    const deadlineMs = performance.now() + withinMs;
    while (!isSo(await this.inspect(replica))) {
      if (performance.now() > deadlineMs)
        throw new Error(`${replica.name} ${what} after ${withinMs / 1000} s.`);
      await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
    }
  }

  /** @param wait.since `startedAt` of an earlier start: waits for a later one */
  async waitUntilRunning(replica: Replica, wait: Wait & { since?: string }): Promise<void> {
    const isSo = (info: ContainerInspectInfo): boolean => isUp(info) && info.State.StartedAt !== wait.since;
    await this.waitUntil(replica, 'is not running', isSo, wait);
  }

  /**
   * Waits until Docker's health checks of a container that has just started are over, which begin each second. One that
   * begins in a container that is being frozen stays frozen with the engine's lock on it, and nothing can thaw it any more.
   */
  async waitUntilChecked(replica: Replica): Promise<void> {
    const isSo = ({ State }: ContainerInspectInfo): boolean => State.Health?.Status !== 'starting';
    await this.waitUntil(replica, 'has not been checked by Docker', isSo, { withinMs: CHECK_WITHIN_MS });
  }

  /** The project's networks, by name. */
  async networks(): Promise<string[]> {
    const filters = projectFilter(this.project);
    const found = await callEngine('The networks could not be listed', (abortSignal) =>
      this.docker.listNetworks({ filters, abortSignal }),
    );
    return found.map(({ Name }) => Name);
  }

  protected container(replica: Replica): Docker.Container {
    return this.docker.getContainer(replica.containerId);
  }

  protected async missing(replica: Replica, saved: SavedAliases | undefined): Promise<MissingEndpoint[]> {
    return missingEndpoints(await this.inspect(replica), replica, saved);
  }
}

/** Running and not about to be restarted; a paused one is up too. */
export function isUp({ State }: Pick<ContainerInspectInfo, 'State'>): boolean {
  return State.Running && !State.Restarting;
}
