// pure · what becomes of a request whose attempt failed, or whose server is silent: who pays, and where it goes next.
// Must never expose more servers to a request than it may, or let a retry turn slow into failed.
import type { FailureKind } from './failure.ts';
import { handOver } from './hand-over.ts';
import type { Route } from './policy-table.ts';
import type { Request } from './request.ts';
import type { Upstream } from './upstream.ts';

export type RetryMode = 'never' | 'connect' | 'always';

export type RetryLimits = {
  retry: RetryMode;
  /** So many servers may have worked on a request. */
  maxAttempts: number;
};

export type RetryCounters = { retries: number; moves: number };

export type RetryActions = {
  /** Sends a request to a server of its policy, or has it wait for one. */
  dispatch(request: Request, nowMs: number): void;
  /** Tells the client that it has failed. */
  giveUp(request: Request): void;
  /** It has broken its connection to every server that it was tried on. */
  onCulprit(request: Request): void;
};

// How often a request moves on because somebody before it was silent.
const MAX_MOVES = 3;
// How many connections may break with a request that was not the first on them. From the second on it was alone.
const MAX_BREAKS = 4;

export class Retries {
  readonly #limits: RetryLimits;
  readonly #counters: RetryCounters;
  readonly #actions: RetryActions;

  constructor(limits: RetryLimits, counters: RetryCounters, actions: RetryActions) {
    this.#limits = limits;
    this.#counters = counters;
    this.#actions = actions;
  }

  /** A server was working on it: it is exposed to one more, if it may be and its policy's budget pays for that. */
  afterAttempt(request: Request, upstream: Upstream, failure: FailureKind, nowMs: number): void {
    request.wasSent = true;
    const isStale = failure === 'stale' && request.staleOn === null;
    if (isStale) noteStale(request, upstream);
    else noteExposure(request, upstream);
    if (mayHaveCrashed(failure)) request.isAlone = true;
    if (isSettled(request)) return;
    const { retry, maxAttempts } = this.#limits;
    const isSpent = request.exposures >= maxAttempts;
    if (retry !== 'always' || isSpent) {
      if (isSpent && mayHaveCrashed(failure)) this.#actions.onCulprit(request);
      this.#actions.giveUp(request);
      return;
    }
    // What was lost with a connection that had been idle is no sign of trouble, and costs nothing.
    request.isRetry = !isStale;
    this.#actions.dispatch(request, nowMs);
  }

  /** It stood behind the request that the server was working on: it goes elsewhere at no cost to its attempts. */
  afterWaiting(request: Request, upstream: Upstream, failure: FailureKind, nowMs: number): void {
    request.wasSent = true;
    request.breaks += 1;
    // If it is the one that breaks connections, nobody else shall be on the next.
    if (mayHaveCrashed(failure)) request.isAlone = true;
    if (isSettled(request)) return;
    if (this.#limits.retry !== 'always' || request.breaks > MAX_BREAKS) {
      this.#actions.giveUp(request);
      return;
    }
    request.avoid = upstream;
    this.#counters.moves += 1;
    this.#actions.dispatch(request, nowMs);
  }

  /** The connection never stood: nobody was exposed to anything. */
  afterNothingSent(request: Request, upstream: Upstream, failure: FailureKind, nowMs: number): void {
    if (failure === 'local') request.hasLocalFailure = true;
    exclude(request, upstream);
    if (isSettled(request)) return;
    if (this.#limits.retry === 'never') this.#actions.giveUp(request);
    else this.#actions.dispatch(request, nowMs);
  }

  /**
   * The server has worked on `first` for long. Slow is not dead: it stays where it is, and may have a second attempt on a
   * connection of its own. Those behind it have not been attempted: they go to others too. The first answer counts.
   */
  duringSilence(
    route: Route,
    upstream: Upstream,
    first: Request,
    behind: readonly Request[],
    nowMs: number,
  ): void {
    if (this.#limits.retry !== 'always' || route.isSlow(nowMs)) return;
    const silent = route.rotation.members.filter((member) => member.carrier?.isSilent === true);
    for (const request of behind) this.#move(route, request, [upstream, ...silent], nowMs);
    this.#hedge(route, first, upstream, silent, nowMs);
  }

  #move(route: Route, request: Request, silent: readonly Upstream[], nowMs: number): void {
    const isOnItsWay = request.isDone || request.placements > 1;
    if (isOnItsWay || request.client.isClosed || request.moves >= MAX_MOVES) return;
    const other = route.rotation.pick([...(request.tried ?? []), ...silent]);
    if (other === null) return;
    request.moves += 1;
    request.wasSent = true;
    this.#counters.moves += 1;
    other.send(request, nowMs);
  }

  #hedge(
    route: Route,
    request: Request,
    upstream: Upstream,
    silent: readonly Upstream[],
    nowMs: number,
  ): void {
    if (request.placements > 1 || request.isHedged || request.client.isClosed) return;
    if (request.exposures + 1 >= this.#limits.maxAttempts || !route.budget.canRetry(nowMs)) return;
    const other = route.rotation.pick([...(request.tried ?? []), upstream, ...silent]);
    if (other === null) return;
    noteExposure(request, upstream);
    request.isHedged = true;
    request.isAlone = true;
    request.wasSent = true;
    request.isRetry = true;
    handOver(route, other, request, this.#counters, nowMs);
  }
}

function mayHaveCrashed(failure: FailureKind): boolean {
  return failure === 'reset' || failure === 'closed' || failure === 'stale';
}

function exclude(request: Request, upstream: Upstream): void {
  if (request.tried?.includes(upstream)) return;
  request.tried = request.tried === null ? [upstream] : [...request.tried, upstream];
}

function noteExposure(request: Request, upstream: Upstream): void {
  if (request.tried?.includes(upstream)) return;
  exclude(request, upstream);
  if (request.staleOn !== upstream) request.exposures += 1;
}

// The same server may have it once more: it may never have seen it.
function noteStale(request: Request, upstream: Upstream): void {
  request.staleOn = upstream;
  request.exposures += 1;
  request.avoid = upstream;
}

// Nothing is left to be done: it is on another connection still, it has its reply, or its client has gone.
function isSettled(request: Request): boolean {
  if (!request.isDone && request.client.isClosed) request.reply = '';
  return request.placements > 0 || request.isDone;
}
