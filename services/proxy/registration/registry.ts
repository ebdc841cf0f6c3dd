// Which servers are in the table: registrations, leaves, evictions and come-backs, and the events about them.
import type { Id, SetupPacket } from '../../shared/packet.ts';
import { addressOf } from '../../shared/printable.ts';
import type { Because, Cause } from '../health/cause.ts';
import { isInRotation, newcomer, type State } from '../health/health.ts';
import type { HealthChecker } from '../health/health-checker.ts';
import type { ProxyOptions } from '../options.ts';
import type { PolicyTable, Route } from '../routing/policy-table.ts';
import type { Tally } from '../servers/tally.ts';
import {
  type DrainOrder,
  keyOf,
  type Registration,
  Upstream,
  type UpstreamPool,
} from '../servers/upstream.ts';
import type { EventLog, EventType, Order } from '../status/events.ts';
import { becauseMoved, farewell, leastProven } from './replaced.ts';
import { hasPlace, nextMove, rankOf } from './subset.ts';

export type RegistryOptions = Pick<
  ProxyOptions,
  'maxServers' | 'subset' | 'upstreamConnections' | 'pipelineDepth' | 'oneRequestConnections'
>;

export type RegistryWorld = {
  table: PolicyTable;
  events: EventLog;
  now: () => number;
  wallNow: () => number;
  /** The numbers of a new server. */
  makeTally?: () => Tally;
  makePool: (upstream: Upstream) => UpstreamPool;
  /** The servers of a route, or their states, have changed. */
  onRouteChanged: (route: Route) => void;
  /** A server goes on purpose. */
  onLeaving: (upstream: Upstream) => void;
  /** A server is no longer in the table: its session has lost its meaning, and ends with `lastWords`, a line, if there are any. */
  onRemoved: (upstream: Upstream, lastWords: string | null) => void;
};

const EVENT_OF_STATE: Record<State, EventType | null> = {
  joining: null,
  ready: 'admitted',
  standby: 'standby',
  suspect: 'suspect',
  evicted: 'evicted',
  ejected: 'ejected',
  trial: 'trial',
  leaving: 'leaving',
  forgotten: 'forgotten',
};

export class Registry {
  readonly #options: RegistryOptions;
  readonly #world: RegistryWorld;
  readonly #checker: HealthChecker;
  /** No longer in the table, with requests that are still being answered. */
  readonly #retired = new Set<Upstream>();
  /** Orders to drain: they hold for the server's next start too. */
  readonly #drained = new Map<string, DrainOrder>();

  constructor(options: RegistryOptions, world: RegistryWorld, checker: HealthChecker) {
    this.#options = options;
    this.#world = world;
    this.#checker = checker;
  }

