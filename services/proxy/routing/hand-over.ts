// pure · a request goes to a server: its policy's budget is fed by first attempts, and pays for retries. On the data path.

import type { Upstream } from '../servers/upstream.ts';
import type { Route } from './policy-table.ts';
import type { Request } from './request.ts';

/**
 * @param counters counts the retries
 * @returns false, and nothing is sent, when it is a retry and the budget has none left
 */
export function handOver(
  route: Route,
  upstream: Upstream,
  request: Request,
  counters: { retries: number },
  nowMs: number,
): boolean {
  const { trouble } = request;
  if (request.upstream === null) {
    route.budget.feed(nowMs);
  } else if (trouble?.isRetry === true) {
    if (!route.budget.canRetry(nowMs)) return false;
    route.budget.charge(nowMs);
    counters.retries += 1;
    trouble.isRetry = false;
  }
  upstream.send(request, nowMs);
  return true;
}
