// shell · the replicas of a stack on all nodes of a swarm: look at them, and what a swarm can do to them.
import Docker from 'dockerode';
import { need } from '../../kit/time.ts';
import { ADMIN_PORT, PROXY_PORT, type PublishedProxy } from '../containers.ts';
import { API_VERSION, callEngine, DockerCluster } from '../docker.ts';
import type { FoundReplica } from '../replicas.ts';
import { docker, type SwarmNode, switchNode } from './nodes.ts';
import { type Task, type TaskReplica, toTaskReplicas } from './tasks.ts';

const SETTLED_WITHIN_MS = 60_000;
const UPDATED_WITHIN_MS = 180_000;
const POLL_MS = 100;
const PATIENCE = { withinMs: SETTLED_WITHIN_MS, everyMs: POLL_MS };
const MAX_PROBLEMS = 6;

/** What is used of a service and of a node, as the API lists them. */
type Service = { ID: string; Spec: { Name: string; Mode: { Replicated?: { Replicas: number } } } };
type ListedNode = {
  ID: string;
  Description: { Hostname: string };
  Status: { State: string };
  Spec: { Availability: string };
};

/** The containers of one stack. Its nodes are called `node-1` and so on, the first one is the manager. */
export class SwarmCluster extends DockerCluster {
  override readonly isElsewhere = true;
  readonly nodes: readonly SwarmNode[];
  readonly #engines: ReadonlyMap<string, Docker>;
  readonly #manager: SwarmNode;
  /** Container id → its engine, from the last list. */
  readonly #homes = new Map<string, Docker>();

