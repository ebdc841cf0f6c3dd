// The keeper's table: whatever changes in it is said to the workers, whose copies change in the same way.
import { isInRotation } from '../../health/health.ts';
import { PolicyTable, Route } from '../../routing/policy-table.ts';
import type { DrainOrder, Upstream, UpstreamPool } from '../../servers/upstream.ts';
import type { Ref, Standing, TableChange } from '../messages.ts';
import type { Totals } from '../report.ts';
import type { Hands } from '../shared/hands.ts';
import type { KeeperTally } from '../shared/tally.ts';
import { SharedTurn } from '../shared/turn.ts';

/** One policy, whose requests are with the workers. */
class KeeperRoute extends Route {
  readonly turn: SharedTurn;
  readonly #totals: Pick<Totals, 'waitingOf' | 'budgetLeftOf'>;

  constructor(policy: string, totals: Pick<Totals, 'waitingOf' | 'budgetLeftOf'>) {
    const turn = new SharedTurn();
    super(policy, turn);
    this.turn = turn;
    this.#totals = totals;
  }

  override get waitingCount(): number {
    return this.#totals.waitingOf(this.policy);
  }

  override budgetLeft(): number {
    return this.#totals.budgetLeftOf(this.policy);
  }
}

export class KeeperTable extends PolicyTable {
  readonly #say: (change: TableChange) => void;
  readonly #refs = new WeakMap<Upstream, Ref>();
  /** Those of the table, and those that are no longer in it and have requests. */
  readonly #servers = new Map<Ref, Upstream>();
  readonly #hands: Pick<Hands, 'settle'>;
  #lastRef = 0;

  constructor(
    say: (change: TableChange) => void,
    totals: () => Pick<Totals, 'waitingOf' | 'budgetLeftOf'>,
    hands: Pick<Hands, 'settle'>,
  ) {
    super((policy) => new KeeperRoute(policy, totals()));
    this.#say = say;
    this.#hands = hands;
  }

  /** The server that a worker speaks of; undefined when it is gone. */
  server(ref: Ref): Upstream | undefined {
    return this.#servers.get(ref);
  }

  override add(upstream: Upstream): Route {
    this.#lastRef += 1;
    this.#refs.set(upstream, this.#lastRef);
    this.#servers.set(this.#lastRef, upstream);
    const isFirst = (this.route(upstream.policy)?.upstreams.length ?? 0) === 0;
    this.#say(this.#added(upstream));
    const route = super.add(upstream);
    // A worker may have dropped a route without servers, or made one for requests that came before them.
    if (isFirst) this.#say(followed(route));
    return route;
  }

  override place(upstream: Upstream, nowMs: number): void {
    const { health, order } = upstream;
    const placed = health.state === 'evicted' ? this.takeOrder() : order;
    // Said before it is done: a worker that meets the new turn finds the message.
    this.#say({ kind: 'place', ref: this.#refOf(upstream), standing: standingOf(upstream, placed), nowMs });
    this.#tallyOf(upstream).isOut = !isInRotation(health.state) || upstream.drainOrder !== null;
    super.place(upstream, nowMs, placed);
    // What was handed to it before is counted now, and nothing is handed to one that is out any more.
    this.#hands.settle();
  }

  override setDrain(upstream: Upstream, order: DrainOrder | null, nowMs: number): void {
    super.setDrain(upstream, order, nowMs);
    if (isInRotation(upstream.health.state)) return;
    this.#say({ kind: 'stand', ref: this.#refOf(upstream), standing: standingOf(upstream) });
  }

  override remove(upstream: Upstream, nowMs: number): void {
    if (!this.has(upstream)) return;
    this.#say({ kind: 'remove', ref: this.#refOf(upstream), nowMs });
    this.#tallyOf(upstream).isOut = true;
    super.remove(upstream, nowMs);
    this.#hands.settle();
  }

  sayLeaving(upstream: Upstream): void {
    this.#say({ kind: 'leaving', ref: this.#refOf(upstream) });
  }

  sayChanged({ policy }: Route): void {
    this.#say({ kind: 'changed', policy });
  }

  /** The connections to a server are the workers'. */
  makePool(upstream: Upstream): UpstreamPool {
    return {
      isSilent: () => false,
      isStuck: () => false,
      send: () => {
        throw new Error('The keeper sends no requests.');
      },
      sweep: () => false,
      retire: () => {
        this.#say({ kind: 'retire', ref: this.#refOf(upstream) });
        this.#forgetFinished();
      },
      destroy: () => {
        const ref = this.#refOf(upstream);
        this.#say({ kind: 'destroy', ref });
        if (!this.has(upstream)) this.#servers.delete(ref);
      },
    };
  }

  #forgetFinished(): void {
    for (const [ref, upstream] of this.#servers)
      if (!this.has(upstream) && upstream.tally.inFlight === 0) this.#servers.delete(ref);
  }

  /** A worker is gone: what it had in flight is given back. */
  giveBack(worker: number): void {
    for (const upstream of this.#servers.values()) this.#tallyOf(upstream).giveBack(worker);
  }

  /** What a new worker has to be told to have the same table. */
  *replay(nowMs: number): Iterable<TableChange> {
    for (const route of this.routes) {
      for (const upstream of route.upstreams) {
        yield this.#added(upstream);
        if (upstream.health.state === 'leaving') yield { kind: 'leaving', ref: this.#refOf(upstream) };
      }
      for (const upstream of route.rotation.members)
        yield { kind: 'place', ref: this.#refOf(upstream), standing: standingOf(upstream), nowMs };
      yield followed(route);
      yield { kind: 'changed', policy: route.policy };
    }
  }

  #added(upstream: Upstream): TableChange {
    const { id, policy, host, port, keepsAlive, incarnation } = upstream;
    const registration = { id, policy, host, port, keepsAlive, incarnation };
    const { buffer: tally } = this.#tallyOf(upstream);
    return { kind: 'add', ref: this.#refOf(upstream), registration, standing: standingOf(upstream), tally };
  }

  #tallyOf({ tally }: Upstream): KeeperTally {
    return tally as KeeperTally;
  }

  #refOf(upstream: Upstream): Ref {
    return this.#refs.get(upstream) as Ref;
  }
}

function standingOf(upstream: Upstream, order = upstream.order): Standing {
  const { state, sinceMs } = upstream.health;
  return { state, sinceMs, isDrained: upstream.drainOrder !== null, order };
}

function followed(route: Route): TableChange {
  const { policy, rotation, turn } = route as KeeperRoute;
  return { kind: 'follow', policy, turn: turn.buffer, epoch: rotation.epoch };
}
