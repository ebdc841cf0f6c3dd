// The keeper of a proxy with several workers: it owns the table, registrations, sessions, health and events, and no request.
import type { Log } from '../../shared/log.ts';
import { createControl } from '../core/control.ts';
import type { Core } from '../core/core.ts';
import type { World } from '../core/world.ts';
import { Traffic } from '../metrics/traffic.ts';
import { type Connection, claimPort } from '../network/network.ts';
import type { ProxyOptions } from '../options.ts';
import { Refusals } from '../routing/refusals.ts';
import type { Request } from '../routing/request.ts';
import type { Upstream } from '../servers/upstream.ts';
import { snapshotOf } from '../status/snapshot.ts';
import { Crew, type Launch, type Member } from './crew.ts';
import type { ConnectionRef, Ref, ToKeeper, ToWorker } from './messages.ts';
import { RelayedConnection } from './relay.ts';
import { Totals } from './report.ts';
import { Hands } from './shared/hands.ts';
import { SharedPlaces } from './shared/places.ts';
import { rowsBuffer } from './shared/rows.ts';
import { KeeperTally } from './shared/tally.ts';
import { KeeperTable } from './table/keeper-table.ts';

// A worker that has not stopped so long after its time is not waited for.
const STOP_BEYOND_MS = 5000;

export type Keeper = Core & {
  readonly totals: Totals;
  /** How many workers serve now. */
  readonly listeningWorkers: number;
};

