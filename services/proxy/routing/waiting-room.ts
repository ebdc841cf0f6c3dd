// The requests that no server can take yet: which ones may wait, and which ones are served once something has changed.
import type { ProxyOptions } from '../options.ts';
import type { Upstream } from '../servers/upstream.ts';
import type { RetryCounters, Route } from './policy-table.ts';
import type { Replier } from './replier.ts';
import type { Request } from './request.ts';

const SCARCE_SHARE = 1 / 8;
// How long after a policy has become empty requests still wait for its next server.
const AFTER_FAILURE_MS = 1000;
const AFTER_LEAVE_MS = 5000;
// A held request is refused for want of a server shortly before its deadline would say that the time is up.
const LAST_WORD_MS = 100;

export type WaitingRoomLimits = Pick<ProxyOptions, 'maxWaiting' | 'holdMs' | 'requestTimeoutMs'>;

/** Writes the queue of each route. */
export class WaitingRoom {
  readonly #limits: WaitingRoomLimits;
  readonly #replier: Replier;
  readonly #counters: RetryCounters;

  constructor(limits: WaitingRoomLimits, replier: Replier, counters: RetryCounters) {
    this.#limits = limits;
    this.#replier = replier;
    this.#counters = counters;
  }

  /** Has a request wait for a server of its route, or refuses it. */
  admit(request: Request, route: Route | undefined, nowMs: number): void {
    if (route === undefined || !mayWait(route, request, this.#limits, nowMs)) {
      this.#replier.giveUp(request);
    } else if (this.#isFullFor(request, route)) {
      this.#replier.refuse(
        request,
        'OVERLOADED',
        `All servers of policy ${request.policy} are busy and the queue is full: try again later.`,
      );
    } else {
      route.waiting.push(request);
      // All of them are looked at whenever something changes; a newcomer changes nothing for those before it.
      if (route.rotation.hasRoom(request.tried)) this.serve(route, nowMs);
    }
  }

  // The last places are for clients that have few requests open, fewer than are left: those that send without end would
  // have each place as it becomes free (dynamic thresholds, A. Choudhury and E. Hahne, 1998).
  #isFullFor({ client }: Request, { waiting }: Route): boolean {
    const { maxWaiting } = this.#limits;
    const left = maxWaiting - waiting.length;
    return left <= 0 || (left <= maxWaiting * SCARCE_SHARE && client.openCount > left);
  }

  /** Has one wait before all others: it was handed over already, and the server's accept queue was full. */
  readmit(request: Request, route: Route): void {
    route.waiting.unshift(request);
  }

  /** Drops the requests that are over, wherever they stand; then as `serve`. Called now and then. */
  sweep(route: Route, nowMs: number): void {
    const { waiting } = route;
    let kept = 0;
    for (const request of waiting) {
      if (this.#replier.isOver(request)) continue;
      waiting[kept] = request;
      kept += 1;
    }
    waiting.length = kept;
    this.serve(route, nowMs);
  }

  /** The servers of a route, or their load, have changed: each request is served, waits on, or is refused. */
  serve(route: Route, nowMs: number): void {
    const { waiting } = route;
    if (waiting.length === 0) return;
    const stillWaiting: Request[] = [];
    let at = 0;
    while (at < waiting.length && !route.isFull) {
      const request = waiting[at] as Request;
      at += 1;
      if (!this.#isSettled(request, route, nowMs)) stillWaiting.push(request);
    }
    if (at === stillWaiting.length) return;
    waiting.splice(0, at - stillWaiting.length);
    for (const [index, request] of stillWaiting.entries()) waiting[index] = request;
  }

  // False when the request has to wait on.
  #isSettled(request: Request, route: Route, nowMs: number): boolean {
    if (this.#replier.isOver(request)) return true;
    const outcome = route.handToNext(request, this.#counters, nowMs);
    if (outcome === 'none' && mayWait(route, request, this.#limits, nowMs)) return false;
    if (outcome !== 'handed') this.#replier.giveUp(request);
    return true;
  }
}

/**
 * A full server will have room again, and one that joins or is suspect may be ready soon. After a policy has lost its
 * last server the next one is often on its way: soon if that one failed, a little later if it left to start again.
 * @returns false when waiting is of no use; otherwise `request.heldSinceMs` says since when it is held
 */
function mayWait(route: Route, request: Request, limits: WaitingRoomLimits, nowMs: number): boolean {
  request.trouble?.forgetLack(nowMs);
  const isUntried = (upstream: Upstream): boolean => !request.tried?.includes(upstream);
  if (route.rotation.members.some(isUntried)) {
    request.heldSinceMs = 0;
    return true;
  }
  if (request.heldSinceMs === 0) request.heldSinceMs = nowMs;
  const heldMs = nowMs - request.heldSinceMs;
  const isEmpty = route.rotation.members.length === 0;
  const emptyMs = nowMs - route.emptiedAtMs;
  if (isEmpty && route.wasLeft && emptyMs < AFTER_LEAVE_MS && limits.holdMs > 0) {
    return heldMs < limits.requestTimeoutMs - LAST_WORD_MS;
  }
  if (heldMs >= limits.holdMs) return false;
  // With no server even on its way it is mere hope: the wait counts from when the request came, so that one which was on
  // the last server when that died is not held for longer than the others.
  const sinceArrivalMs = nowMs - (request.deadlineMs - limits.requestTimeoutMs);
  const mayHope = isEmpty && emptyMs < AFTER_FAILURE_MS && sinceArrivalMs < limits.holdMs;
  const mayBecomeReady = ({ health: { state }, drainOrder }: Upstream): boolean =>
    drainOrder === null && (state === 'joining' || state === 'suspect');
  return route.upstreams.some((upstream) => mayBecomeReady(upstream) && isUntried(upstream)) || mayHope;
}
