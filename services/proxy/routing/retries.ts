// What becomes of a request whose attempt failed, or whose server is silent: what it costs, and where it goes next.
import type { ProxyOptions } from '../options.ts';
import type { FailureKind } from '../servers/failure.ts';
import type { LonePlaces } from '../servers/limits/lone-places.ts';
import type { Silence } from '../servers/pool.ts';
import type { Upstream } from '../servers/upstream.ts';
import { countRetry, type RetryCounters, type Route } from './policy-table.ts';
import type { Replier } from './replier.ts';
import { type Request, Trouble } from './request.ts';
import { SilentServers } from './silent-servers.ts';

/** `retry`: when a failed request is sent again; `maxAttempts`: so many servers may have worked on a request. */
export type RetryLimits = Pick<ProxyOptions, 'retry' | 'maxAttempts'>;

/** What has to be done with a request now; `settled`: nothing. */
export type NextStep = 'dispatch' | 'give-up' | 'settled';

// How often a request moves on because a request before it was silent.
const MAX_MOVES = 3;
// How many connections may break with a request that was not the first on them. From the second on it was alone.
const MAX_BREAKS = 4;

export class Retries {
  readonly #limits: RetryLimits;
  readonly #counters: RetryCounters;
  readonly #replier: Pick<Replier, 'isOver'>;
  readonly #lonePlaces: Pick<LonePlaces, 'hasRoom'>;
  readonly #onCulprit: (request: Request) => void;
  /** What the running sweep has seen. */
  readonly #silent = new Map<Route, SilentServers>();

  /** @param onCulprit a request has broken its connection to every server that it was tried on */
  constructor(
    limits: RetryLimits,
    counters: RetryCounters,
    replier: Pick<Replier, 'isOver'>,
    lonePlaces: Pick<LonePlaces, 'hasRoom'>,
    onCulprit: (request: Request) => void,
  ) {
    this.#limits = limits;
    this.#counters = counters;
    this.#replier = replier;
    this.#lonePlaces = lonePlaces;
    this.#onCulprit = onCulprit;
  }

