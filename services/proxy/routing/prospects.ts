// pure · whether a request that nobody can take right now has any hope of a server. Off the fast path.
// Must never let a request wait for a server that has failed it already.

import type { Upstream } from '../servers/upstream.ts';
import type { Route } from './policy-table.ts';
import type { Request } from './request.ts';

// How long after a policy has become empty requests still wait for its next server.
const AFTER_FAILURE_MS = 1000;
const AFTER_LEAVE_MS = 5000;
// A held request is told that there is no server shortly before its deadline would say that the time is up.
const LAST_WORD_MS = 100;

export type WaitingLimits = {
  requestTimeoutMs: number;
  /** How long a request may wait for a server to become ready. */
  holdMs: number;
};

/**
 * A full server will have room again, and one that joins or is suspect may be ready soon. After a policy has lost its
 * last server the next one is often on its way: soon if that one failed, a little later if it left to start again.
 * @returns false when waiting is of no use any more; otherwise `request.heldSinceMs` says since when it is held
 */
export function hasProspects(route: Route, request: Request, limits: WaitingLimits, nowMs: number): boolean {
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
  // With nobody even on its way it is mere hope: the client's wait counts from when its request came, so that one which
  // was on the last server when that died is not held for longer than the others.
  const sinceArrivalMs = nowMs - (request.deadlineMs - limits.requestTimeoutMs);
  const mayHope = isEmpty && emptyMs < AFTER_FAILURE_MS && sinceArrivalMs < limits.holdMs;
  const mayBecomeReady = ({ health: { state } }: Upstream): boolean =>
    state === 'joining' || state === 'suspect';
  return route.upstreams.some((upstream) => mayBecomeReady(upstream) && isUntried(upstream)) || mayHope;
}
