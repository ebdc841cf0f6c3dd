// seam · what everything in the simulated world shares: its time, its chance, its network, and who watches.
// Must never hold anything that outlives one seed.
import type { StatusSources } from '../../services/proxy/status.ts';
import type { Random } from '../chaos/random.ts';
import type { Host } from './host.ts';
import type { SimulatedNetwork } from './network.ts';
import type { Timeline } from './timeline.ts';

/** What was promised and not kept. */
export type Violation = { invariant: string; detail: string; atMs: number };

export type World = {
  timeline: Timeline;
  random: Random;
  network: SimulatedNetwork;
  proxy: Host;
  sources: StatusSources;
  /** When the proxy's stop began; Infinity before. */
  stoppingSinceMs: number;
  /** When the proxy itself was last frozen, until when. */
  stalledUntilMs: number;
  /** Payloads that a server has answered with a lie. */
  lies: Set<string>;
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
