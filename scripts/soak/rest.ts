// shell · the proxy at rest: what it holds when no client is there and all servers are in rotation.
// Must never take a probe that is under way for a leak: the least of many readings counts.
import { setTimeout as sleep } from 'node:timers/promises';
import { readHandles } from './handles.ts';
import type { Handles, Rest } from './journal.ts';
import type { Stage } from './stage.ts';

const READINGS = 20;
const READ_EVERY_MS = 100;
// Strangers that were found dead are forgotten by then, and the last connections have been closed.
const SETTLED_WITHIN_MS = 30_000;

/**
 * Looks until it is as it was `before`, or until two looks in a row say the same when there is no before.
 * @returns the last look, at the deadline too: it is for the verdict to say what that means
 */
export async function takeRest(stage: Stage, before: Rest | null, signal: AbortSignal): Promise<Rest> {
  const untilMs = performance.now() + SETTLED_WITHIN_MS;
  let wanted = before;
  for (;;) {
    const rest = await look(stage, signal);
    if (wanted !== null && isSame(rest, wanted)) return rest;
    if (performance.now() > untilMs) return rest;
    if (before === null) wanted = rest;
  }
}

async function look(stage: Stage, signal: AbortSignal): Promise<Rest> {
  let least: Handles = readHandles(stage.proxy.pid);
  for (let n = 1; n < READINGS; n += 1) {
    await sleep(READ_EVERY_MS, undefined, { signal });
    const now = readHandles(stage.proxy.pid);
    if (now.total < least.total) least = now;
  }
  const { policies, proxy } = await stage.status();
  const servers = policies.flatMap((row) => row.servers);
  return {
    handles: least,
    connections: proxy.connections,
    servers: servers.map(({ id, policy, state }) => nameOf(policy, id, state)),
  };
}

function nameOf(policy: string, id: string | number, state: string): string {
  return `${policy}/${id}${state === 'ready' ? '' : ` (${state})`}`;
}

function isSame(a: Rest, b: Rest): boolean {
  return (
    a.handles.total === b.handles.total &&
    a.connections === b.connections &&
    a.servers.toSorted().join() === b.servers.toSorted().join()
  );
}
