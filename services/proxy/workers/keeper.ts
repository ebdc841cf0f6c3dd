// The keeper of a proxy with several workers: it owns the table, registrations, sessions, health and events, and no request.
import type { Log } from '../../shared/log.ts';
import { createControl } from '../control.ts';
import type { Core } from '../core.ts';
import { Traffic } from '../metrics/traffic.ts';
import type { ProxyOptions } from '../options.ts';
import { Refusals } from '../routing/refusals.ts';
import type { Request } from '../routing/request.ts';
import type { Upstream } from '../servers/upstream.ts';
import { snapshotOf } from '../status/snapshot.ts';
import type { World } from '../world.ts';
import { KeeperTable } from './keeper-table.ts';
import type { ConnectionRef, Ref, ToKeeper, ToWorker } from './messages.ts';
import { RelayedConnection } from './relay.ts';
import { Totals } from './report.ts';
import { placesBuffer, SharedPlaces } from './shared-places.ts';
import { KeeperTally } from './shared-tally.ts';
import type { WorkerStart } from './worker.ts';

// A report that has not come by then is waited for no more: its worker is busy, or stuck.
const REPORT_WITHIN_MS = 250;
// A worker that has not stopped so long after its time is not waited for.
const STOP_BEYOND_MS = 5000;
// One that ends soon after its start is not replaced at once, again and again.
const REPLACE_AFTER_MS = 1000;

/** A worker that runs. */
export type Thread = {
  post(message: ToWorker): void;
  /** Ends it at once. */
  end(): Promise<unknown>;
};

/**
 * Starts a worker.
 * @param onMessage called with each of its messages
 * @param onGone    called once, when it has ended, for whatever reason; `why` is a clause
 */
export type Launch = (
  start: WorkerStart,
  onMessage: (message: ToKeeper) => void,
  onGone: (why: string) => void,
) => Thread;

type Running = {
  thread: Thread;
  sinceMs: number;
  isListening: boolean;
  isGone: boolean;
  connections: Map<ConnectionRef, RelayedConnection>;
  /** Who waits for its messages of a kind, in their order; null comes when it is gone. */
  waiting: Map<string, ((message: ToKeeper | null) => void)[]>;
};

export type Keeper = Core & {
  readonly totals: Totals;
  /** How many workers serve now. */
  readonly listeningWorkers: number;
};

