// The policy table: policy → servers, in the order of registration, and policy → rotation.

import type { Id } from '../../shared/packet.ts';
import { addressOf } from '../../shared/printable.ts';
import { isInRotation } from '../health/health.ts';
import type { PolicyTraffic } from '../metrics/traffic.ts';
import { type DrainOrder, keyOf, type Upstream } from '../servers/upstream.ts';
import type { Request, Trouble } from './request.ts';
import { RetryBudget } from './retry-budget.ts';
import { RoundRobin } from './rotation/round-robin.ts';
import { type Hand, LocalTurn, ONLY_HAND, type Turn } from './rotation/turn.ts';
import { FairQueue } from './waiting/fair-queue.ts';

const MAX_ROUTES_WITHOUT_SERVER = 1000;
const KEPT_WITHOUT_SERVER_MS = 60_000;
// Half of at least so many sampled answers within the last seconds being slow makes a policy slow.
const SLOW_SPAN_MS = 5000;
const MIN_ANSWERS = 5;
const SLOW_FROM_SHARE = 0.5;

/** Answers whose time was sampled so far, and how many of them were slow. */
type AnswerSample = { answers: number; slow: number };

export type RetryCounters = {
  /** Second attempts that the budget has paid for. */
  retries: number;
  /** Requests that went to another server because a request before them was silent, or broke the connection. */
  moves: number;
  /** How often requests were sent once more, paid for or not, by the reason. */
  retryReasons: Record<string, number>;
};

/** A request is being sent once more, if there is a reason noted. */
export function countRetry(trouble: Trouble, { retryReasons }: RetryCounters): void {
  const { reason } = trouble;
  if (reason === null) return;
  retryReasons[reason] = (retryReasons[reason] ?? 0) + 1;
  trouble.reason = null;
}

/** One policy: every server known for it, and the rotation of those that get requests. */
export class Route {
  readonly policy: string;
  /** Every server of this policy that is in the table, in the order of registration. */
  readonly upstreams: Upstream[] = [];
  readonly rotation: RoundRobin<Upstream>;
  /** Requests that no server could take yet. Written by the waiting room. */
  readonly waiting = new FairQueue<Request>();
  /** What its retries are paid from: another policy's trouble costs this one nothing. */
  readonly budget: RetryBudget;
  /** Null as long as no server was registered for it. Written by the forwarder. */
  traffic: PolicyTraffic | null = null;
  #older: AnswerSample = { answers: 0, slow: 0 };
  #newer: AnswerSample = { answers: 0, slow: 0 };
  #newerAtMs = Number.NEGATIVE_INFINITY;
  /** When the rotation last became empty, monotonic ms; -Infinity when it never had a server. */
  emptiedAtMs = Number.NEGATIVE_INFINITY;
  /** The last server of the rotation went on purpose. */
  wasLeft = false;

  /** Moved whenever a server is chosen and given a request. */
  readonly hand: Hand;

