// The composition root: makes the parts and wires them, in the world that it is given.
import { isWildcard } from '../shared/addresses.ts';
import type { Clock } from '../shared/clock.ts';
import { LimitedLog, type Log } from '../shared/log.ts';
import { LISTENER_SWEEP_MS, Listener } from './clients/listener.ts';
import { beLameDuck, drain } from './drain.ts';
import { HealthChecker } from './health/health-checker.ts';
import { probe } from './health/prober.ts';
import { ControlCounts } from './metrics/control.ts';
import { placesFor, SPARE_DESCRIPTORS } from './network/descriptors.ts';
import type { Network } from './network/network.ts';
import type { ProxyOptions } from './options.ts';
import { RegistrationAccess } from './registration/access.ts';
import { Registrar } from './registration/registrar.ts';
import { Registry } from './registration/registry.ts';
import { HEARTBEAT_MS, Sessions } from './registration/sessions.ts';
import { Forwarder } from './routing/forwarder.ts';
import { PolicyTable } from './routing/policy-table.ts';
import { Refusals } from './routing/refusals.ts';
import type { RequestWatch } from './routing/watch.ts';
import { isRightAnswer } from './servers/answer-check.ts';
import { Flusher } from './servers/flusher.ts';
import { Pool } from './servers/pool.ts';
import { EventLog } from './status/events.ts';
import { type SnapshotSources, snapshotOf } from './status/snapshot.ts';
import type { StatusSources } from './status/status.ts';

const SWEEP_MS = 20;
const SECOND_MS = 1000;
const ROUTE_KEPT_MS = 60_000;

/** All that is decided neither by the options nor by what peers do. */
export type World = {
  clock: Clock;
  network: Network;
  /** From 0 to below 1. */
  random: () => number;
  /** A text that can't be guessed, another one at each call. */
  nonce: () => string;
  /** How many descriptors the process may have open; not given where nothing limits them. */
  descriptors?: number;
  /** Looks on at all requests. */
  watch?: RequestWatch | null;
  /** Names this start of the proxy, and no other; made from the time where it is not given. */
  boot?: string;
};