/** Makes a proxy whose requests are served by the threads that `launch` starts. */
export function createKeeper(options: ProxyOptions, log: Log, world: World, launch: Launch): Keeper {
  const { workers } = options;
  const { clock, network } = world;
  const places = rowsBuffer(workers);
  const handsShared = rowsBuffer(workers);
  const hands = new Hands(handsShared);
  const occupancy = new SharedPlaces(places, 0);
  const table: KeeperTable = new KeeperTable(
    (change) => crew.tellAll(change),
    () => totals,
    hands,
  );
  const control = createControl(options, log, world, {
    table,
    makeTally: () => new KeeperTally(workers),
    makePool: (upstream) => table.makePool(upstream),
    onRouteChanged: (route) => {
      if (route.upstreams.length > 0) route.traffic ??= totals.traffic.of(route.policy);
      table.sayChanged(route);
    },
    onLeaving: (upstream) => table.sayLeaving(upstream),
    ownPort: () => port,
    onRefusal: (code, whom) => refusals.note(code, whom),
  });
  const { events, checker, registry, registrar, sessions, counts } = control;
  const refusals = new Refusals(events.boot, control.logs.details, world.watch ?? null);
  const traffic = new Traffic<Request>(clock.now, options.requestTimeoutMs, (isOn) => {
    crew.tellAll({ kind: 'watch', isOn });
  });
  const totals = new Totals(workers, traffic, refusals, counts.loopDelay, (ref) => table.server(ref));
  const crew = new Crew(
    workers,
    launch,
    (index, starts) => ({ index, places, hands: handsShared, boot: `${events.boot}w${starts}` }),
    briefing,
    { onMessage, onGone },
    clock,
    log,
  );
  let port = 0;
  let isStopping = false;

  function* briefing(): Iterable<ToWorker> {
    yield* table.replay(clock.now());
    if (traffic.isWatched) yield { kind: 'watch', isOn: true };
  }

  function onMessage(worker: Member, message: ToKeeper): void {
    switch (message.kind) {
      case 'setup':
        onSetup(worker, message);
        break;
      case 'session-packet':
        onConnection(worker, message.connection, (connection) => {
          connection.lastHeardMs = message.heardMs;
          sessions.onPacket(connection, message.packet);
        });
        break;
      case 'ended':
        onConnection(worker, message.connection, (connection) => sessions.onEnded(connection));
        worker.connections.delete(message.connection);
        break;
      case 'broke':
        onServer(message.ref, (upstream) => checker.onBroke(upstream, message.suspect));
        break;
      case 'failure':
        onServer(message.ref, (upstream) => {
          const { failure, request, atMs } = message;
          const { state, sinceMs } = upstream.health;
          // What failed before its trial is what the trial is for: the worker did not know of that yet.
          if (state === 'trial' && atMs <= sinceMs) return;
          checker.onFailure(upstream, failure, request);
        });
        break;
      case 'silence':
        onServer(message.ref, (upstream) => checker.onSilence(upstream, message.request));
        break;
      case 'trial-passed':
        onServer(message.ref, (upstream) => checker.onTrialPassed(upstream));
        break;
      case 'drained':
        onServer(message.ref, endIfDrained);
        break;
      case 'report':
        totals.add(worker.index, message.report);
        break;
      case 'ending':
        traffic.tell(message.ending);
        break;
      case 'log':
        log(message.line);
        break;
      case 'draining':
        registrar.drain();
        break;
      case 'closing':
        sessions.closeAll();
        break;
      case 'ready':
      case 'opened':
      case 'unopened':
      case 'closed':
        break;
      default:
        message satisfies never;
    }
  }

  function onSetup(worker: Member, message: ToKeeper & { kind: 'setup' }): void {
    const ref = message.connection;
    let connection = worker.connections.get(ref);
    if (connection === undefined) {
      connection = new RelayedConnection(message, (answer) => worker.thread.post(answer));
      worker.connections.set(ref, connection);
    }
    connection.lastHeardMs = message.heardMs;
    const line = registrar.register(connection, message.packet);
    worker.thread.post({ kind: 'answer', connection: ref, line, hasSession: sessions.has(connection) });
  }

  function onConnection(worker: Member, ref: ConnectionRef, work: (connection: RelayedConnection) => void) {
    const connection = worker.connections.get(ref);
    if (connection !== undefined) work(connection);
  }

  function onServer(ref: Ref, work: (upstream: Upstream) => void): void {
    const upstream = table.server(ref);
    if (upstream !== undefined && table.has(upstream)) work(upstream);
  }

  // Each worker says so when it has no request on it any more.
  function endIfDrained(upstream: Upstream): void {
    if (upstream.health.state === 'leaving' && upstream.tally.inFlight === 0) registry.onDrained(upstream);
  }

  // What it had is gone with it: its clients try again, and servers are not to blame for the end of their sessions.
  function onGone({ index, connections }: Member): void {
    totals.forget(index);
    new SharedPlaces(places, index).note(0, 0);
    hands.giveBack(index);
    table.giveBack(index);
    for (const connection of connections.values()) sessions.release(connection);
    for (const upstream of [...table.upstreams]) endIfDrained(upstream);
  }

  async function open(): Promise<number> {
    try {
      await crew.start();
      port = await claimPort(network, options.host, options.port, refuse);
      await crew.open(port);
    } catch (error) {
      await crew.end();
      throw error;
    }
    control.start();
    return port;
  }

  async function stop(otherProxies: readonly string[] | null = null): Promise<void> {
    isStopping = true;
    if (otherProxies !== null) sessions.announceStop();
    await crew.stop(otherProxies, options.lameDuckMs + options.drainTimeoutMs + STOP_BEYOND_MS);
    control.stop();
    await crew.end();
  }

  const sources = {
    table,
    events,
    counters: totals.counts.forwarder,
    traffic,
    listenerCounters: totals.counts.listener,
    openRequests: () => totals.openRequests,
    connections: () => occupancy.clients + occupancy.servers,
    port: () => port,
    control: counts,
    registry,
    refresh: () => crew.refresh(),
    snapshot: () => snapshotOf(sources),
    unreadyReason: () => (isStopping ? 'shutting down' : port === 0 ? 'starting' : null),
  };
  return {
    sources,
    open,
    stop,
    totals,
    get listeningWorkers() {
      return crew.listening;
    },
  };
}

// Nobody is served on it: it is only claimed.
function refuse(socket: Connection): null {
  socket.destroy();
  return null;
}