  /**
   * Registers a server, refreshes it, or lets it take the place of whatever its id or its address stood for.
   * @param host the connection's own remote address: no server can register the address of another
   * @returns the server, or the sentence of the refusal
   */
  register(packet: SetupPacket, host: string): Upstream | string {
    const { table } = this.#world;
    const { maxServers } = this.#options;
    const registration = registrationOf(packet, host);
    const byId = table.findById(registration.policy, registration.id);
    const byAddress = table.findByAddress(host, registration.port);
    if (byId !== undefined && byId === byAddress && isSameBoot(byId, registration)) {
      byId.asksForSession = packet.hasSession;
      byId.policyAsWritten = packet.policyAsWritten;
      // What made it register again is a reason to probe it at once.
      if (byId.health.state !== 'ready') this.#checker.probeNow(byId);
      return byId;
    }
    if (byId === undefined && byAddress === undefined && table.size >= maxServers && !this.#makeRoom()) {
      return `The table is full with ${maxServers} servers that pass their probes: raise the proxy's --max-servers.`;
    }
    const order = byId !== undefined && byId.health.state !== 'evicted' ? byId.order : table.takeOrder();
    if (byAddress !== undefined && byAddress !== byId) {
      const newOwner = `server ${String(packet.id)} of policy ${packet.policy}`;
      const why = `${newOwner} registered its address`;
      const evidence = { address: byAddress.address };
      this.#takeOff(byAddress, 'replaced', { cause: 'address-taken', why, evidence });
    }
    const hasMoved = byId !== undefined && byId !== byAddress;
    if (byId !== undefined)
      this.#takeOff(byId, 'replaced', hasMoved ? becauseMoved(host, packet) : STARTED_AGAIN);
    const cause = byId === undefined ? 'registered' : 'registered-again';
    const upstream = this.#add(registration, packet, order, cause);
    // Nothing that was meant for a former server may reach the one that has its address now. Only now, so that requests that
    // wait or have to be retried find the successor in the table.
    for (const former of this.#retired) if (former.address === upstream.address) former.pool?.destroy();
    if (byAddress !== undefined) this.#letGo(byAddress, farewell(byAddress, upstream));
    if (hasMoved) this.#retire(byId, upstream);
    return upstream;
  }

  #add(registration: Registration, packet: SetupPacket, order: number, cause: Cause): Upstream {
    const { table, events, now, wallNow, makeTally, makePool, onRouteChanged } = this.#world;
    const capacity = capacityOf(registration, this.#options);
    const health = newcomer(now(), 'it registered, and its first probe is due', cause);
    const upstream = new Upstream(registration, capacity, order, health, wallNow(), makeTally?.());
    upstream.asksForSession = packet.hasSession;
    upstream.policyAsWritten = packet.policyAsWritten;
    upstream.rank = rankOf(events.boot, keyOf(upstream));
    upstream.pool = makePool(upstream);
    upstream.drainOrder = this.#drained.get(keyOf(upstream)) ?? null;
    const route = table.add(upstream);
    events.add('registered', upstream, health);
    this.#checker.watch(upstream);
    onRouteChanged(route);
    return upstream;
  }

  /** Whether a setup packet is from a server of the table that is still the same: nothing new comes of it. */
  isRefresh(packet: SetupPacket, host: string): boolean {
    const registration = registrationOf(packet, host);
    const known = this.#world.table.findById(registration.policy, registration.id);
    return known?.address === addressOf(host, registration.port) && isSameBoot(known, registration);
  }

  /** Whether the server that sent the packet, and no other start of it, has a session. */
  hasSession({ policy, id, incarnation }: SetupPacket): boolean {
    const known = this.#world.table.findById(policy, id);
    return known?.hasSession === true && incarnation !== null && known.incarnation === incarnation;
  }

  has(upstream: Upstream): boolean {
    return this.#world.table.has(upstream);
  }

  /** Whether this proxy's subset of the policy's servers has a place for the server. */
  hasPlace(upstream: Upstream): boolean {
    const servers = this.#world.table.route(upstream.policy)?.upstreams ?? [];
    return hasPlace(upstream, servers, this.#options.subset);
  }

  /** Its state has changed. */
  onFlip(upstream: Upstream): void {
    const { table, events, now } = this.#world;
    const { state } = upstream.health;
    if (state === 'forgotten') {
      this.#remove(upstream, 'forgotten', upstream.health);
      return;
    }
    const sentBefore = upstream.tally.sent;
    table.place(upstream, now());
    const type = EVENT_OF_STATE[state];
    if (type !== null) events.add(type, upstream, upstream.health, sentBy(upstream, sentBefore));
    if (state === 'evicted') upstream.pool?.destroy();
    if (state === 'leaving') this.#world.onLeaving(upstream);
    this.#afterChange(upstream);
  }

  // A policy that has no server in rotation calls back those that are out for reasons that can wait.
  #afterChange({ policy }: Upstream): void {
    const route = this.#world.table.route(policy);
    if (route === undefined) return;
    const move = nextMove(route.upstreams, this.#options.subset);
    if (move !== null) {
      // The change of its state leads here again.
      if (move.comesIn) this.#checker.onCalled(move.server);
      else this.#checker.onDisplaced(move.server);
      return;
    }
    if (route.rotation.members.length === 0) {
      for (const upstream of [...route.upstreams]) {
        const { state } = upstream.health;
        if (state === 'ejected' || state === 'suspect') this.#checker.onNeeded(upstream);
      }
    }
    this.#world.onRouteChanged(route);
  }

  /** By order: it finishes what it has and gets nothing new, until it is resumed. */
  drain(upstream: Upstream, order: Order): void {
    const drainOrder = { ...order, sinceWallMs: this.#world.wallNow() };
    this.#drained.set(keyOf(upstream), drainOrder);
    const [oldest] = this.#drained.keys();
    if (this.#drained.size > 2 * this.#options.maxServers && oldest !== undefined)
      this.#drained.delete(oldest);
    this.#setDrain(upstream, drainOrder, 'drained', order);
  }

  /** By order: it gets requests again when its health allows it. */
  resume(upstream: Upstream, order: Order): void {
    this.#drained.delete(keyOf(upstream));
    this.#setDrain(upstream, null, 'resumed', order);
  }

  /** By order: one that has left the table while it was drained gets requests when it comes back. @returns whether it was */
  cancelDrain(policy: string, id: Id): boolean {
    return this.#drained.delete(keyOf({ policy, id }));
  }

  #setDrain(upstream: Upstream, drainOrder: DrainOrder | null, type: EventType, order: Order): void {
    const { table, events, now } = this.#world;
    const sentBefore = upstream.tally.sent;
    table.setDrain(upstream, drainOrder, now());
    events.add(type, upstream, ordered(type, order), sentBy(upstream, sentBefore));
    this.#afterChange(upstream);
  }

  /** By order: it is dropped; one that lives registers again. */
  forget(upstream: Upstream, order: Order): void {
    this.#drained.delete(keyOf(upstream));
    this.#remove(upstream, 'forgotten', ordered('forgotten', order));
  }

  /** By order: it is probed at once. */
  probe(upstream: Upstream, order: Order): void {
    this.#world.events.add('probe-ordered', upstream, ordered('probed', order));
    this.#checker.probeNow(upstream);
  }

  /** It said that it leaves, and its last request has been answered. */
  onDrained(upstream: Upstream): void {
    this.#remove(upstream, 'left', LEFT);
  }

  #remove(upstream: Upstream, type: EventType, because: Because): void {
    this.#takeOff(upstream, type, because);
    this.#letGo(upstream, null);
  }

  #takeOff(upstream: Upstream, type: EventType, because: Because): void {
    const { table, events, now } = this.#world;
    this.#checker.unwatch(upstream);
    table.remove(upstream, now());
    events.add(type, upstream, because);
  }

  #letGo(upstream: Upstream, lastWords: string | null): void {
    upstream.pool?.destroy();
    this.#world.onRemoved(upstream, lastWords);
    this.#afterChange(upstream);
  }

