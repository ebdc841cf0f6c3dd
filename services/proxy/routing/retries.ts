// pure · what becomes of a request whose attempt failed, or whose server is silent: who pays, and where it goes next.
// Must never expose more servers to a request than it may, or let a retry turn slow into failed.

import { isInRotation } from '../health/health.ts';
import type { FailureKind } from '../servers/failure.ts';
import type { Silence } from '../servers/pool.ts';
import type { Upstream } from '../servers/upstream.ts';
import { handOver } from './hand-over.ts';
import type { Route } from './policy-table.ts';
import { type Request, Trouble } from './request.ts';

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
    const trouble = troubleOf(request);
    const isStale = failure === 'stale' && trouble.staleOn === null;
    if (isStale) noteStale(trouble, upstream);
    else noteExposure(trouble, upstream);
    if (mayHaveCrashed(failure)) trouble.isAlone = true;
    if (isSettled(request)) return;
    const { retry, maxAttempts } = this.#limits;
    const isSpent = trouble.exposures >= maxAttempts;
    if (isStale && isSpent && retry === 'always' && canTakeAgain(upstream)) {
      upstream.send(request, nowMs);
      return;
    }
    if (retry !== 'always' || isSpent) {
      if (isSpent && mayHaveCrashed(failure)) this.#actions.onCulprit(request);
      this.#actions.giveUp(request);
      return;
    }
    // What was lost with a connection that had been idle is no sign of trouble, and costs nothing.
    trouble.isRetry = !isStale;
    this.#actions.dispatch(request, nowMs);
  }

  /** It stood behind the request that the server was working on: it goes elsewhere at no cost to its attempts. */
  afterWaiting(request: Request, upstream: Upstream, failure: FailureKind, nowMs: number): void {
    request.wasSent = true;
    const trouble = troubleOf(request);
    trouble.breaks += 1;
    // If it is the one that breaks connections, nobody else shall be on the next.
    if (mayHaveCrashed(failure)) trouble.isAlone = true;
    if (isSettled(request)) return;
    if (this.#limits.retry !== 'always' || trouble.breaks > MAX_BREAKS) {
      this.#actions.giveUp(request);
      return;
    }
    trouble.avoid = upstream;
    this.#counters.moves += 1;
    this.#actions.dispatch(request, nowMs);
  }

  /** The connection never stood: nobody was exposed to anything. */
  afterNothingSent(request: Request, upstream: Upstream, failure: FailureKind, nowMs: number): void {
    const trouble = troubleOf(request);
    if (failure === 'local') trouble.isLocal = true;
    exclude(trouble, upstream);
    // A second attempt that never was one may be made elsewhere.
    if (trouble.isHedged && request.placements > 0) trouble.isHedged = false;
    if (isSettled(request)) return;
    if (this.#limits.retry === 'never') this.#actions.giveUp(request);
    else this.#actions.dispatch(request, nowMs);
  }

  /**
   * The server has worked on `first` for long. Slow is not dead: it stays where it is, and may have a second attempt on a
   * connection of its own. Those behind it have not been attempted: they go to others too. The first answer counts.
   */
  duringSilence(route: Route, upstream: Upstream, silence: Silence, nowMs: number): void {
    if (this.#limits.retry !== 'always' || route.isSlow(nowMs)) return;
    const { first, behind, isForgotten } = silence;
    const silent = route.rotation.members.filter((member) => member.carrier?.isSilent(nowMs) === true);
    const others = [upstream, ...silent];
    // They hold up what is behind their silent requests, and nobody else.
    const stuck = silent.filter((member) => member.carrier?.isStuck(nowMs) === true);
    // With nobody else there, another connection to the same server shows whether this one was forgotten.
    const again = isForgotten && !upstream.isFull ? upstream : null;
    for (const request of behind) {
      if (!this.#mayMove(request, silence)) continue;
      const other = pickBeside(route, request, others) ?? again ?? pickBeside(route, request, stuck);
      if (other !== null) this.#move(request, upstream, other, nowMs);
    }
    if (!this.#mayHedge(route, first, upstream, nowMs)) return;
    const other = pickBeside(route, first, others) ?? again ?? pickBeside(route, first, [upstream, ...stuck]);
    if (other !== null) this.#hedge(route, first, upstream, other, nowMs);
  }

  // Where it went last may have fallen silent too; but it may not be where more servers could work on it than one that has
  // waited behind others may meet.
  #mayMove(request: Request, { sinceMs }: Silence): boolean {
    const { isDone, placements, attemptMs, client, trouble } = request;
    const isOnItsWay = placements > 1 && attemptMs >= sinceMs;
    if (isDone || isOnItsWay || client.isClosed || (trouble?.moves ?? 0) >= MAX_MOVES) return false;
    return placements + (trouble?.exposures ?? 0) <= this.#limits.maxAttempts;
  }

  #move(request: Request, upstream: Upstream, other: Upstream, nowMs: number): void {
    const trouble = troubleOf(request);
    trouble.moves += 1;
    trouble.leftBehind.push(upstream);
    request.wasSent = true;
    this.#counters.moves += 1;
    other.send(request, nowMs);
  }

  #mayHedge(route: Route, request: Request, upstream: Upstream, nowMs: number): boolean {
    const { trouble } = request;
    const isOnItsWay = trouble?.isHedged === true || request.placements > 1;
    if (isOnItsWay || request.isDone || request.client.isClosed) return false;
    const isCounted = trouble?.tried.includes(upstream) === true || trouble?.staleOn === upstream;
    const exposures = (trouble?.exposures ?? 0) + (isCounted ? 0 : 1);
    return exposures < this.#limits.maxAttempts && route.budget.canRetry(nowMs);
  }

  #hedge(route: Route, request: Request, upstream: Upstream, other: Upstream, nowMs: number): void {
    const trouble = troubleOf(request);
    if (other === upstream) noteStale(trouble, upstream);
    else noteExposure(trouble, upstream);
    trouble.isHedged = true;
    trouble.isAlone = true;
    trouble.isRetry = true;
    request.wasSent = true;
    handOver(route, other, request, this.#counters, nowMs);
  }
}

