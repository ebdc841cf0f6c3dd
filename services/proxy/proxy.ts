// shell · the proxy on a real network: the core, and the status listener beside it.
// Must never hold a rule of its own: the core is the same in a simulated world.
import type { AddressInfo } from 'node:net';
import { systemClock } from '../shared/clock.ts';
import type { Line } from '../shared/log-later.ts';
import { createCore, type World } from './core.ts';
import type { EventLog } from './events.ts';
import { systemNetwork } from './network.ts';
import type { ProxyOptions } from './options.ts';
import { openStatus } from './status.ts';

const WORLD: World = { clock: systemClock, network: systemNetwork, random: Math.random };

export type RunningProxy = {
  /** The well-known port. */
  port: number;
  adminPort: number;
  /** What happens to the servers, as the status listener tells it. */
  events: EventLog;
  /** Refuses what is new, finishes what is in flight, at most `drainTimeoutMs`; then closes everything. */
  stop: () => Promise<void>;
};

/** Starts a proxy; rejects with the system's error when one of its ports can't be had. */
export async function startProxy(options: ProxyOptions, log: (line: Line) => void): Promise<RunningProxy> {
  const core = createCore(options, log, WORLD);
  const status = await openStatus(options.adminHost, options.adminPort, core.sources);
  const closeStatus = (): void => {
    status.closeAllConnections();
    status.close();
  };
  const port = await core.open().catch((error: unknown) => {
    closeStatus();
    throw error;
  });
  return {
    port,
    adminPort: (status.address() as AddressInfo).port,
    events: core.sources.events,
    stop: async () => {
      await core.stop();
      closeStatus();
    },
  };
}
