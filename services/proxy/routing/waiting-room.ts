// pure · the requests that nobody can take yet: who may wait, and who is served once something has changed.
// Must never let one wait that has no hope of a server, or overtake those that have waited for longer.
import { handOver } from './hand-over.ts';
import type { Route } from './policy-table.ts';
import { hasProspects, type WaitingLimits } from './prospects.ts';
import type { Replier } from './replier.ts';
import type { Request } from './request.ts';

const SCARCE_SHARE = 1 / 8;

export type WaitingRoomLimits = WaitingLimits & {
  /** Requests of one policy that may wait. */
  maxWaiting: number;
};

/** Each route has its own queue in it; nobody else writes those. */
export class WaitingRoom {
  readonly #limits: WaitingRoomLimits;
  readonly #replier: Replier;
  readonly #counters: { retries: number };

  constructor(limits: WaitingRoomLimits, replier: Replier, counters: { retries: number }) {
    this.#limits = limits;
    this.#replier = replier;
    this.#counters = counters;
  }

  /** Has a request wait for a server of its route, or refuses it. */
  admit(request: Request, route: Route | undefined, nowMs: number): void {
    if (route === undefined || !hasProspects(route, request, this.#limits, nowMs)) {
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

  /** Whoever has gone, or has been told that its time is up, gives its place up; then as `serve`. Called now and then. */
  sweep(route: Route, nowMs: number): void {
    const { waiting } = route;
    let kept = 0;
    for (const request of waiting) {
      if (isOver(request)) continue;
      waiting[kept] = request;
      kept += 1;
    }
    waiting.length = kept;
    this.serve(route, nowMs);
  }

  /** The servers of a route, or their load, have changed: whoever waits is served, waits on, or is refused. */
  serve(route: Route, nowMs: number): void {
    const { waiting } = route;
    if (waiting.length === 0) return;
    const stillWaiting: Request[] = [];
    let at = 0;
    while (at < waiting.length && !route.isFull) {
      const request = waiting[at] as Request;
      at += 1;
      if (!this.#isServed(request, route, nowMs)) stillWaiting.push(request);
    }
    if (at === stillWaiting.length) return;
    waiting.splice(0, at - stillWaiting.length);
    for (const [index, request] of stillWaiting.entries()) waiting[index] = request;
  }

  // False when the request has to wait on.
  #isServed(request: Request, route: Route, nowMs: number): boolean {
    if (isOver(request)) return true;
    const upstream = route.pickFor(request);
    if (upstream !== null)
      return handOver(route, upstream, request, this.#counters, nowMs) || this.#giveUp(request);
    if (hasProspects(route, request, this.#limits, nowMs)) return false;
    return this.#giveUp(request);
  }

  #giveUp(request: Request): true {
    this.#replier.giveUp(request);
    return true;
  }
}

// Nobody waits for it any more.
function isOver(request: Request): boolean {
  if (!request.isDone && request.client.isClosed) request.reply = '';
  return request.isDone;
}
