// seam · what everything in the simulated world shares: its time, its chance, its network, and who watches.
// Must never hold anything that outlives one seed.
import type { Core } from '../../services/proxy/core.ts';
import type { Random } from '../kit/random.ts';
import type { Host } from './host.ts';
import type { SimulatedNetwork } from './network.ts';
import type { SimulatedServer } from './server.ts';
import type { Group } from './sometimes.ts';
import type { Timeline } from './timeline.ts';

/** What was promised and not kept. */
export type Violation = { invariant: string; detail: string; atMs: number };

export type World = {
  timeline: Timeline;
  random: Random;
  network: SimulatedNetwork;
  proxy: Host;
  sources: Core['sources'];
  /** When the proxy's stop began; Infinity before. */
  stoppingSinceMs: number;
  /** When the proxy itself was last frozen, until when. */
  stalledUntilMs: number;
  /** Payloads that a server has answered with a lie. */
  lies: Set<string>;
  /** Answers (see `strayKey`) on connections on which a server has answered twice: nobody but a digest can tell them apart. */
  strays: Set<string>;
  /** Payloads that were answered under another client's id, over a connection that carries one request. */
  misaddressed: Set<string>;
  /** Some requests or servers are slow, though not sick. */
  hasSlowWork: boolean;
  /** Connections that the proxy takes, where clients want more; Infinity elsewhere. */
  places: number;
  /** A server has read a request that kills it. */
  onPoison(server: SimulatedServer, payload: string): void;
  /** Counts that something was reached, for the table of what worlds reach. */
  reached(group: Group, name: string): void;
  /** Ends this world: a promise was not kept. The first one counts. */
  violate(invariant: string, detail: string): void;
  /** Notes what has happened; the text is made only where somebody reads it. */
  trace(text: () => string): void;
};

/** Where the proxy is. */
export const PROXY_ADDRESS = '10.0.0.1';
export const PROXY_PORT = 10_000;

/** The lie about a payload: recognisable, so that it is not taken for another request's answer. */
export function lieAbout(payload: string): string {
  return `a lie about ${payload}`;
}

/** How a client and a digest are noted in `World.strays`. */
export function strayKey(clientId: string | number, digest: string): string {
  return `${clientId} ${digest}`;
}

const POISON = 'poison ';
const SLOW = /^slow (\d+) /;

/** A payload that kills the process that reads it. */
export function poison(payload: string): string {
  return `${POISON}${payload}`;
}

export function isPoison(payload: string): boolean {
  return payload.startsWith(POISON);
}

/** A payload that takes so long, whoever works on it. */
export function slow(payload: string, ms: number): string {
  return `slow ${ms} ${payload}`;
}

/** How long a payload takes at least; 0 for as long as its server takes for any. */
export function slownessOf(payload: string): number {
  return payload.startsWith('slow ') ? Number(SLOW.exec(payload)?.[1] ?? 0) : 0;
}
