// What the proxy knows of servers: registrations, sessions, health, the table and what happens to it.
import { isWildcard } from '../../shared/addresses.ts';
import { LimitedLog, type Log } from '../../shared/log.ts';
import { HealthChecker } from '../health/health-checker.ts';
import { probe } from '../health/prober.ts';
import { ControlCounts } from '../metrics/control.ts';
import { warnOfFewPlaces } from '../network/descriptors.ts';
import type { ProxyOptions } from '../options.ts';
import { RegistrationAccess } from '../registration/access.ts';
import { Registrar, type RegistrarOptions } from '../registration/registrar.ts';
import { Registry, type RegistryWorld } from '../registration/registry.ts';
import { HEARTBEAT_MS, Sessions } from '../registration/sessions.ts';
import { EventLog } from '../status/events.ts';
import { every } from './timers.ts';
import type { World } from './world.ts';

const SECOND_MS = 1000;

/** What it needs of those who serve requests. */
export type ControlPeers = Pick<
  RegistryWorld,
  'table' | 'makeTally' | 'makePool' | 'onRouteChanged' | 'onLeaving'
> &
  Pick<RegistrarOptions, 'ownPort' | 'onRefusal'>;

export function createControl(options: ProxyOptions, log: Log, world: World, peers: ControlPeers) {
  const { clock, network, random, nonce } = world;
  const { now, wallNow } = clock;
  const { table } = peers;
  const events = new EventLog(wallNow, world.boot);
  const counts = new ControlCounts();
  const refusals = new LimitedLog(log);
  const details = new LimitedLog(log, 'debug');
  const { probe: mode, healthTimeoutMs } = options;

  const checker = new HealthChecker(options, {
    probe: (upstream) => {
      const isAnotherServer = (answersAs: string): boolean => table.isOthers(upstream, answersAs);
      const probed = probe(upstream, { probe: mode, healthTimeoutMs, isAnotherServer, network, clock });
      void probed.then(({ outcome, roundTripMs }) => counts.probed(outcome, roundTripMs));
      return probed;
    },
    clock,
    random,
    hasPlace: (upstream) => registry.hasPlace(upstream),
    isLastReady: (upstream) => table.route(upstream.policy)?.isLastReady(upstream) ?? true,
    onFlip: (upstream, before) => {
      counts.changed(upstream, before.state, now());
      registry.onFlip(upstream);
    },
    log: details,
  });
  const registry = new Registry(
    options,
    {
      ...peers,
      events,
      now,
      wallNow,
      onRemoved: (upstream, lastWords) => sessions.close(upstream, lastWords),
    },
    checker,
  );
  const sessions = new Sessions(now(), checker, details);
  const registrar = new Registrar({
    access: new RegistrationAccess({ ...options, now, nonce }),
    registry,
    sessions,
    boot: events.boot,
    ownPort: peers.ownPort,
    isEverywhere: isWildcard(options.host),
    onRefusal: peers.onRefusal,
    onResult: (result) => counts.registration(result),
    log: refusals,
  });
  warnOfFewPlaces(world.descriptors ?? Number.POSITIVE_INFINITY, options, log);
  const stopLogging = events.listen(({ type, policy, id, address, why }) => {
    log({ level: 'info', message: `server ${type}`, policy, id, address, why });
  });
  let cancelTimers: (() => void)[] = [];

  return {
    events,
    counts,
    checker,
    registry,
    sessions,
    registrar,
    /** For lines that peers provoke: about what is refused, and at level debug. */
    logs: { refusals, details },
    /** Begins to send heartbeats. */
    start: (): void => {
      cancelTimers = [
        every(clock, HEARTBEAT_MS, (asOfMs) => sessions.beat(asOfMs)),
        every(clock, SECOND_MS, (asOfMs) => {
          for (const part of [refusals, events, details]) part.nextSecond();
          table.prune(asOfMs);
        }),
      ];
    },
    /** Probes nobody any more, and ends all connections to servers. */
    stop: (): void => {
      checker.stop();
      for (const cancel of cancelTimers) cancel();
      registry.destroyPools();
      stopLogging();
    },
  };
}
