// The real world, in which a proxy or one of its workers runs: network, time and chance, and what is written of its requests.
import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../../shared/clock.ts';
import { LimitedLog, type Log } from '../../shared/log.ts';
import { openTracing } from '../../shared/tracing.ts';
import { AccessLog } from '../access-log/access-log.ts';
import { BoundedWriter } from '../access-log/bounded-writer.ts';
import { jsonLine, textLine } from '../access-log/line.ts';
import { blockList } from '../network/blocks.ts';
import { descriptorLimit } from '../network/descriptors.ts';
import type { Network } from '../network/network.ts';
import { ProxyHeaders } from '../network/proxy-protocol/proxy-protocol.ts';
import { systemNetwork } from '../network/system-network.ts';
import { TicketKeys, tlsNetwork } from '../network/tls-network.ts';
import type { ProxyOptions } from '../options.ts';
import { joinWatches } from '../routing/watch.ts';
import { RequestTracing } from '../tracing/request-tracing.ts';
import type { World } from './world.ts';

const NONCE_BYTES = 24;

export type SystemWorld = {
  world: World;
  /** For lines about what peers and readers do wrong. */
  failures: LimitedLog;
  /** Null where no load balancer is named. */
  headers: ProxyHeaders | null;
  tickets: TicketKeys;
  /** Lines of the access log that nobody was there to take. */
  accessLogDropped(): number;
  nextSecond(): void;
  /** Writes and sends what waits for that. */
  close(): Promise<void>;
};

/**
 * @param boot    names this start of the proxy
 * @param aheadMs how far the clock is ahead of the thread's own
 */
export async function openSystemWorld(
  options: ProxyOptions,
  log: Log,
  boot: string,
  clock: Clock = systemClock,
  aheadMs = 0,
): Promise<SystemWorld> {
  const failures = new LimitedLog(log);
  const accessLog = openAccessLog(options, clock);
  const tracing = await openTraces(options, log, clock, aheadMs);
  const descriptors = descriptorLimit();
  const tickets = new TicketKeys();
  const headers = proxyHeadersFor(options, descriptors, clock, failures);
  return {
    failures,
    headers,
    tickets,
    world: {
      ...{
        clock,
        boot,
        descriptors,
        network: networkFor(options, headers, tickets, failures),
        random: Math.random,
      },
      nonce: () => randomBytes(NONCE_BYTES).toString('base64url'),
      watch: joinWatches([accessLog, tracing?.requests].filter((watch) => watch != null)),
    },
    accessLogDropped: () => accessLog?.dropped ?? 0,
    nextSecond: () => {
      failures.nextSecond();
      accessLog?.nextSecond(log);
      tracing?.requests.nextSecond();
      tickets.rotateIfDue();
    },
    close: async () => {
      await accessLog?.close();
      await tracing?.close();
    },
  };
}

// On standard output, apart from the process's own log. Null where it is off.
function openAccessLog(options: ProxyOptions, clock: Clock): AccessLog | null {
  const { accessLog: share, attemptTimeoutMs: slowMs, requestTimeoutMs, logFormat } = options;
  if (share === 0) return null;
  const format = logFormat === 'json' ? jsonLine : textLine;
  const writer = new BoundedWriter(process.stdout, clock);
  return new AccessLog({ share, slowMs, requestTimeoutMs, format }, writer, clock, Math.random);
}

async function openTraces(
  { traceEndpoint, traceShare: share, requestTimeoutMs }: ProxyOptions,
  log: Log,
  clock: Clock,
  aheadMs: number,
): Promise<{ requests: RequestTracing; close(): Promise<void> } | null> {
  if (traceEndpoint === null) return null;
  const tracing = await openTracing('policy-proxy', traceEndpoint, log, aheadMs);
  const requests = new RequestTracing({ share, requestTimeoutMs }, tracing, clock.now, Math.random);
  return { requests, close: tracing.close };
}

// Null where no load balancer is named.
function proxyHeadersFor(
  { proxyProtocol }: ProxyOptions,
  descriptors: number,
  clock: Clock,
  log: LimitedLog,
): ProxyHeaders | null {
  if (proxyProtocol.length === 0) return null;
  const balancers = blockList('--proxy-protocol', proxyProtocol);
  return new ProxyHeaders({ balancers, descriptors, clock, log });
}

function networkFor(
  { tls, upstreamTls }: ProxyOptions,
  headers: ProxyHeaders | null,
  tickets: TicketKeys,
  failures: LimitedLog,
): Network {
  const plain = headers?.before(systemNetwork) ?? systemNetwork;
  if (tls === null && upstreamTls === null) return plain;
  return tlsNetwork(plain, {
    listen: tls,
    dial: upstreamTls,
    headers,
    tickets,
    onFailure: (failure) => failures.write({ level: 'warn', message: 'TLS handshake failed', ...failure }),
  });
}