  /** @param nodes at least one */
  constructor(stack: string, nodes: readonly SwarmNode[]) {
    super(stack);
    this.nodes = nodes;
    this.#manager = nodes[0] as SwarmNode;
    this.#engines = new Map(
      nodes.map(({ name, socket }) => [name, socket === null ? this.engine : engineAt(socket)]),
    );
  }

  /** Those that are meant to run, all or a service's, by name. */
  override async replicas(service?: string): Promise<TaskReplica[]> {
    const [tasks, services, nodes] = await Promise.all([this.#tasks(), this.#services(), this.#listNodes()]);
    const names = new Map(services.map(({ ID, Spec }) => [ID, Spec.Name.slice(this.project.length + 1)]));
    const replicas = toTaskReplicas(tasks, names).map((replica) => {
      const node = this.#nodeNamed(nodes.find(({ ID }) => ID === replica.node));
      this.#homes.set(replica.containerId, this.#engines.get(node.name) ?? this.engine);
      return { ...replica, node: node.name };
    });
    return replicas.filter((replica) => service === undefined || replica.service === service);
  }

  /** The proxies that are meant to run. */
  async proxies(): Promise<PublishedProxy[]> {
    return (await this.replicas('proxy')).map(({ name, node, ports }) => {
      const address = this.nodes.find((each) => each.name === node)?.address;
      const adminUrl = `http://${address}:${ports[ADMIN_PORT]}`;
      return { name, address: `${address}:${ports[PROXY_PORT]}`, adminUrl };
    });
  }

  /** Resolves when every service runs as many tasks as it is meant to. @throws Error when one does not in time */
  async settled(signal?: AbortSignal, withinMs = SETTLED_WITHIN_MS): Promise<void> {
    const isWhole = async (): Promise<boolean> => {
      const [replicas, services] = await Promise.all([this.replicas(), this.#services()]);
      return services.every(({ Spec: { Name, Mode } }) => {
        const own = replicas.filter(({ service }) => `${this.project}_${service}` === Name);
        const running = own.filter(({ state }) => state === 'running').length;
        return running === own.length && running === Mode.Replicated?.Replicas;
      });
    };
    await need('The stack is not whole', isWhole, { withinMs, everyMs: POLL_MS, signal });
  }

  /** What Docker says of tasks that did not start. */
  async problems(): Promise<string> {
    const format = '{{if .Error}}{{.Name}} {{.CurrentState}}: {{.Error}}{{end}}';
    const text = await this.#docker('stack', 'ps', '--no-trunc', '--format', format, this.project);
    return [...new Set(text.split('\n').filter(Boolean))].slice(0, MAX_PROBLEMS).join('\n');
  }

  /** A container that has ended stays so: resolves when Swarm has another one in its place. */
  override readonly start = async (replica: FoundReplica): Promise<void> => {
    const isReplaced = async (): Promise<boolean> =>
      (await this.replicas(replica.service)).some(
        ({ name, containerId, state }) =>
          name === replica.name && containerId !== replica.containerId && state === 'running',
      );
    await need(`${replica.name} was not replaced`, isReplaced, PATIENCE);
  };

  /** Starts nodes that are down, lets drained ones have tasks again; @returns what is still wrong, a sentence each */
  async heal(): Promise<string[]> {
    try {
      for (const { Description, Status, Spec } of await this.#listNodes()) {
        if (Status.State !== 'ready') await this.startNode(Description.Hostname);
        if (Spec.Availability !== 'active') await this.setAvailability(Description.Hostname, 'active');
      }
      await this.settled();
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  }

  /** Gives a service `count` replicas; resolves when they run. */
  override async scale(service: string, count: number): Promise<void> {
    await this.#docker('service', 'scale', '--detach', `${this.project}_${service}=${count}`);
    await this.settled();
  }

  /** Gives no node two tasks of a service: Swarm leaves them where they are when a node has come back. */
  async spread(service: string): Promise<void> {
    const nodes = (await this.replicas(service)).map(({ node }) => node);
    if (new Set(nodes).size === Math.min(nodes.length, this.nodes.length)) return;
    await this.scale(service, 1);
    await this.scale(service, nodes.length);
  }

  /**
   * Replaces all tasks of a service by new ones, in the way that its `update_config` says; resolves when that is over.
   * @returns Docker's word for how it ended: `completed`, `paused`, `rollback_completed`
   */
  async update(service: string): Promise<string> {
    const name = `${this.project}_${service}`;
    await this.#docker('service', 'update', '--force', '--detach', '--quiet', name);
    let state = '';
    const isOver = async (): Promise<boolean> => {
      const format = '{{.UpdateStatus.State}}';
      state = (await this.#docker('service', 'inspect', '--format', format, name)).trim();
      return !['updating', 'rollback_started'].includes(state);
    };
    await need(`${service} was not updated`, isOver, { withinMs: UPDATED_WITHIN_MS, everyMs: POLL_MS });
    return state;
  }

  /** Drained, a node gets no tasks, and those that it has end. */
  async setAvailability(node: string, availability: 'drain' | 'active'): Promise<void> {
    await this.#docker('node', 'update', '--availability', availability, node);
  }

  /** SIGKILL of a node with all that runs on it; resolves when the manager knows. */
  async killNode(node: string): Promise<void> {
    await switchNode(this.project, node, 'kill');
    await this.#waitForNode(node, 'down');
  }

  async startNode(node: string): Promise<void> {
    await switchNode(this.project, node, 'start');
    await this.#waitForNode(node, 'ready');
  }

  protected override engineOf({ containerId }: FoundReplica): Docker {
    return this.#homes.get(containerId) ?? this.engine;
  }

  async #waitForNode(node: string, state: 'down' | 'ready'): Promise<void> {
    const isSo = async (): Promise<boolean> => {
      const found = (await this.#listNodes()).find(({ Description }) => Description.Hostname === node);
      return found?.Status.State === state;
    };
    await need(`${node} is not ${state}`, isSo, PATIENCE);
  }

  // This machine's engine is called otherwise.
  #nodeNamed(listed: ListedNode | undefined): SwarmNode {
    return this.nodes.find(({ name }) => name === listed?.Description.Hostname) ?? this.#manager;
  }

  async #docker(...args: string[]): Promise<string> {
    return await docker(this.#manager, args);
  }

  get #api(): Docker {
    return this.#engines.get(this.#manager.name) as Docker;
  }

  async #tasks(): Promise<Task[]> {
    const filters = JSON.stringify({ 'desired-state': ['running'], label: this.#labels });
    return await callEngine('The tasks could not be listed', (abortSignal) =>
      this.#api.listTasks({ filters, abortSignal }),
    );
  }

  async #services(): Promise<Service[]> {
    const filters = JSON.stringify({ label: this.#labels });
    const found = await callEngine('The services could not be listed', (abortSignal) =>
      this.#api.listServices({ filters, abortSignal } as Docker.ServiceListOptions),
    );
    return found as unknown as Service[];
  }

  async #listNodes(): Promise<ListedNode[]> {
    return await callEngine('The nodes could not be listed', () => this.#api.listNodes());
  }

  get #labels(): string[] {
    return [`com.docker.stack.namespace=${this.project}`];
  }
}

function engineAt(socketPath: string): Docker {
  return new Docker({ version: API_VERSION, socketPath });
}