  constructor(policy: string, turn: Turn = new LocalTurn(), budget = new RetryBudget(), hand = ONLY_HAND) {
    this.policy = policy;
    this.rotation = new RoundRobin(turn);
    this.budget = budget;
    this.hand = hand;
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  /** What is left of its retry budget: 1 when nothing is used, 0 when all is. */
  budgetLeft(nowMs: number): number {
    return this.budget.left(nowMs);
  }

  /** True when there are servers in rotation, but none of them has room. */
  get isFull(): boolean {
    return this.rotation.members.length > 0 && this.rotation.members.every((member) => member.isFull);
  }

  /**
   * Whether its answers take long by their nature, so that slowness is no reason to ask another server: half of those of the
   * last seconds. Servers that leave take their counts along, which counts as nothing known.
   */
  isSlow(nowMs: number): boolean {
    let answers = 0;
    let slow = 0;
    for (const upstream of this.upstreams) {
      answers += upstream.answers;
      slow += upstream.slowAnswers;
    }
    if (nowMs - this.#newerAtMs >= SLOW_SPAN_MS) {
      this.#older = this.#newer;
      this.#newer = { answers, slow };
      this.#newerAtMs = nowMs;
    }
    const recent = answers - this.#older.answers;
    return recent >= MIN_ANSWERS && slow - this.#older.slow >= recent * SLOW_FROM_SHARE;
  }

  /**
   * Hands a request to the next server in turn for it: one that may get it, and best one that it need not avoid.
   * @returns 'none' where there is none now; 'spent' when it is a retry and the budget has none left
   */
  handToNext(request: Request, counters: RetryCounters, nowMs: number): 'handed' | 'none' | 'spent' {
    this.hand.begin();
    const upstream = this.#pickFor(request);
    const isHanded = upstream !== null && this.handOver(upstream, request, counters, nowMs);
    this.hand.end();
    if (upstream === null) return 'none';
    return isHanded ? 'handed' : 'spent';
  }

  /**
   * Hands a request, out of turn, to a server that has worked on it already. Its connection there has just broken: one of its
   * own takes the place of that.
   * @returns false, and nothing is sent, when that gets no requests now, or is full
   */
  handAgain(
    upstream: Upstream,
    request: Request,
    trouble: Trouble,
    counters: RetryCounters,
    nowMs: number,
  ): boolean {
    this.hand.begin();
    const isOpen = this.claim(upstream);
    if (isOpen) {
      trouble.attempts += 1;
      countRetry(trouble, counters);
      upstream.send(request, nowMs);
    }
    this.hand.end();
    return isOpen;
  }

  /** Whether a server may get a request out of turn; it has to be handed to it then. */
  claim(upstream: Upstream): boolean {
    const isOpen = !upstream.tally.isOut && !upstream.isFull && this.rotation.members.includes(upstream);
    return isOpen && upstream.claim();
  }

  /**
   * Hands a request to a server that was just chosen: first attempts feed the policy's retry budget, and retries are paid from it.
   * @param counters counts the retries, all of them by their reasons
   * @returns false, and nothing is sent, when it is a retry and the budget has none left
   */
  handOver(upstream: Upstream, request: Request, counters: RetryCounters, nowMs: number): boolean {
    const { trouble } = request;
    if (request.upstream === null) {
      this.budget.feed(nowMs);
    } else if (trouble !== null) {
      if (trouble.isRetry) {
        if (!this.budget.canRetry(nowMs)) {
          upstream.release();
          return false;
        }
        this.budget.charge(nowMs);
        counters.retries += 1;
        trouble.isRetry = false;
        trouble.payment = { to: upstream, atMs: nowMs };
      }
      trouble.attempts += 1;
    }
    if (trouble !== null) countRetry(trouble, counters);
    upstream.send(request, nowMs);
    return true;
  }

  /**
   * The proxy's own lack has kept a request from the server that it was handed to: if that was a retry, it is one still, and
   * the budget has not paid for it. Called before anything else runs.
   */
  takeBack(upstream: Upstream, trouble: Trouble, counters: RetryCounters, nowMs: number): void {
    const { payment } = trouble;
    if (payment?.to !== upstream) return;
    trouble.payment = null;
    trouble.isRetry = true;
    this.budget.giveBack(payment.atMs, nowMs);
    counters.retries -= 1;
  }

  #pickFor({ trouble }: Request): Upstream | null {
    if (trouble === null) return this.rotation.pick();
    const { tried, avoid } = trouble;
    const other = avoid === null ? null : this.rotation.pick([...tried, avoid]);
    return other ?? this.rotation.pick(tried);
  }

  /** Whether no server but `upstream` is in rotation. */
  isLastReady(upstream: Upstream): boolean {
    return this.rotation.members.every((member) => member === upstream);
  }
}

/** Servers by policy, by id and by address. Policies and ids compare as text. */
export class PolicyTable {
  readonly #routes = new Map<string, Route>();
  readonly #byId = new Map<string, Upstream>();
  readonly #byAddress = new Map<string, Upstream>();
  readonly #makeRoute: (policy: string) => Route;
  #nextOrder = 0;
  #routesWithoutServer = 0;

  constructor(makeRoute = (policy: string): Route => new Route(policy)) {
    this.#makeRoute = makeRoute;
  }

  get routes(): Iterable<Route> {
    return this.#routes.values();
  }

  get upstreams(): Iterable<Upstream> {
    return this.#byAddress.values();
  }

  get size(): number {
    return this.#byAddress.size;
  }

  /** The policy's route, or undefined when no server has registered for it, or was expected, for a while. */
  route(policy: string): Route | undefined {
    return this.#routes.get(policy);
  }

  findById(policy: string, id: Id): Upstream | undefined {
    return this.#byId.get(keyOf({ policy, id }));
  }

  /** The server at this address, whatever its policy: an address can only be one server. */
  findByAddress(host: string, port: number): Upstream | undefined {
    return this.#byAddress.get(addressOf(host, port));
  }

  /** Whether `answersAs`, the id in an answer to a probe, is known only as that of another server, of any policy. */
  isOthers(upstream: Upstream, answersAs: string): boolean {
    if (upstream.knownAs.has(answersAs)) return false;
    for (const other of this.#byAddress.values()) {
      if (other === upstream) continue;
      // Also where it has last answered under another id: two servers may have taken each other's address.
      if (String(other.id) === answersAs || other.answersAs === answersAs) return true;
    }
    return false;
  }

