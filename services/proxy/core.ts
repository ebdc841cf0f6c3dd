// shell · the composition root: makes the parts, wires them, starts and drains them, in whatever world it is given.
// Must never hold a rule of its own: each belongs to one of the parts.
import { hash } from 'node:crypto';
import type { Clock } from '../shared/clock.ts';
import { DEFAULT_MAX_FRAME_BYTES } from '../shared/framing.ts';
import type { Line } from '../shared/log.ts';
import { formatError, parsePacket } from '../shared/packet.ts';
import { Listener, type ListenerHandler } from './clients/listener.ts';
import { HealthChecker } from './health/health-checker.ts';
import { probe } from './health/prober.ts';
import { placesFor, SPARE_DESCRIPTORS } from './network/descriptors.ts';
import type { Network } from './network/network.ts';
import type { ProxyOptions } from './options.ts';
import { RegistrationAccess } from './registration/access.ts';
import { isWildcard, registerOver } from './registration/registration.ts';
import { Registry } from './registration/registry.ts';
import { Sessions } from './registration/sessions.ts';
import { Forwarder } from './routing/forwarder.ts';
import { PolicyTable } from './routing/policy-table.ts';
import { Flusher } from './servers/flusher.ts';
import { Pool } from './servers/pool.ts';
import type { Registration, Upstream } from './servers/upstream.ts';
import { EventLog } from './status/events.ts';
import { RefusalLog } from './status/refusal-log.ts';
import type { StatusSources } from './status/status.ts';

const SWEEP_MS = 20;
const LISTENER_SWEEP_MS = 250;
const HEARTBEAT_MS = 1000;
const REFUSALS_MS = 1000;
const JOIN_WITHIN_MS = 10_000;
const OUTLIER_FAILURES = 5;
const OUTLIER_REQUESTS = 20;
const PENALTY_MS = 1000;
const MAX_PENALTY_MS = 60_000;
const WRONG_ANSWERS_WITHIN_MS = 10_000;
// The longest penalty, and well above the time in which an outlier shows itself again (ten seconds, or five requests):
// ten times the last penalty would forgive a liar after its first one as soon as the quietest policy could convict it.
const FORGIVE_EJECTIONS_AFTER_MS = 60_000;
const ROUTE_KEPT_MS = 60_000;
// Whoever has connected before the port closes is still told; connections wait a moment in the accept queue.
const LAST_ACCEPTS_MS = 50;
// A request may be on its way over a connection that looks idle: for so long it is told, instead of being cut off.
const LAST_REQUESTS_MS = 300;
const LAST_REPLIES_MS = 1000;

/** All that is not decided by the options or by what peers do. */
export type World = {
  clock: Clock;
  network: Network;
  /** From 0 to below 1. */
  random: () => number;
  /** A text that nobody can guess, another one at each call. */
  nonce: () => string;
  /** How many descriptors the process may have open; not given where nothing limits them. */
  descriptors?: number;
};

export type Core = {
  /** What a status listener tells. */
  sources: StatusSources;
  /** Listens on the well-known port; rejects with the system's error when it can't be had. @returns the port */
  open(): Promise<number>;
  /** Refuses what is new, finishes what is in flight, at most `drainTimeoutMs`; then closes everything. */
  stop(): Promise<void>;
};