  /**
   * A server was working on it: it is exposed to one more, if it may be.
   * @param route that of the request's policy; undefined when that is forgotten
   */
  afterAttempt(
    route: Route | undefined,
    request: Request,
    upstream: Upstream,
    failure: FailureKind,
    nowMs: number,
  ): NextStep {
    request.wasSent = true;
    const trouble = troubleOf(request);
    // Once for each request, and not where it has been tried on a fresh connection as well.
    const isStale = failure === 'stale' && trouble.staleOn === null && !trouble.tried.includes(upstream);
    if (isStale) noteStale(trouble, upstream);
    else noteExposure(trouble, upstream);
    if (mayHaveKilled(failure)) trouble.isAlone = true;
    trouble.reason = failure;
    if (this.#isSettled(request)) return 'settled';
    const { retry, maxAttempts } = this.#limits;
    const isSpent = trouble.exposures >= maxAttempts;
    const mayGoAgain = isStale && isSpent && retry === 'always';
    // It is exposed to this one already, so that this is no attempt on one more.
    if (mayGoAgain && route?.handAgain(upstream, request, trouble, this.#counters, nowMs) === true)
      return 'settled';
    if (retry !== 'always' || isSpent) {
      if (isSpent && mayHaveCrashed(failure)) this.#onCulprit(request);
      return 'give-up';
    }
    // What was lost with a connection that had been idle is no sign of trouble, and costs nothing.
    trouble.isRetry = !isStale;
    return 'dispatch';
  }

  /** It stood behind the request that the server was working on: it goes elsewhere at no cost to its attempts. */
  afterWaiting(request: Request, upstream: Upstream, failure: FailureKind): NextStep {
    request.wasSent = true;
    const trouble = troubleOf(request);
    trouble.breaks += 1;
    // If it is the one that breaks connections, no other request shall be on the next.
    if (mayHaveKilled(failure)) trouble.isAlone = true;
    if (this.#isSettled(request)) return 'settled';
    const { retry, maxAttempts } = this.#limits;
    // While it stood here it may have been moved, and have used up its attempts elsewhere.
    const isSpent = trouble.exposures >= maxAttempts;
    if (retry !== 'always' || isSpent || trouble.breaks > MAX_BREAKS) return 'give-up';
    trouble.avoid = upstream;
    trouble.reason = 'behind-broken';
    this.#counters.moves += 1;
    return 'dispatch';
  }

  /**
   * The connection never stood: no server was exposed to it.
   * @param route that of the request's policy; undefined when that is forgotten
   */
  afterNothingSent(
    route: Route | undefined,
    request: Request,
    upstream: Upstream,
    failure: FailureKind,
    nowMs: number,
  ): NextStep {
    const trouble = troubleOf(request);
    trouble.reason = failure;
    exclude(trouble, upstream);
    if (failure === 'local') {
      noteLack(trouble, upstream, nowMs);
      route?.takeBack(upstream, trouble, this.#counters, nowMs);
      this.#takeMoveBack(trouble, upstream);
    }
    this.forgetHedge(request);
    if (this.#isSettled(request)) return 'settled';
    return this.#limits.retry === 'never' ? 'give-up' : 'dispatch';
  }

  /** Its connection never stood: a second attempt that never was one may be made elsewhere, while the first goes on. */
  forgetHedge({ trouble, placements }: Request): void {
    if (trouble !== null && placements > 0) trouble.isHedged = false;
  }

  // It may be on another connection still.
  #isSettled(request: Request): boolean {
    return this.#replier.isOver(request) || request.placements > 0;
  }

  /**
   * The server has worked on `first` for long. Slow is not dead: it stays where it is, and may have a second attempt on a
   * connection of its own. Those behind it have not been attempted: they go to others too. The first answer counts.
   */
  duringSilence(route: Route, upstream: Upstream, silence: Silence, nowMs: number): void {
    if (this.#limits.retry !== 'always') return;
    const silent = this.#silentOf(route, nowMs);
    if (silent.isSlow) return;
    route.hand.begin();
    this.#passOn(route, upstream, silence, silent, nowMs);
    route.hand.end();
  }

  /** A sweep, in which silences are reported, is over. */
  endSweep(): void {
    if (this.#silent.size > 0) this.#silent.clear();
  }

  #silentOf(route: Route, nowMs: number): SilentServers {
    let silent = this.#silent.get(route);
    if (silent === undefined) {
      silent = new SilentServers(route, nowMs);
      this.#silent.set(route, silent);
    }
    return silent;
  }

  #passOn(route: Route, upstream: Upstream, silence: Silence, silent: SilentServers, nowMs: number): void {
    const { first, behind, isForgotten } = silence;
    // With no other server, another connection to the same one shows whether this one was forgotten.
    const again = isForgotten ? upstream : null;
    for (const request of behind) {
      if (!this.#mayMove(request, silence)) continue;
      request.trouble?.forgetLack(nowMs);
      const other =
        silent.pickQuiet(request) ?? claimAgain(route, request, again) ?? silent.pickServing(request);
      if (other !== null) this.#move(request, upstream, other, nowMs);
    }
    if (!this.#mayHedge(route, first, upstream, nowMs)) return;
    first.trouble?.forgetLack(nowMs);
    const other =
      silent.pickQuiet(first) ?? claimAgain(route, first, again) ?? silent.pickServing(first, upstream);
    if (other !== null) this.#hedge(route, first, upstream, other, nowMs);
  }

  // Where it went last may have fallen silent too; but it may not be where more servers could work on it than one that has
  // waited behind others may meet.
  #mayMove(request: Request, { sinceMs }: Silence): boolean {
    const { isDone, placements, attemptMs, client, trouble } = request;
    const isOnItsWay = placements > 1 && attemptMs >= sinceMs;
    if (isDone || isOnItsWay || client.isClosed || (trouble?.moves ?? 0) >= MAX_MOVES) return false;
    if (trouble?.isAlone === true && !this.#lonePlaces.hasRoom(request.policy)) return false;
    return placements + (trouble?.exposures ?? 0) <= this.#limits.maxAttempts;
  }

  #move(request: Request, upstream: Upstream, other: Upstream, nowMs: number): void {
    const trouble = troubleOf(request);
    trouble.moves += 1;
    trouble.movedTo = other;
    trouble.leftBehind.push(upstream);
    request.wasSent = true;
    this.#counters.moves += 1;
    trouble.reason = 'behind-silent';
    trouble.attempts += 1;
    countRetry(trouble, this.#counters);
    other.send(request, nowMs);
  }

  // It has not got there: or our own lack would soon leave it no move to where it may be answered.
  #takeMoveBack(trouble: Trouble, upstream: Upstream): void {
    if (trouble.movedTo !== upstream) return;
    trouble.movedTo = null;
    trouble.moves -= 1;
    this.#counters.moves -= 1;
  }

  #mayHedge(route: Route, request: Request, upstream: Upstream, nowMs: number): boolean {
    const { trouble } = request;
    const isOnItsWay = trouble?.isHedged === true || request.placements > 1;
    if (isOnItsWay || request.isDone || request.client.isClosed) return false;
    const isCounted = trouble?.exposedTo.includes(upstream) === true;
    const exposures = (trouble?.exposures ?? 0) + (isCounted ? 0 : 1);
    const mayHedge = exposures < this.#limits.maxAttempts && this.#lonePlaces.hasRoom(request.policy);
    return mayHedge && route.budget.canRetry(nowMs);
  }

  #hedge(route: Route, request: Request, upstream: Upstream, other: Upstream, nowMs: number): void {
    const trouble = troubleOf(request);
    if (other === upstream) noteStale(trouble, upstream);
    else noteExposure(trouble, upstream);
    trouble.isHedged = true;
    trouble.isAlone = true;
    trouble.isRetry = true;
    trouble.reason = 'silent';
    request.wasSent = true;
    route.handOver(other, request, this.#counters, nowMs);
  }
}

// It may have broken under the request meanwhile, on another connection.
function claimAgain(route: Route, { tried }: Request, upstream: Upstream | null): Upstream | null {
  if (upstream === null || tried?.includes(upstream) === true) return null;
  return route.claim(upstream) ? upstream : null;
}

function mayHaveCrashed(failure: FailureKind): boolean {
  return failure === 'reset' || failure === 'closed' || failure === 'stale';
}

// A probe may show that a server has died before the ends of its connections have been read: it is evicted with all on them.
function mayHaveKilled(failure: FailureKind): boolean {
  return failure === 'evicted' || mayHaveCrashed(failure);
}

function troubleOf(request: Request): Trouble {
  request.trouble ??= new Trouble(request.attemptMs);
  return request.trouble;
}

function exclude({ tried }: Trouble, upstream: Upstream): void {
  if (!tried.includes(upstream)) tried.push(upstream);
}

// Without a port or a descriptor of ours no other connection is better; but it says nothing about the server.
function noteLack(trouble: Trouble, upstream: Upstream, nowMs: number): void {
  trouble.lackedMs = nowMs;
  trouble.unreached.push(upstream);
}

function noteExposure(trouble: Trouble, upstream: Upstream): void {
  exclude(trouble, upstream);
  // It has been there all the same, over another connection.
  trouble.unreached = trouble.unreached.filter((server) => server !== upstream);
  expose(trouble, upstream);
}

// The same server may have it once more: it may never have seen it.
function noteStale(trouble: Trouble, upstream: Upstream): void {
  trouble.staleOn = upstream;
  expose(trouble, upstream);
  trouble.avoid = upstream;
}

function expose({ exposedTo }: Trouble, upstream: Upstream): void {
  if (!exposedTo.includes(upstream)) exposedTo.push(upstream);
}
