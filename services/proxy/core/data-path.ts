// What serves requests: the well-known port, the way of a request to a server, and the connections to servers.
import { LimitedLog, type Log } from '../../shared/log.ts';
import type { PacketHandlers } from '../clients/client-connection.ts';
import { LISTENER_SWEEP_MS, Listener, type Occupancy } from '../clients/listener.ts';
import { sourceLimit } from '../clients/source-limit.ts';
import type { LoopDelay } from '../metrics/control.ts';
import { lonePlacesFor, placesFor, SPARE_DESCRIPTORS } from '../network/descriptors.ts';
import type { ProxyOptions } from '../options.ts';
import { standings } from '../registration/access.ts';
import { Forwarder, type ForwarderEvents, type TrafficJudge } from '../routing/forwarder.ts';
import type { PolicyTable } from '../routing/policy-table.ts';
import { Refusals } from '../routing/refusals.ts';
import { isRightAnswer } from '../servers/answer-check.ts';
import { Flusher } from '../servers/flusher.ts';
import { LonePlaces } from '../servers/limits/lone-places.ts';
import { Pool } from '../servers/pool.ts';
import type { Upstream, UpstreamPool } from '../servers/upstream.ts';
import { beLameDuck, drain, type Stopping } from './drain.ts';
import { every } from './timers.ts';
import type { World } from './world.ts';

const SWEEP_MS = 20;
const SECOND_MS = 1000;

/** What it needs of those who look after the servers. */
export type DataPathPeers = {
  registrar: PacketHandlers['registrar'] & Stopping['registrar'];
  sessions: PacketHandlers['sessions'] & Stopping['sessions'];
  table: PolicyTable;
  judge: TrafficJudge;
  onDrained: ForwarderEvents['onDrained'];
  logs: { refusals: LimitedLog; details: LimitedLog };
  /** Names this start of the proxy, in the ids of refusals. */
  boot: string;
  loopDelay: LoopDelay;
  /** Where other threads listen too. */
  occupancy?: Occupancy;
};

export function createDataPath(options: ProxyOptions, log: Log, world: World, peers: DataPathPeers) {
  const { clock, network, descriptors = Number.POSITIVE_INFINITY, watch = null } = world;
  const { now } = clock;
  const { table, judge, registrar, sessions, logs } = peers;
  const errors = new LimitedLog(log, 'debug');
  const places = placesFor(descriptors, options);
  const lonePlaces = new LonePlaces(() => {
    const clients = peers.occupancy?.clients ?? listener.connectionCount;
    return lonePlacesFor(places, { servers: table.size, clients }, options);
  });
  const forwarder = new Forwarder(
    table,
    options,
    judge,
    {
      onDrained: peers.onDrained,
      onCulprit: ({ clientId: client, policy, wire, tried }) => {
        const message = 'a request broke its connection to every server that it was tried on';
        const servers = tried?.map(({ id }) => id);
        logs.refusals.write({ level: 'warn', message, client, policy, bytes: wire.length, servers });
      },
    },
    options.verifyAnswers ? isRightAnswer : null,
    now,
    lonePlaces,
    watch,
    new Refusals(peers.boot, errors, watch),
  );
  const poolWorld = { network, flusher: new Flusher(clock.soon), now, watch, lonePlaces };
  const standingOf = standings(options.registerFrom);
  // Those of one source are not counted for all workers together: each lets in its share.
  const maxConnectionsPerSource = Math.ceil(sourceLimit({ ...options, ...places }) / options.workers);
  const listener = new Listener(
    {
      ...options,
      ...places,
      maxConnectionsPerSource,
      maxDescriptor: descriptors - SPARE_DESCRIPTORS * options.workers,
    },
    {
      network,
      clock,
      standingOf: (host) => (table.hasHost(host) ? 'known' : standingOf(host)),
      log: logs.details,
      occupancy: peers.occupancy,
    },
    { forwarder, registrar, sessions },
  );
  let cancelTimers: (() => void)[] = [];

  return {
    forwarder,
    listener,
    makePool: (upstream: Upstream): UpstreamPool => new Pool(upstream, options, poolWorld, forwarder),
    /**
     * Listens; rejects with the system's error when the port can't be had.
     * @param port one that this process has claimed already; null where it is to be claimed
     */
    open: async (port: number | null = null): Promise<void> => {
      await listener.open(port);
      cancelTimers = [
        every(clock, SWEEP_MS, (asOfMs) => {
          peers.loopDelay.ticked(asOfMs, SWEEP_MS);
          forwarder.sweep(asOfMs);
        }),
        every(clock, SECOND_MS, () => {
          errors.nextSecond();
          listener.logRefused(log);
        }),
        every(clock, LISTENER_SWEEP_MS, (asOfMs) => listener.sweep(asOfMs)),
      ];
    },
    /** As `stop` of the core, but for the connections to servers. */
    stop: async (otherProxies: readonly string[] | null): Promise<void> => {
      const parts = { forwarder, registrar, sessions, listener, clock };
      if (otherProxies !== null) await beLameDuck(parts, options.lameDuckMs, otherProxies);
      await drain(parts, options.drainTimeoutMs);
      for (const cancel of cancelTimers) cancel();
    },
  };
}
