// Which servers of a policy are silent, as one sweep sees them: looked at once for all requests that are to go elsewhere.
import type { Upstream } from '../servers/upstream.ts';
import type { Route } from './policy-table.ts';
import type { Request } from './request.ts';

export class SilentServers {
  /** Its policy's answers take that long by their nature. */
  readonly isSlow: boolean;
  readonly #route: Route;
  readonly #silent = new Set<Upstream>();
  /** Of those, the ones that hold up all of their requests, and not only those behind the silent one. */
  readonly #stuck = new Set<Upstream>();
  /** Those of these sets beside whose members no server has room any more. */
  readonly #spent = new Set<ReadonlySet<Upstream>>();

  constructor(route: Route, nowMs: number) {
    this.#route = route;
    this.isSlow = route.isSlow(nowMs);
    if (this.isSlow) return;
    for (const upstream of route.upstreams) {
      if (upstream.pool?.isSilent(nowMs) !== true) continue;
      this.#silent.add(upstream);
      if (upstream.pool.isStuck(nowMs)) this.#stuck.add(upstream);
    }
  }

  /** The next server in turn for a request that is not silent; null where there is none. */
  pickQuiet(request: Request): Upstream | null {
    return this.#pickBeside(this.#silent, request, null);
  }

  /**
   * As `pickQuiet`, or one that is silent on some connections and serves others meanwhile.
   * @param not a server that is not wanted
   */
  pickServing(request: Request, not: Upstream | null = null): Upstream | null {
    return this.#pickBeside(this.#stuck, request, not);
  }

  #pickBeside(servers: ReadonlySet<Upstream>, { trouble }: Request, not: Upstream | null): Upstream | null {
    if (this.#spent.has(servers)) return null;
    const { rotation } = this.#route;
    const excluded = [...(trouble?.tried ?? []), ...(not === null ? [] : [not])];
    const leftBehind = trouble?.leftBehind ?? [];
    const fresh = leftBehind.length === 0 ? null : rotation.pick([...excluded, ...leftBehind], servers);
    const other = fresh ?? rotation.pick(excluded, servers);
    // Thousands may ask, at each sweep, where there is nobody to be had.
    if (other === null && !rotation.hasRoom(null, servers)) this.#spent.add(servers);
    return other;
  }
}
