// The proxy on a real network: the core, and the status listener beside it.
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../shared/clock.ts';
import { LimitedLog, type Log } from '../shared/log.ts';
import { createCore } from './core.ts';
import { descriptorLimit } from './network/descriptors.ts';
import type { Network } from './network/network.ts';
import { systemNetwork } from './network/system-network.ts';
import { tlsNetwork } from './network/tls-network.ts';
import type { ProxyOptions } from './options.ts';
import type { EventLog } from './status/events.ts';
import { openStatus } from './status/status.ts';

const NONCE_BYTES = 24;
const SECOND_MS = 1000;

export type RunningProxy = {
  port: number;
  adminPort: number;
  /** What happens to the servers, as the status listener shows it. */
  events: EventLog;
  /** Refuses what is new, finishes what is in flight, at most `drainTimeoutMs`; then closes everything. */
  stop: () => Promise<void>;
};

/** Starts a proxy; rejects with the system's error when one of its ports can't be had. */
export async function startProxy(options: ProxyOptions, log: Log): Promise<RunningProxy> {
  const failures = new LimitedLog(log);
  const core = createCore(options, log, {
    clock: systemClock,
    network: networkFor(options, failures),
    random: Math.random,
    descriptors: descriptorLimit(),
    nonce: () => randomBytes(NONCE_BYTES).toString('base64url'),
  });
  const status = await openStatus(options, core.sources);
  const everySecond = setInterval(() => failures.nextSecond(), SECOND_MS).unref();
  const closeStatus = (): void => {
    clearInterval(everySecond);
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

function networkFor({ tls, upstreamTls }: ProxyOptions, failures: LimitedLog): Network {
  if (tls === null && upstreamTls === null) return systemNetwork;
  return tlsNetwork(systemNetwork, {
    listen: tls,
    dial: upstreamTls,
    onFailure: (failure) => failures.write({ level: 'warn', message: 'TLS handshake failed', ...failure }),
  });
}
