// shell · the proxy on a real network: the core, and the status listener beside it.
// Must never hold a rule of its own: the core is the same in a simulated world.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../shared/clock.ts';
import type { Line } from '../shared/log.ts';
import { createCore } from './core.ts';
import { descriptorLimit } from './network/descriptors.ts';
import { type Network, systemNetwork } from './network/network.ts';
import { tlsNetwork } from './network/tls-network.ts';
import type { ProxyOptions } from './options.ts';
import type { EventLog } from './status/events.ts';
import { RefusalLog } from './status/refusal-log.ts';
import { openStatus } from './status/status.ts';

const NONCE_BYTES = 24;
const SECOND_MS = 1000;

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
  const failures = new RefusalLog(log);
  const core = createCore(options, log, {
    clock: systemClock,
    network: networkFor(options, failures),
    random: Math.random,
    descriptors: readDescriptorLimit(),
    nonce: () => randomBytes(NONCE_BYTES).toString('base64url'),
  });
  const status = await openStatus(options, core.sources);
  const telling = setInterval(() => failures.nextSecond(), SECOND_MS).unref();
  const closeStatus = (): void => {
    clearInterval(telling);
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

// Node has raised the soft limit to the hard one by now.
function readDescriptorLimit(): number {
  try {
    return descriptorLimit(readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    // Not Linux: the system's own refusal has to do.
    return Number.POSITIVE_INFINITY;
  }
}

function networkFor({ tls, upstreamTls }: ProxyOptions, failures: RefusalLog): Network {
  if (tls === null && upstreamTls === null) return systemNetwork;
  return tlsNetwork(systemNetwork, {
    listen: tls,
    dial: upstreamTls,
    onFailure: (failure) => failures.tell({ level: 'warn', message: 'TLS handshake failed', ...failure }),
  });
}
