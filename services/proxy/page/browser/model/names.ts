// The names of servers by their keys: events and outs have ids only, also of servers that have left.
import type { ClusterState } from './contract.ts';
import { keyOf } from './rows.ts';
import { nameOf } from './words.ts';

const KEPT = 4096;

const names = new Map<string, string>();

/** Learns the names in a state. */
export function learnNames({ policies }: ClusterState): void {
  if (names.size > KEPT) names.clear();
  for (const { servers } of policies)
    for (const server of servers) if (server.name) names.set(keyOf(server), server.name);
}

type Known = { policy: string; id: string | number };

/** The same server with its name, where one has been learned. */
export function withName(server: Known) {
  return { ...server, name: names.get(keyOf(server)) };
}

/** What a server is called, also one that has left. */
export function knownName(server: Known): string {
  return nameOf(withName(server));
}