/** Makes a proxy that has no status listener. */
export function createCore(options: ProxyOptions, log: (line: Line) => void, world: World): Core {
  const { clock, network, random, nonce } = world;
  const table = new PolicyTable();
  const events = new EventLog(clock.wallNow);
  const flusher = new Flusher(clock.soon);
  const refusals = new RefusalLog(log);
  const details = new RefusalLog(log, 'debug');
  let isDraining = false;

  const probing = {
    mode: options.probe,
    timeoutMs: options.healthTimeoutMs,
    maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
    isSomebodyElse: (upstream: Upstream, answersAs: string) =>
      !upstream.knownAs.has(answersAs) && table.isOthers(upstream, answersAs),
    network,
    clock,
  };
  const checker = new HealthChecker({
    intervalMs: options.healthIntervalMs,
    thresholds: {
      fall: options.fall,
      rise: options.rise,
      joinWithinMs: JOIN_WITHIN_MS,
      forgetAfterMs: options.forgetAfterMs,
      outlierFailures: OUTLIER_FAILURES,
      outlierRequests: OUTLIER_REQUESTS,
      penaltyMs: PENALTY_MS,
      maxPenaltyMs: MAX_PENALTY_MS,
      wrongAnswersWithinMs: WRONG_ANSWERS_WITHIN_MS,
      forgiveEjectionsAfterMs: FORGIVE_EJECTIONS_AFTER_MS,
    },
    probe: async (upstream) => {
      const result = await probe(upstream, probing);
      const { id, policy, address } = upstream;
      if (result.outcome !== 'pass')
        details.tell({
          level: 'debug',
          message: 'probe failed',
          policy,
          id,
          address,
          outcome: result.outcome,
        });
      return result;
    },
    clock,
    random,
    isLastReady: (upstream) => table.route(upstream.policy)?.isLastReady(upstream) ?? true,
    onFlip: (upstream, before) => registry.onFlip(upstream, before),
  });
  const forwarder = new Forwarder(
    table,
    options,
    {
      onFailure: (upstream, failure, request) => checker.onFailure(upstream, failure, request),
      onSilence: (upstream, request) => checker.onSilence(upstream, request),
      onTrialPassed: (upstream) => checker.onTrialPassed(upstream),
      onDrained: (upstream) => registry.onDrained(upstream),
      onCulprit: ({ clientId, policy, wire, tried }) =>
        refusals.tell({
          level: 'warn',
          message: 'a request broke its connection to every server that it was tried on',
          client: clientId,
          policy,
          bytes: wire.length,
          servers: tried?.map(({ id }) => id),
        }),
    },
    options.verifyAnswers ? isRightAnswer : null,
    clock.now,
  );
  const poolOptions = {
    connections: options.upstreamConnections,
    oneRequestConnections: options.oneRequestConnections,
    maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
    connectTimeoutMs: options.connectTimeoutMs,
    attemptTimeoutMs: options.attemptTimeoutMs,
    patienceMs: Math.min(options.attemptTimeoutMs, options.requestTimeoutMs / 2),
    maxIdleMs: options.upstreamIdleMs,
    network,
    flusher,
    now: clock.now,
    roughNow: () => forwarder.sweptMs,
  };
  const registry = new Registry(
    {
      table,
      events,
      maxServers: options.maxServers,
      now: clock.now,
      wallNow: clock.wallNow,
      capacityOf: ({ keepsAlive }: Registration) =>
        keepsAlive ? options.upstreamConnections * options.pipelineDepth : options.oneRequestConnections,
      makeCarrier: (upstream: Upstream) => new Pool(upstream, poolOptions, forwarder),
      onRouteChanged: (route) => forwarder.routeChanged(route),
      onLeaving: (upstream) => forwarder.onLeaving(upstream),
      onRemoved: (upstream, lastWords) => sessions.close(upstream, lastWords),
    },
    checker,
  );
  const sessions = new Sessions(HEARTBEAT_MS, clock.now, checker);
  const access = new RegistrationAccess({
    token: options.registerToken,
    networks: options.registerFrom,
    maxSetupsPerSource: options.maxSetupsPerSource,
    now: clock.now,
    nonce,
  });
  const own = { port: () => listener.port, isEverywhere: isWildcard(options.host) };
  const registrars = { access, registry, sessions, own };

  const handler: ListenerHandler = {
    openRequest: (connection, packet, wire, nowMs) => forwarder.open(connection, packet, wire, nowMs),
    forward: (connection, request, nowMs) => {
      forwarder.forward(request, nowMs);
      if (isDraining) connection.closeAfterChunk();
    },
    onSetup: (connection, packet) => {
      if (isDraining) {
        forwarder.countRefusal('SHUTTING_DOWN');
        return formatError('SHUTTING_DOWN', 'The proxy is shutting down: register again in a few seconds.');
      }
      const result = registerOver(connection, packet, registrars);
      if (result.upstream === null && result.refusal !== null) {
        const { id, policy } = packet;
        const why = result.refusal;
        forwarder.countRefusal('REGISTRATION_REFUSED');
        refusals.tell({
          level: 'warn',
          message: 'registration refused',
          id,
          policy,
          from: connection.remoteHost,
          why,
        });
      }
      if (sessions.has(connection))
        details.tell({
          level: 'debug',
          message: 'session opened',
          id: packet.id,
          from: connection.remoteHost,
        });
      return result.reply;
    },
    onSessionPacket: (connection, packet) => sessions.onPacket(connection, packet),
    onRefusal: (code) => forwarder.countRefusal(code),
    onEnded: (connection) => {
      if (sessions.has(connection))
        details.tell({ level: 'debug', message: 'session ended', from: connection.remoteHost });
      sessions.onEnded(connection);
    },
    onCut: (connection, why) =>
      details.tell({ level: 'debug', message: 'connection ended', from: connection.remoteHost, why }),
    standingOf: (host) => (table.hasHost(host) ? 'known' : access.standingOf(host)),
  };
  const { descriptors = Number.POSITIVE_INFINITY } = world;
  const places = placesFor(descriptors, options);
  if (places.maxConnections < options.maxConnections) {
    log({
      level: 'warn',
      message: 'fewer connections than --max-connections: the limit on open files allows no more',
      maxConnections: options.maxConnections,
      now: places.maxConnections,
      openFiles: descriptors,
    });
  }
  const listener = new Listener(
    {
      host: options.host,
      port: options.port,
      sockets: options.listeners,
      ...places,
      maxConnectionsPerSource: options.maxConnectionsPerSource,
      maxDescriptor: descriptors - SPARE_DESCRIPTORS,
      packetTimeoutMs: options.packetTimeoutMs,
      idleTimeoutMs: options.idleTimeoutMs,
      sendTimeoutMs: options.sendTimeoutMs,
      network,
      clock,
    },
    handler,
  );

  const stopLogging = events.listen(({ type, policy, id, address, why }) => {
    log({ level: 'info', message: `server ${type}`, policy, id, address, why });
  });
  let cancelTimers: (() => void)[] = [];

  async function open(): Promise<number> {
    await listener.open();
    cancelTimers = [
      every(clock, SWEEP_MS, () => forwarder.sweep(clock.now())),
      every(clock, HEARTBEAT_MS, () => sessions.beat()),
      every(clock, REFUSALS_MS, () => {
        refusals.nextSecond();
        events.nextSecond();
        details.nextSecond();
        listener.tellRefused(log);
      }),
      every(clock, LISTENER_SWEEP_MS, () => {
        listener.sweep((connection) => sessions.has(connection));
        table.prune(clock.now() - ROUTE_KEPT_MS);
      }),
    ];
    return listener.port;
  }

  async function stop(): Promise<void> {
    isDraining = true;
    forwarder.drain();
    const deadlineMs = clock.now() + options.drainTimeoutMs;
    await clock.sleep(LAST_ACCEPTS_MS);
    await listener.stopAccepting(deadlineMs);
    await clock.sleep(LAST_REQUESTS_MS);
    while (forwarder.openRequests > 0 && clock.now() < deadlineMs) await clock.sleep(SWEEP_MS);
    forwarder.refuseOpen();
    sessions.closeAll();
    listener.closeConnections();
    const lastMs = clock.now() + LAST_REPLIES_MS;
    while (listener.connectionCount > 0 && clock.now() < lastMs) await clock.sleep(SWEEP_MS);
    listener.destroyConnections();
    checker.stop();
    for (const cancel of cancelTimers) cancel();
    for (const route of table.routes) for (const upstream of route.upstreams) upstream.carrier?.destroy();
    registry.destroyRetired();
    stopLogging();
  }

  return {
    sources: {
      table,
      events,
      counters: forwarder.counters,
      listenerCounters: listener.counters,
      unreadyReason: () => (isDraining ? 'shutting down' : listener.port === 0 ? 'starting' : null),
      openRequests: () => forwarder.openRequests,
      connections: () => listener.connectionCount,
    },
    open,
    stop,
  };
}

// Timers are served before sockets: after a stall of this process (a frozen container, a starved machine) what has come
// meanwhile is read first, or others would be blamed for our own silence.
function every(clock: Clock, ms: number, work: () => void): () => void {
  let cancel = clock.after(ms, onDue);
  function onDue(): void {
    cancel = clock.after(ms, onDue);
    clock.soon(work);
  }
  return () => cancel();
}

function isRightAnswer(payload: string, answer: string): boolean {
  const packet = parsePacket(Buffer.from(answer, 'latin1').toString());
  // A server that says that it can't answer does not lie.
  if (packet.kind === 'error') return true;
  return packet.kind === 'answer' && packet.digest === hash('sha1', payload);
}
