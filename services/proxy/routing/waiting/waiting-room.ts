// The requests that no server can take yet: which ones may wait, and which ones are served once something has changed.
import type { ProxyOptions } from '../../options.ts';
import type { LonePlaces } from '../../servers/limits/lone-places.ts';
import type { Upstream } from '../../servers/upstream.ts';
import type { RetryCounters, Route } from '../policy-table.ts';
import type { Replier } from '../replier.ts';
import type { Request } from '../request.ts';
import type { Look } from './fair-queue.ts';

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
  readonly #lonePlaces: Pick<LonePlaces, 'hasRoom'>;

  constructor(
    limits: WaitingRoomLimits,
    replier: Replier,
    counters: RetryCounters,
    lonePlaces: Pick<LonePlaces, 'hasRoom'>,
  ) {
    this.#limits = limits;
    this.#replier = replier;
    this.#counters = counters;
    this.#lonePlaces = lonePlaces;
  }

  /** Has a request wait for a server of its route, or refuses it. Where all places are taken it may have another one's. */
  admit(request: Request, route: Route | undefined, nowMs: number): void {
    if (route === undefined || !mayWait(route, request, this.#limits, nowMs)) {
      this.#replier.giveUp(request);
      return;
    }
    const refused = route.waiting.add(request, this.#limits.maxWaiting);
    if (refused !== null && !this.#replier.isOver(refused)) {
      this.#replier.refuse(
        refused,
        'OVERLOADED',
        `All servers of policy ${refused.policy} are busy and the queue is full: try again later.`,
      );
    }
    // All of them are looked at whenever something changes; a newcomer changes nothing for those before it.
    if (refused !== request && route.rotation.hasRoom(request.tried)) this.serve(route, nowMs);
  }

  /** Has one wait before all others: it was handed over already, and the server's accept queue was full. */
  readmit(request: Request, route: Route): void {
    route.waiting.addFirst(request);
  }

  /** Drops the requests that are over, wherever they stand; then as `serve`, with waits judged as of `asOfMs`. Called now and then. */
  sweep(route: Route, asOfMs: number, nowMs: number): void {
    route.waiting.visit((request) => (this.#replier.isOver(request) ? 'over' : 'waits'));
    this.serve(route, nowMs, asOfMs);
  }

  /** The servers of a route, or their load, have changed: each request is served, waits on, or is refused. */
  serve(route: Route, nowMs: number, asOfMs = nowMs): void {
    if (route.waiting.length === 0) return;
    route.waiting.visit((request) => (route.isFull ? 'stop' : this.#serveOne(request, route, nowMs, asOfMs)));
  }

  #serveOne(request: Request, route: Route, nowMs: number, asOfMs: number): Look {
    if (this.#replier.isOver(request)) return 'over';
    if (request.trouble?.isAlone === true && !this.#lonePlaces.hasRoom(request.policy)) return 'waits';
    const outcome = route.handToNext(request, this.#counters, nowMs);
    if (outcome === 'handed') return 'served';
    if (outcome === 'none' && mayWait(route, request, this.#limits, asOfMs)) return 'waits';
    this.#replier.giveUp(request);
    return 'over';
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
