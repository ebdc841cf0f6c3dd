// pure · which servers of a policy this proxy uses when it does not use all (`--subset`): those with the lowest ranks.
// After gRPC's proposal A68, random subsetting with rendezvous hashing.
import { hash } from 'node:crypto';
import { isInRotation } from '../health/health.ts';
import type { Upstream } from '../servers/upstream.ts';

/** As many hexadecimal digits as a number holds exactly. */
const RANK_DIGITS = 13;

type Candidate = Pick<Upstream, 'rank' | 'drainOrder'> & { health: Pick<Upstream['health'], 'state'> };

/**
 * A server's place in the order in which one proxy would choose it, the lowest first.
 * @param salt another one for each proxy, or all would choose the same
 * @param key of the server: the same after a restart at another address
 */
export function rankOf(salt: string, key: string): number {
  return Number.parseInt(hash('sha1', `${salt} ${key}`).slice(0, RANK_DIGITS), 16);
}

/** Whether a server that comes into the rotation is one of the `size` best; with a size of 0 every server is. */
export function hasPlace(server: Candidate, servers: readonly Candidate[], size: number): boolean {
  if (size === 0) return true;
  let better = 0;
  for (const other of servers) {
    if (other !== server && holdsPlace(other) && other.rank < server.rank) better += 1;
    if (better === size) return false;
  }
  return true;
}

/**
 * What brings a subset of `size` servers nearer to what it should be: the best ones of those that are good for requests.
 * @returns a server that comes in, or one that goes out for a better one; null when nothing is to be done
 */
export function nextMove<Server extends Candidate>(
  servers: readonly Server[],
  size: number,
): { server: Server; comesIn: boolean } | null {
  if (size === 0) return null;
  let held = 0;
  let worst: Server | null = null;
  let next: Server | null = null;
  for (const server of servers) {
    if (holdsPlace(server)) {
      held += 1;
      if (worst === null || server.rank > worst.rank) worst = server;
    } else if (standsBy(server) && (next === null || server.rank < next.rank)) next = server;
  }
  if (next !== null && (held < size || (worst !== null && next.rank < worst.rank)))
    return { server: next, comesIn: true };
  return worst !== null && held > size ? { server: worst, comesIn: false } : null;
}

// A suspect keeps its place: a probe decides within moments.
function holdsPlace({ health: { state }, drainOrder }: Candidate): boolean {
  return drainOrder === null && (isInRotation(state) || state === 'suspect');
}

function standsBy({ health: { state }, drainOrder }: Candidate): boolean {
  return drainOrder === null && state === 'standby';
}
