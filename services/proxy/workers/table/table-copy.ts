// A worker's copy of the keeper's table: it does what the keeper says, in the same order.
import { newcomer } from '../../health/health.ts';
import type { ProxyOptions } from '../../options.ts';
import { capacityOf } from '../../registration/registry.ts';
import type { Forwarder } from '../../routing/forwarder.ts';
import type { PolicyTable } from '../../routing/policy-table.ts';
import { type DrainOrder, Upstream, type UpstreamPool } from '../../servers/upstream.ts';
import type { Ref, Standing, TableChange } from '../messages.ts';
import { WorkerTally } from '../shared/tally.ts';
import { SharedTurn } from '../shared/turn.ts';

/** Who has ordered it is the keeper's business. */
const DRAINED: DrainOrder = { by: '', reason: '', sinceWallMs: 0 };

export class TableCopy {
  readonly #worker: number;
  readonly #table: PolicyTable;
  readonly #options: ProxyOptions;
  readonly #forwarder: Pick<Forwarder, 'routeChanged' | 'onLeaving'>;
  readonly #makePool: (upstream: Upstream) => UpstreamPool;
  readonly #servers = new Map<Ref, Upstream>();
  readonly #refs = new WeakMap<Upstream, Ref>();

  /** @param worker its number, from 0 */
  constructor(
    worker: number,
    table: PolicyTable,
    options: ProxyOptions,
    forwarder: Pick<Forwarder, 'routeChanged' | 'onLeaving'>,
    makePool: (upstream: Upstream) => UpstreamPool,
  ) {
    this.#worker = worker;
    this.#table = table;
    this.#options = options;
    this.#forwarder = forwarder;
    this.#makePool = makePool;
  }

  /** Those of the table, and those that are no longer in it and have requests. */
  get servers(): Iterable<[Ref, Upstream]> {
    return this.#servers;
  }

  refOf(upstream: Upstream): Ref {
    return this.#refs.get(upstream) as Ref;
  }

  apply(change: TableChange): void {
    const table = this.#table;
    switch (change.kind) {
      case 'add':
        this.#add(change);
        return;
      case 'follow':
        table.route(change.policy)?.rotation.follow(new SharedTurn(change.turn), change.epoch);
        return;
      case 'place': {
        const upstream = this.#server(change.ref);
        stand(upstream, change.standing);
        table.place(upstream, change.nowMs, change.standing.order);
        return;
      }
      case 'stand':
        stand(this.#server(change.ref), change.standing);
        return;
      case 'remove':
        table.remove(this.#server(change.ref), change.nowMs);
        return;
      case 'leaving':
        this.#forwarder.onLeaving(this.#server(change.ref));
        return;
      case 'retire':
        this.#servers.get(change.ref)?.pool?.retire();
        this.#forgetFinished();
        return;
      case 'destroy': {
        // One that had no requests when it was retired is not known any more; nor is one that a replaced worker knew.
        const upstream = this.#servers.get(change.ref);
        upstream?.pool?.destroy();
        if (upstream !== undefined && !table.has(upstream)) this.#servers.delete(change.ref);
        return;
      }
      case 'changed': {
        const route = table.route(change.policy);
        if (route !== undefined) this.#forwarder.routeChanged(route);
        return;
      }
      default:
        change satisfies never;
    }
  }

  #add({ ref, registration, standing, tally }: TableChange & { kind: 'add' }): void {
    const capacity = capacityOf(registration, this.#options);
    const own = new WorkerTally(tally, this.#worker);
    const upstream = new Upstream(registration, capacity, standing.order, newcomer(0, ''), 0, own);
    stand(upstream, standing);
    upstream.pool = this.#makePool(upstream);
    this.#servers.set(ref, upstream);
    this.#refs.set(upstream, ref);
    this.#table.add(upstream);
  }

  #server(ref: Ref): Upstream {
    return this.#servers.get(ref) as Upstream;
  }

  #forgetFinished(): void {
    for (const [ref, upstream] of this.#servers)
      if (upstream.isRetired && upstream.tally.inFlight === 0) this.#servers.delete(ref);
  }
}

function stand(upstream: Upstream, { state, sinceMs, isDrained }: Standing): void {
  upstream.health = { ...upstream.health, state, sinceMs };
  upstream.drainOrder = isDrained ? DRAINED : null;
}