function pickBeside(route: Route, { trouble }: Request, others: readonly Upstream[]): Upstream | null {
  if (trouble === null) return route.rotation.pick(others);
  const { tried, leftBehind } = trouble;
  const fresh = leftBehind.length === 0 ? null : route.rotation.pick([...tried, ...others, ...leftBehind]);
  return fresh ?? route.rotation.pick([...tried, ...others]);
}

// It is exposed already, so that this is no attempt on one more.
function canTakeAgain(upstream: Upstream): boolean {
  return isInRotation(upstream.health.state) && !upstream.isFull;
}

function mayHaveCrashed(failure: FailureKind): boolean {
  return failure === 'reset' || failure === 'closed' || failure === 'stale';
}

function troubleOf(request: Request): Trouble {
  request.trouble ??= new Trouble();
  return request.trouble;
}

function exclude({ tried }: Trouble, upstream: Upstream): void {
  if (!tried.includes(upstream)) tried.push(upstream);
}

function noteExposure(trouble: Trouble, upstream: Upstream): void {
  if (trouble.tried.includes(upstream)) return;
  exclude(trouble, upstream);
  if (trouble.staleOn !== upstream) trouble.exposures += 1;
}

// The same server may have it once more: it may never have seen it.
function noteStale(trouble: Trouble, upstream: Upstream): void {
  trouble.staleOn = upstream;
  trouble.exposures += 1;
  trouble.avoid = upstream;
}

// Nothing is left to be done: it is on another connection still, it has its reply, or its client has gone.
function isSettled(request: Request): boolean {
  if (!request.isDone && request.client.isClosed) request.reply = '';
  return request.placements > 0 || request.isDone;
}
