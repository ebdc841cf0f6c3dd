// pure · what is promised to requests that wait: the places of a queue, and the turns, are shared evenly among connections.
import type { Route } from '../../services/proxy/routing/policy-table.ts';
import type { ReplySink, Request } from '../../services/proxy/routing/request.ts';
import type { Expected } from './client.ts';
import type { Host } from './host.ts';
import type { SimulatedProxy } from './proxy.ts';
import type { World } from './world.ts';

/** A request that no server has had yet. */
type Waiting = {
  /** How many of the same connection waited before it. */
  ahead: number;
  /** How many of each other connection were handed over since. */
  passedBy: Map<ReplySink, number>;
};

export class SharePromises {
  readonly #world: World;
  readonly #proxy: SimulatedProxy;
  /** Of each thread's route. */
  readonly #waiting = new WeakMap<Route, Map<Request, Waiting>>();
  /** Those of each route that have come back from a server. */
  readonly #comeBack = new WeakMap<Route, Set<Request>>();

  constructor(world: World, proxy: SimulatedProxy) {
    this.#world = world;
    this.#proxy = proxy;
  }

  /**
   * For want of room the proxy refuses a request that no server has had, and that is the only one of its connection.
   * @param host of the thread that does so
   */
  onNoPlace({ policy, payload }: Expected, host: Host): void {
    const counts = new Map<ReplySink, number>();
    const thread = this.#proxy.threads.find((one) => one.host === host);
    for (const { client } of thread?.table.route(policy)?.waiting.toArray() ?? [])
      counts.set(client, (counts.get(client) ?? 0) + 1);
    const most = Math.max(...counts.values());
    if (most > 1)
      this.#proxy.violate('places are shared evenly', `none for "${payload}", ${most} for another client`);
    this.#world.reached('traits', 'a request was refused since all places were taken evenly');
  }

  /** Called for the route of each thread after each step in which the proxy did something. */
  check(route: Route): void {
    const { waiting } = route;
    const before = this.#waiting.get(route);
    if (waiting.length === 0) {
      if (before !== undefined) this.#waiting.delete(route);
      this.#comeBack.delete(route);
      return;
    }
    const now = new Map<Request, Waiting>();
    const comeBack = new Set<Request>();
    const counts = new Map<ReplySink, number>();
    for (const request of waiting.toArray()) {
      const { client, upstream } = request;
      const ahead = counts.get(client) ?? 0;
      counts.set(client, ahead + 1);
      // What comes back may go before all others.
      if (upstream !== null) comeBack.add(request);
      else now.set(request, before?.get(request) ?? { ahead, passedBy: new Map() });
    }
    this.#allowTurns(route, comeBack, before ?? new Map());
    this.#waiting.set(route, now);
    if (before === undefined) return;
    for (const served of before.keys()) {
      if (served.upstream === null) continue;
      for (const [request, state] of now)
        if (before.has(request) && request.client !== served.client) this.#pass(state, served);
    }
  }

  // What comes back is before the others of its connection, which comes first with it: where it can't be served, another
  // request of the connection has the turn.
  #allowTurns(route: Route, comeBack: Set<Request>, waiting: ReadonlyMap<Request, Waiting>): void {
    const before = this.#comeBack.get(route);
    if (comeBack.size > 0 || before !== undefined) this.#comeBack.set(route, comeBack);
    for (const request of comeBack) {
      if (before?.has(request)) continue;
      const { client } = request;
      for (const [{ client: other }, state] of waiting) {
        if (other === client) state.ahead += 1;
        else state.passedBy.set(client, (state.passedBy.get(client) ?? 0) - 1);
      }
    }
  }

  #pass({ ahead, passedBy }: Waiting, { client }: Request): void {
    const times = (passedBy.get(client) ?? 0) + 1;
    passedBy.set(client, times);
    // What a full accept queue has sent back may have come and gone again between two looks.
    const mayComeBack = this.#world.servers.some(({ spec }) => spec.backlog !== null);
    if (times > ahead + 1 && !mayComeBack)
      this.#proxy.violate(
        'turns are shared evenly',
        `with ${ahead} before it on its connection, a request waits for ${times} of another client`,
      );
  }
}
