// The composition root of a proxy in one thread: makes the parts and wires them, in the world that it is given.
import type { Log } from '../../shared/log.ts';
import type { ControlCounts } from '../metrics/control.ts';
import type { Traffic } from '../metrics/traffic.ts';
import type { ProxyOptions } from '../options.ts';
import type { Registry } from '../registration/registry.ts';
import { PolicyTable } from '../routing/policy-table.ts';
import type { Request } from '../routing/request.ts';
import { type SnapshotSources, snapshotOf } from '../status/snapshot.ts';
import type { StatusSources } from '../status/status.ts';
import { createControl } from './control.ts';
import { createDataPath } from './data-path.ts';
import type { World } from './world.ts';

export type Core = {
  /** For the status listener, and for what watches the proxy from within. */
  sources: StatusSources &
    SnapshotSources & {
      traffic: Traffic<Request>;
      port: () => number;
      control: ControlCounts;
      registry: Registry;
    };
  /** Listens on the well-known port; rejects with the system's error when it can't be had. @returns the port */
  open(): Promise<number>;
  /**
   * Serves on for `lameDuckMs`; then refuses what is new, finishes what is in flight, at most `drainTimeoutMs`, and closes everything.
   * @param otherProxies host:port of each; null where nobody can take over, so that serving on would help nobody
   */
  stop(otherProxies?: readonly string[] | null): Promise<void>;
};

/** Makes a proxy that has no status listener. */
export function createCore(options: ProxyOptions, log: Log, world: World): Core {
  const table = new PolicyTable();
  const control = createControl(options, log, world, {
    table,
    makePool: (upstream) => dataPath.makePool(upstream),
    onRouteChanged: (route) => forwarder.routeChanged(route),
    onLeaving: (upstream) => forwarder.onLeaving(upstream),
    ownPort: () => listener.port,
    onRefusal: (code, whom) => forwarder.noteRefusal(code, whom),
  });
  const { events, registry, registrar, sessions, counts, checker, logs } = control;
  const dataPath = createDataPath(options, log, world, {
    table,
    logs,
    sessions,
    boot: events.boot,
    judge: checker,
    loopDelay: counts.loopDelay,
    registrar: {
      register: (connection, packet, answer) => answer(registrar.register(connection, packet)),
      drain: () => registrar.drain(),
    },
    onDrained: (upstream) => registry.onDrained(upstream),
  });
  const { forwarder, listener } = dataPath;

  const sources = {
    table,
    events,
    counters: forwarder.counters,
    traffic: forwarder.traffic,
    listenerCounters: listener.counters,
    openRequests: () => forwarder.openRequests,
    connections: () => listener.connectionCount,
    port: () => listener.port,
    control: counts,
    registry,
    refresh: async () => {},
    snapshot: () => snapshotOf(sources),
    unreadyReason: () =>
      forwarder.isStopAnnounced || forwarder.isDraining
        ? 'shutting down'
        : listener.port === 0
          ? 'starting'
          : null,
  };
  return {
    sources,
    open: async () => {
      await dataPath.open();
      control.start();
      return listener.port;
    },
    stop: async (otherProxies = null) => {
      await dataPath.stop(otherProxies);
      control.stop();
    },
  };
}