  /** Whether some server is on this host. */
  hasHost(host: string): boolean {
    for (const upstream of this.#byAddress.values()) if (upstream.host === host) return true;
    return false;
  }

  /** Whether it is still in the table. */
  has(upstream: Upstream): boolean {
    return this.#byAddress.get(upstream.address) === upstream;
  }

  /**
   * The route of a policy whose servers are about to register, as after a start of the proxy.
   * @returns undefined when so many policies without a server are listed that this one may not be
   */
  expect(policy: string, nowMs: number): Route | undefined {
    if (this.#routesWithoutServer >= MAX_ROUTES_WITHOUT_SERVER) return undefined;
    const route = this.#makeRoute(ownText(policy));
    route.emptiedAtMs = nowMs;
    route.wasLeft = true;
    this.#routes.set(route.policy, route);
    this.#routesWithoutServer += 1;
    return route;
  }

  /** The next free place in the order of registration. */
  takeOrder(): number {
    this.#nextOrder += 1;
    return this.#nextOrder;
  }

  /** Lists a server; its id and address must be free. It is not in rotation before `place`. */
  add(upstream: Upstream): Route {
    let route = this.#routes.get(upstream.policy);
    if (route === undefined) {
      route = this.#makeRoute(upstream.policy);
      this.#routes.set(upstream.policy, route);
    } else if (route.upstreams.length === 0) this.#routesWithoutServer -= 1;
    this.#byId.set(keyOf(upstream), upstream);
    this.#byAddress.set(upstream.address, upstream);
    const at = route.upstreams.findLastIndex(({ order }) => order < upstream.order) + 1;
    route.upstreams.splice(at, 0, upstream);
    return route;
  }

  /** By order of an operator it gets nothing new, or gets requests again where its health allows it. */
  setDrain(upstream: Upstream, order: DrainOrder | null, nowMs: number): void {
    upstream.drainOrder = order;
    // One that is out keeps its place, and moves nobody's turn.
    if (isInRotation(upstream.health.state)) this.place(upstream, nowMs);
  }

  /**
   * Puts the rotation right after the server's state has changed.
   * @param order its new place in the order of registration if it is evicted; the next free one where it is not given
   */
  place(upstream: Upstream, nowMs: number, order?: number): void {
    const route = this.#routes.get(upstream.policy);
    if (route === undefined) return;
    const { state } = upstream.health;
    if (isInRotation(state) && upstream.drainOrder === null) {
      route.rotation.add(upstream);
      return;
    }
    takeOut(route, upstream, nowMs);
    if (state !== 'evicted') return;
    route.rotation.evict(upstream);
    // It loses its place: when it comes back it stands behind those that stayed.
    upstream.order = order ?? this.takeOrder();
    route.upstreams.splice(route.upstreams.indexOf(upstream), 1);
    route.upstreams.push(upstream);
  }

  /** Drops the routes that have had no server for a minute, so that policies that come and go don't pile up. */
  prune(nowMs: number): void {
    for (const [policy, route] of this.#routes) {
      const isIdle = route.upstreams.length === 0 && route.waiting.length === 0;
      if (!isIdle || nowMs - route.emptiedAtMs <= KEPT_WITHOUT_SERVER_MS) continue;
      this.#routes.delete(policy);
      this.#routesWithoutServer -= 1;
    }
  }

  remove(upstream: Upstream, nowMs: number): void {
    const route = this.#routes.get(upstream.policy);
    if (route === undefined || !this.has(upstream)) return;
    takeOut(route, upstream, nowMs);
    route.upstreams.splice(route.upstreams.indexOf(upstream), 1);
    if (route.upstreams.length === 0) this.#routesWithoutServer += 1;
    this.#byId.delete(keyOf(upstream));
    this.#byAddress.delete(upstream.address);
  }
}

// Takes a server out of the rotation, and notes when that leaves it empty.
function takeOut(route: Route, upstream: Upstream, nowMs: number): void {
  const { members } = route.rotation;
  const wasServing = members.length > 0;
  route.rotation.remove(upstream);
  if (!wasServing || members.length > 0) return;
  // By order: no next server is on its way.
  route.emptiedAtMs = upstream.drainOrder === null ? nowMs : Number.NEGATIVE_INFINITY;
  route.wasLeft = upstream.health.state === 'leaving';
}

// The policy is a piece of the packet that named it, and a piece keeps the whole in memory.
function ownText(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