/** Makes a proxy whose requests are served by `workers` threads. */
export function createKeeper(
  options: ProxyOptions,
  workers: number,
  log: Log,
  world: World,
  launch: Launch,
): Keeper {
  const { clock, network } = world;
  const places = placesBuffer(workers);
  const occupancy = new SharedPlaces(places, 0);
  const running: (Running | null)[] = Array<Running | null>(workers).fill(null);
  const table: KeeperTable = new KeeperTable(
    (change) => tellAll(change),
    () => totals,
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
    tellAll({ kind: 'watch', isOn });
  });
  const totals = new Totals(workers, traffic, refusals, counts.loopDelay, (ref) => table.server(ref));
  let port = 0;
  let starts = 0;
  let isStopping = false;

  function tellAll(message: ToWorker): void {
    for (const worker of running) worker?.thread.post(message);
  }

  function start(index: number): Running {
    starts += 1;
    const boot = `${events.boot}w${starts}`;
    const thread = launch(
      { index, workers, boot, places },
      (message) => onMessage(index, worker, message),
      (why) => onGone(index, worker, why),
    );
    const worker: Running = {
      ...{ thread, sinceMs: clock.now(), isListening: false, isGone: false },
      ...{ connections: new Map(), waiting: new Map() },
    };
    running[index] = worker;
    for (const change of table.replay(clock.now())) thread.post(change);
    if (traffic.isWatched) thread.post({ kind: 'watch', isOn: true });
    return worker;
  }

  // Resolves with the first message of this kind that nobody else waits for; null when the worker is gone before.
  async function next(worker: Running, kind: string): Promise<ToKeeper | null> {
    if (worker.isGone) return null;
    const waiting = worker.waiting.get(kind) ?? [];
    worker.waiting.set(kind, waiting);
    return new Promise((resolve) => waiting.push(resolve));
  }

  function onMessage(index: number, worker: Running, message: ToKeeper): void {
    if (running[index] !== worker) return;
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
          const { request } = message;
          checker.onFailure(upstream, message.failure, request === null ? null : named(request));
        });
        break;
      case 'silence':
        onServer(message.ref, (upstream) => checker.onSilence(upstream, named(message.request)));
        break;
      case 'trial-passed':
        onServer(message.ref, (upstream) => checker.onTrialPassed(upstream));
        break;
      case 'drained':
        onServer(message.ref, endIfDrained);
        break;
      case 'report':
        totals.add(index, message.report);
        break;
      case 'ending':
        traffic.tell(message.ending);
        break;
      case 'log':
        log(message.line);
        break;
      case 'stopping':
        if (message.phase === 'draining') registrar.drain();
        else if (message.phase === 'closing') sessions.closeAll();
        break;
      case 'opened':
        worker.isListening = true;
        break;
      case 'ready':
      case 'unopened':
        break;
      default:
        message satisfies never;
    }
    const kind = message.kind === 'stopping' ? message.phase : message.kind;
    worker.waiting.get(kind)?.shift()?.(message);
  }

  function onSetup(worker: Running, message: ToKeeper & { kind: 'setup' }): void {
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

  function onConnection(worker: Running, ref: ConnectionRef, work: (connection: RelayedConnection) => void) {
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
  function onGone(index: number, worker: Running, why: string): void {
    if (running[index] !== worker) return;
    running[index] = null;
    worker.isGone = true;
    for (const resolve of [...worker.waiting.values()].flat()) resolve(null);
    totals.forget(index);
    new SharedPlaces(places, index).note(0, 0);
    table.giveBack(index);
    for (const connection of worker.connections.values()) sessions.release(connection);
    for (const upstream of [...table.upstreams]) endIfDrained(upstream);
    if (isStopping) return;
    // The start fails then.
    const isReplaced = port > 0;
    const message = isReplaced ? 'a worker has ended, and is replaced' : 'a worker has ended';
    log({ level: 'error', message, worker: index, why });
    if (!isReplaced) return;
    const livedMs = clock.now() - worker.sinceMs;
    clock.after(livedMs < REPLACE_AFTER_MS ? REPLACE_AFTER_MS : 0, () => {
      if (!isStopping) void openWorker(start(index));
    });
  }

  async function openWorker(worker: Running): Promise<ToKeeper | null> {
    const answer = Promise.race([next(worker, 'opened'), next(worker, 'unopened')]);
    worker.thread.post({ kind: 'open', port });
    return answer;
  }

  async function claimPort(): Promise<number> {
    const accept = (socket: { destroy(): unknown }): null => {
      socket.destroy();
      return null;
    };
    // A shared port would let two proxies run on it unawares, so ask for it alone first.
    const alone = await network.listen(options.host, options.port, false, accept);
    alone.close();
    return alone.port;
  }

  async function open(): Promise<number> {
    const started = running.map((_, index) => start(index));
    await Promise.all(started.map((worker) => next(worker, 'ready')));
    try {
      port = await claimPort();
      for (const answer of await Promise.all(started.map(openWorker))) {
        if (answer?.kind === 'opened') continue;
        const { message, code, port } =
          answer?.kind === 'unopened' ? answer : { message: 'a worker has ended' };
        throw Object.assign(new Error(message), { code, port });
      }
    } catch (error) {
      isStopping = true;
      await endAll();
      throw error;
    }
    control.start();
    return port;
  }

  async function endAll(): Promise<void> {
    await Promise.all(running.map((worker) => worker?.thread.end()));
  }

  async function refresh(): Promise<void> {
    const reports = running.flatMap((worker) => {
      if (worker === null) return [];
      worker.thread.post({ kind: 'report' });
      return [next(worker, 'report')];
    });
    await Promise.race([Promise.all(reports), clock.sleep(REPORT_WITHIN_MS)]);
  }

  async function stop(otherProxies: readonly string[] | null = null): Promise<void> {
    isStopping = true;
    if (otherProxies !== null) sessions.announceStop();
    const closed = running.flatMap((worker) => {
      if (worker === null) return [];
      worker.thread.post({ kind: 'stop', otherProxies });
      return [next(worker, 'closed')];
    });
    const patienceMs = options.lameDuckMs + options.drainTimeoutMs + STOP_BEYOND_MS;
    await Promise.race([Promise.all(closed), clock.sleep(patienceMs)]);
    control.stop();
    await endAll();
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
    refresh,
    snapshot: () => snapshotOf(sources),
    unreadyReason: () => (isStopping ? 'shutting down' : port === 0 ? 'starting' : null),
  };
  return {
    ...{ sources, open, stop, totals },
    get listeningWorkers() {
      return running.filter((worker) => worker?.isListening === true).length;
    },
  };
}

function named({ clientId, bytes }: { clientId: string | number | undefined; bytes: number }) {
  return { clientId, wire: { length: bytes } };
}