export type Core = {
  /** For the status listener, and for what watches the proxy from within. */
  sources: StatusSources &
    SnapshotSources & { port: () => number; control: ControlCounts; registry: Registry };
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
  const { clock, network, random, nonce, descriptors = Number.POSITIVE_INFINITY, watch = null } = world;
  const { now, wallNow } = clock;
  const table = new PolicyTable();
  const events = new EventLog(wallNow, world.boot);
  const control = new ControlCounts();
  const refusals = new LimitedLog(log);
  const details = new LimitedLog(log, 'debug');
  const errors = new LimitedLog(log, 'debug');
  const { probe: mode, healthTimeoutMs } = options;

  const checker = new HealthChecker(options, {
    probe: (upstream) => {
      const isAnotherServer = (answersAs: string): boolean => table.isOthers(upstream, answersAs);
      const probed = probe(upstream, { probe: mode, healthTimeoutMs, isAnotherServer, network, clock });
      void probed.then(({ outcome, roundTripMs }) => control.probed(outcome, roundTripMs));
      return probed;
    },
    clock,
    random,
    isLastReady: (upstream) => table.route(upstream.policy)?.isLastReady(upstream) ?? true,
    onFlip: (upstream, before) => {
      control.changed(upstream, before.state, now());
      registry.onFlip(upstream, before);
    },
    log: details,
  });
  const forwarder = new Forwarder(
    table,
    options,
    checker,
    {
      onDrained: (upstream) => registry.onDrained(upstream),
      onCulprit: ({ clientId: client, policy, wire, tried }) => {
        const message = 'a request broke its connection to every server that it was tried on';
        const servers = tried?.map(({ id }) => id);
        refusals.write({ level: 'warn', message, client, policy, bytes: wire.length, servers });
      },
    },
    options.verifyAnswers ? isRightAnswer : null,
    now,
    watch,
    new Refusals(events.boot, errors, watch),
  );
  const poolWorld = { network, flusher: new Flusher(clock.soon), now, watch };
  const registry = new Registry(
    options,
    {
      table,
      events,
      now,
      wallNow,
      makePool: (upstream) => new Pool(upstream, options, poolWorld, forwarder),
      onRouteChanged: (route) => forwarder.routeChanged(route),
      onLeaving: (upstream) => forwarder.onLeaving(upstream),
      onRemoved: (upstream, lastWords) => sessions.close(upstream, lastWords),
    },
    checker,
  );
  const sessions = new Sessions(now(), checker, details);
  const access = new RegistrationAccess({ ...options, now, nonce });
  const registrar = new Registrar({
    access,
    registry,
    sessions,
    boot: events.boot,
    ownPort: () => listener.port,
    isEverywhere: isWildcard(options.host),
    onRefusal: (code, whom) => forwarder.noteRefusal(code, whom),
    onResult: (result) => control.registration(result),
    log: refusals,
  });
  const places = placesFor(descriptors, options);
  if (places.maxConnections < options.maxConnections) {
    const message = 'fewer connections than --max-connections: the limit on open files allows no more';
    const { maxConnections } = options;
    log({ level: 'warn', message, maxConnections, now: places.maxConnections, openFiles: descriptors });
  }
  const listener = new Listener(
    { ...options, ...places, maxDescriptor: descriptors - SPARE_DESCRIPTORS },
    {
      network,
      clock,
      standingOf: (host) => (table.hasHost(host) ? 'known' : access.standingOf(host)),
      log: details,
    },
    {
      forwarder,
      registrar: {
        register: (connection, packet, answer) => answer(registrar.register(connection, packet)),
      },
      sessions,
    },
  );

  const stopLogging = events.listen(({ type, policy, id, address, why }) => {
    log({ level: 'info', message: `server ${type}`, policy, id, address, why });
  });
  let cancelTimers: (() => void)[] = [];

  async function open(): Promise<number> {
    await listener.open();
    cancelTimers = [
      every(clock, SWEEP_MS, (asOfMs) => {
        control.ticked(asOfMs, SWEEP_MS);
        forwarder.sweep(asOfMs);
      }),
      every(clock, HEARTBEAT_MS, (asOfMs) => sessions.beat(asOfMs)),
      every(clock, SECOND_MS, () => {
        for (const part of [refusals, events, details, errors]) part.nextSecond();
        listener.logRefused(log);
      }),
      every(clock, LISTENER_SWEEP_MS, (asOfMs) => {
        listener.sweep(asOfMs);
        table.prune(asOfMs - ROUTE_KEPT_MS);
      }),
    ];
    return listener.port;
  }

  async function stop(otherProxies: readonly string[] | null = null): Promise<void> {
    if (otherProxies !== null)
      await beLameDuck(forwarder, sessions, listener, clock, options.lameDuckMs, otherProxies);
    await drain(forwarder, registrar, sessions, listener, clock, options.drainTimeoutMs);
    checker.stop();
    for (const cancel of cancelTimers) cancel();
    registry.destroyPools();
    stopLogging();
  }

  const sources = {
    table,
    events,
    counters: forwarder.counters,
    traffic: forwarder.traffic,
    listenerCounters: listener.counters,
    openRequests: () => forwarder.openRequests,
    connections: () => listener.connectionCount,
    port: () => listener.port,
    control,
    registry,
    snapshot: () => snapshotOf(sources),
    unreadyReason: () =>
      forwarder.isStopAnnounced || forwarder.isDraining
        ? 'shutting down'
        : listener.port === 0
          ? 'starting'
          : null,
  };
  return { sources, open, stop };
}

// Timers are served before sockets: after a stall of this process (a frozen container, a starved machine) what has come
// meanwhile is read first, or others would be blamed for our own silence. `work` gets the time before that reading: a stall
// may also begin after it, and nobody can be judged by what has not been read.
function every(clock: Clock, ms: number, work: (asOfMs: number) => void): () => void {
  let cancel = clock.after(ms, onDue);
  function onDue(): void {
    cancel = clock.after(ms, onDue);
    const asOfMs = clock.now();
    clock.soon(() => work(asOfMs));
  }
  return () => cancel();
}