  // The server that has its id now may be another program, beside it: it finishes what it has begun, and is informed, so that
  // the two do not take turns in replacing each other.
  #retire(upstream: Upstream, successor: Upstream): void {
    for (const earlier of this.#retired) if (earlier.tally.inFlight === 0) this.#retired.delete(earlier);
    this.#retired.add(upstream);
    upstream.pool?.retire();
    this.#world.onRemoved(upstream, farewell(upstream, successor));
    this.#afterChange(upstream);
  }

  /** Cuts the connections to all servers, the replaced ones included. */
  destroyPools(): void {
    for (const upstream of [...this.#world.table.upstreams, ...this.#retired]) upstream.pool?.destroy();
  }

  // False when every server of the table serves.
  #makeRoom(): boolean {
    const upstream = leastProven(this.#world.table.upstreams);
    if (upstream === null) return false;
    const { state, cause } = upstream.health;
    const why = `the table was full, and ${state === 'evicted' ? 'it was evicted' : 'no probe of it had passed'}`;
    this.#remove(upstream, 'forgotten', { cause: 'table-full', why, evidence: { before: cause } });
    return true;
  }
}

const STARTED_AGAIN: Because = { cause: 'registered-again', why: 'it started again', evidence: {} };
const LEFT: Because = { cause: 'left', why: 'it left, with nothing in flight', evidence: {} };

function ordered(what: string, { by, reason }: Order): Because {
  const why = `${what} by order of ${by}${reason === '' ? '' : `: ${reason}`}`;
  return { cause: 'ordered', why, evidence: { by, reason } };
}

// How many requests a server had been handed when it came in, or went out. Other threads hand requests to one that has come in
// before anybody has heard of that.
function sentBy({ health, drainOrder, tally }: Upstream, sentBefore: number): number {
  return isInRotation(health.state) && drainOrder === null ? sentBefore : tally.sent;
}

/** How many requests a server may have at once; of one that takes one on each connection, at first. */
export function capacityOf(
  { keepsAlive }: Registration,
  { upstreamConnections, pipelineDepth, oneRequestConnections }: Omit<RegistryOptions, 'maxServers'>,
): number {
  return keepsAlive ? upstreamConnections * pipelineDepth : oneRequestConnections;
}

function registrationOf(packet: SetupPacket, host: string): Registration {
  const { id, policy, listenPort: port, keepsAlive, incarnation } = packet;
  return { id, policy, host, port, keepsAlive, incarnation };
}

// Without an incarnation there is no telling; an evicted server that registers has most likely been started again.
function isSameBoot(known: Upstream, registration: Registration): boolean {
  if (known.keepsAlive !== registration.keepsAlive || known.incarnation !== registration.incarnation)
    return false;
  if (known.health.state === 'leaving') return false;
  return registration.incarnation !== null || known.health.state !== 'evicted';
}
